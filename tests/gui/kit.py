"""A window with a clock of its own, and the states in which tests look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cv2
import numpy as np

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import EntryRequest, Means, Step, Ways
from kiosk.domain.face import Box, Face, Flaw, Frame, Hint, Quality
from kiosk.domain.updates import (
    Decided,
    DoorAnswered,
    DoorChanged,
    DoorLeftOpen,
    EntryChanged,
    Faulted,
    Observed,
    OtherLight,
    Update,
    Waiting,
)
from kiosk.gui.setting import Setting
from kiosk.screen import ScreenConfig

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from kiosk.gui.window import KioskWindow

WALL = datetime(2026, 11, 22, 9, 41, tzinfo=UTC)
EVIDENCE = Evidence(1, 0.0, WALL)
FACE = Face(Box(235, 120, 190, 240), ((290, 235), (370, 235), (330, 270), (305, 310), (355, 310)), 0.9)
OTHER = Face(Box(60, 190, 120, 150), FACE.landmarks, 0.9)
ALL_WAYS = Ways(frozenset(Means), pin=True)

GRANTED: list[Update] = [
    Decided(Decision("g1", Outcome.GRANTED, Reason.MATCHED, "s1", EVIDENCE)),
    DoorAnswered("g1", DoorReply("g1", DoorResult.RELEASED, "", 105.0)),
]
GOOD = Observed(1, (FACE,), Quality(0.9), 0.0)


def flawed(flaw: Flaw) -> Observed:
    return Observed(1, (FACE,), Quality(0.2, flaw), 0.0)


def refused(reason: Reason = Reason.NOT_ENROLLED) -> Decided:
    return Decided(Decision("r1", Outcome.REFUSED, reason, None, EVIDENCE))


STATES: dict[str, list[Update]] = {
    "starting": [],
    "idle": [Waiting(1)],
    "closer": [flawed(Flaw.TOO_SMALL)],
    "checking": [Observed(1, (FACE,), Quality(0.9), 2 / 3)],
    "several": [Observed(1, (FACE, OTHER), None, 0.0)],
    "glasses": [Observed(1, (FACE,), Quality(0.9), 0.0, hint=Hint.EYES_HIDDEN)],
    "dark": [flawed(Flaw.TOO_DARK)],
    "waits": [Observed(1, (FACE,), Quality(0.9), 0.0, waits=12.0)],
    "let_in": [Observed(1, (FACE,), Quality(0.9), 0.0, let_in=True)],
    "granted": GRANTED,
    "second_light": [*GRANTED, OtherLight("g1")],
    "refused": [refused()],
    "look_here": [EntryChanged(Step.FACE), Waiting(2)],
    "pin": [EntryChanged(Step.PIN)],
    "pin_wait": [EntryChanged(Step.WAIT, 30.0)],
    "held_open": [Waiting(1), DoorLeftOpen(True)],
    "camera": [Faulted(Reason.CAMERA_UNAVAILABLE, "gone")],
    "face_off": [Waiting(1), Faulted(Reason.FACE_OFF, "off")],
    "door": [Waiting(1), DoorChanged(DoorState.FAULT)],
}
"""What leads to each state, on a door that offers everything."""


@dataclass(frozen=True)
class Screenful:
    """A screen as people have it: pixels, diagonal, reading distance."""

    width: int
    height: int
    config: ScreenConfig


def screenful(
    width: int,
    height: int,
    diagonal: float,
    distance: float = 1500.0,
    languages: tuple[str, ...] = ("en",),
    large: bool = False,
) -> Screenful:
    config = ScreenConfig(
        diagonal_mm=diagonal,
        distance_mm=distance,
        languages=languages,
        large=large,
        sounds=False,
        second_light=True,
    )
    return Screenful(width, height, config)


SIZES: dict[str, tuple[int, int, float, float]] = {
    "480x320": (480, 320, 89.0, 600.0),
    "800x480": (800, 480, 178.0, 1500.0),
    "1024x600": (1024, 600, 257.0, 1500.0),
    "480x800": (480, 800, 178.0, 1500.0),
    "1920x1080": (1920, 1080, 396.0, 1500.0),
}
"""3.5 inches, read from where it is touched; 7, 10.1, 7 upright and 15.6 inches, read from 1.5 m."""


def frame(number: int = 1, image: np.ndarray | None = None) -> Frame:
    return Frame(picture() if image is None else image, number, 100.0, WALL)


def picture() -> np.ndarray:
    """A head and shoulders, drawn; a bright stripe at the left side of the picture."""
    image = np.full((480, 640, 3), (96, 92, 84), np.uint8)
    image[:, :160] = (150, 170, 180)
    cv2.ellipse(image, (320, 560), (190, 170), 0, 0, 360, (90, 60, 40), -1, cv2.LINE_AA)
    cv2.ellipse(image, (320, 250), (95, 128), 0, 0, 360, (140, 170, 215), -1, cv2.LINE_AA)
    return image


class Kit:
    """A window with a clock of its own and a timer that never ticks by itself. What it asks is in `asked`."""

    def __init__(
        self,
        application: QApplication,
        *,
        screen: ScreenConfig | None = None,
        ways: Ways = ALL_WAYS,
        simulated: bool = False,
        name: str = "Amira Okonkwo",
        ask: Callable[[EntryRequest], None] | None = None,
    ) -> None:
        from PySide6.QtCore import QTimer

        from kiosk.gui.bridge import Bridge
        from kiosk.gui.window import KioskWindow

        self.now = 100.0
        self.beats = self.staff = 0
        self.asked: list[EntryRequest] = []
        self.application = application
        self.timer = QTimer()
        self.bridge: Bridge = Bridge(clock=lambda: self.now)
        config = screen if screen is not None else ScreenConfig(sounds=False)
        self.window: KioskWindow = KioskWindow(
            self.bridge,
            lambda _: name,
            Setting(config, ways, visitors=simulated, lock=simulated),
            ask=ask or self.asked.append,
            on_staff=self._called,
            clock=lambda: self.now,
            wall_clock=lambda: WALL,
            beat=self._beat,
            timer=self.timer,
        )

    def _beat(self) -> None:
        self.beats += 1

    def _called(self) -> None:
        self.staff += 1

    def show(self, width: int, height: int, events: list[Update], *, frames: int = 2) -> None:
        self.window.resize(width, height)
        self.window.show()
        for event in events:
            self.bridge.publish(event)
        for number in range(frames):
            self.bridge.show_frame(frame(number))
            self.application.processEvents()

    def wait(self, seconds: float) -> None:
        """Lets time pass, without a frame."""
        self.now += seconds
        self.window.tick()
        self.application.processEvents()

    def grab(self) -> np.ndarray:
        """H x W x 3, BGR."""
        from PySide6.QtGui import QImage

        image = self.window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
        return rows[:, :, :3].copy()

    def close(self) -> None:
        self.bridge.close()
        self.window.stop()
        self.window.close()
        self.window.deleteLater()
