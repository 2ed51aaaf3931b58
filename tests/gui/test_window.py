"""The window itself, offscreen."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult
from kiosk.domain.door.state import DoorState
from kiosk.domain.entry import Step
from kiosk.domain.errors import KioskError
from kiosk.domain.face import Box, Face, Flaw, Frame, Hint, Quality
from kiosk.domain.updates import Decided, DoorAnswered, DoorChanged, EntryChanged, Faulted, Observed, Update, Waiting
from kiosk.gui import words
from kiosk.gui.app import screenshot
from kiosk.gui.presenter import Mode

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from kiosk.gui.bridge import Bridge
    from kiosk.gui.window import KioskWindow

pytestmark = pytest.mark.qt

SIZES = [(800, 480), (1024, 600), (1280, 800), (480, 800), (600, 1024)]
WALL = datetime(2026, 11, 22, 9, 41, tzinfo=UTC)
EVIDENCE = Evidence(1, 0.0, WALL)
FACE = Face(Box(235, 120, 190, 240), ((290, 235), (370, 235), (330, 270), (305, 310), (355, 310)), 0.9)
GOLDEN = Path(__file__).parent / "golden"

GRANTED: list[Update] = [
    Decided(Decision("g1", Outcome.GRANTED, Reason.MATCHED, "s1", EVIDENCE)),
    DoorAnswered("g1", DoorReply("g1", DoorResult.RELEASED, "", 105.0)),
]
STATES: dict[str, list[Update]] = {
    "starting": [],
    "idle": [Waiting(1)],
    "guiding": [Observed(1, (FACE,), Quality(0.2, Flaw.TURNED), 0.0)],
    "checking": [Observed(1, (FACE,), Quality(0.9), 2 / 3)],
    "several": [Observed(1, (FACE, FACE), None, 0.0)],
    "granted": GRANTED,
    "hinted": [Observed(1, (FACE,), Quality(0.9), 0.0, hint=Hint.EYES_HIDDEN)],
    "refused": [Decided(Decision("r1", Outcome.REFUSED, Reason.NOT_ENROLLED, None, EVIDENCE))],
    "fault": [Faulted(Reason.CAMERA_UNAVAILABLE, "gone")],
    "door": [Waiting(1), DoorChanged(DoorState.FAULT)],
}


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
    """A window with a clock of its own and a timer that never ticks by itself."""

    def __init__(self, application: QApplication, banner: str = "", name: str = "Amira Okonkwo") -> None:
        from PySide6.QtCore import QTimer

        from kiosk.gui.bridge import Bridge
        from kiosk.gui.window import KioskWindow

        self.now = 100.0
        self.beats = 0
        self.application = application
        self.timer = QTimer()
        self.bridge: Bridge = Bridge(clock=lambda: self.now)
        self.window: KioskWindow = KioskWindow(
            self.bridge,
            lambda _: name,
            banner=banner,
            clock=lambda: self.now,
            wall_clock=lambda: WALL,
            beat=self._beat,
            timer=self.timer,
        )

    def _beat(self) -> None:
        self.beats += 1

    def show(self, width: int, height: int, events: list[Update], *, frames: int = 2) -> None:
        self.window.resize(width, height)
        self.window.show()
        for event in events:
            self.bridge.publish(event)
        for number in range(frames):
            self.bridge.show_frame(frame(number))
            self.application.processEvents()

    def grab(self) -> np.ndarray:
        """H x W x 3, BGR."""
        from PySide6.QtGui import QImage

        image = self.window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
        return rows[:, :, :3].copy()


@pytest.fixture
def make(application: QApplication) -> Iterator[Callable[..., Kit]]:
    kits: list[Kit] = []

    def build(**options: str) -> Kit:
        kits.append(Kit(application, **options))
        return kits[-1]

    yield build
    for kit in kits:
        kit.bridge.close()
        kit.window.close()
        kit.window.deleteLater()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_drawn_at_every_size(make: Callable[..., Kit], state: str, size: tuple[int, int]) -> None:
    kit = make(banner=words.banner(True, True), name="Maximilian-Alexander Wolfeschlegelsteinhausen")
    kit.show(*size, STATES[state])
    shown = kit.grab()
    assert shown.shape == (size[1], size[0], 3)
    assert shown.std() > 10


@pytest.mark.parametrize("size", SIZES)
def test_all_words_have_room(make: Callable[..., Kit], size: tuple[int, int]) -> None:
    from PySide6.QtCore import Qt

    kit = make(banner=words.banner(True, True))
    kit.show(*size, STATES["idle"])
    message = kit.window._message
    longest = words.welcome("Maximilian-Alexander Wolfeschlegelsteinhausen")
    flags = Qt.TextFlag.TextWordWrap.value
    hinted = [*words.HINTS.values(), *(words.refused(Reason.NOT_ENROLLED, hint) for hint in Hint)]
    for said in [*words.FLAWS.values(), *words.REFUSALS.values(), *hinted, words.IDLE, words.CHECKING, longest]:
        room = message.height() - 120 * message._unit
        headline, detail, upper, lower = message._fit(said.headline, said.detail, flags, room)
        assert upper + lower <= room, said
        assert headline >= 32 * message._unit, said
        assert detail >= 22 * message._unit, said


def test_the_preview_is_a_mirror(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    shown = kit.grab()
    left, right = shown[240, 40].mean(), shown[240, 370].mean()
    assert right > left + 10


def test_each_picture_is_drawn_once(make: Callable[..., Kit], monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame, and what was seen on it, come to the window one after another."""
    from kiosk.gui.preview import Preview

    asked: list[int] = []
    kit = make()
    kit.show(800, 480, STATES["checking"])
    monkeypatch.setattr(Preview, "update", lambda _: asked.append(1))
    for number in range(10, 30):
        kit.now += 1 / 15
        kit.bridge.show_frame(frame(number))
        kit.application.processEvents()
        kit.bridge.publish(Observed(number, (FACE,), Quality(1.0), number / 30))
        kit.application.processEvents()
    assert len(asked) == 20


def test_a_picture_that_stopped_is_taken_away(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    assert kit.window.screen_state.preview
    kit.now += 2
    kit.window.tick()
    assert not kit.window.screen_state.preview


def test_the_tick_ends_the_welcome_and_beats(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, GRANTED)
    assert kit.window.screen_state.mode is Mode.GRANTED
    kit.now, before = 105.0, kit.beats
    kit.timer.timeout.emit()
    assert kit.window.screen_state.mode is Mode.IDLE
    assert kit.beats == before + 1


def test_events_keep_their_order_and_their_time(make: Callable[..., Kit]) -> None:
    kit = make()
    came: list[tuple[object, float]] = []
    kit.bridge.event_arrived.connect(lambda event, at: came.append((event, at)))

    def publish() -> None:
        for event in GRANTED:
            kit.bridge.publish(event)
            kit.now += 1

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    assert came == []
    kit.application.processEvents()
    assert came == [(GRANTED[0], 100.0), (GRANTED[1], 101.0)]


def test_a_slow_window_meets_only_the_newest_picture_and_sight(make: Callable[..., Kit]) -> None:
    kit = make()
    frames: list[int] = []
    events: list[object] = []
    kit.bridge.frame_arrived.connect(lambda shown, _: frames.append(shown.number))
    kit.bridge.event_arrived.connect(lambda event, _: events.append(event))
    for number in range(100):
        kit.bridge.show_frame(frame(number))
        kit.bridge.publish(Waiting(number))
    for event in (EntryChanged(Step.PIN), EntryChanged(Step.CHECKING), GRANTED[0]):
        kit.bridge.publish(event)
    kit.application.processEvents()
    assert frames == [99]
    assert events == [Waiting(99), EntryChanged(Step.PIN), EntryChanged(Step.CHECKING), GRANTED[0]]


def test_nothing_arrives_after_the_end(make: Callable[..., Kit]) -> None:
    kit = make()
    came: list[object] = []
    kit.bridge.event_arrived.connect(lambda event, _: came.append(event))
    kit.bridge.publish(Waiting(1))
    kit.bridge.close()
    kit.bridge.publish(Waiting(2))
    kit.bridge.show_frame(frame())
    kit.application.processEvents()
    assert came == []


@pytest.mark.parametrize("shape", [(720, 1280, 3), (480, 640, 3), (64, 64, 3), (1, 1, 3)])
def test_frames_of_any_size_are_shown(make: Callable[..., Kit], shape: tuple[int, int, int]) -> None:
    kit = make()
    kit.show(1024, 600, STATES["idle"])
    kit.bridge.show_frame(frame(3, np.full(shape, 255, np.uint8)))
    kit.application.processEvents()
    assert kit.grab()[300, 270].min() > 240


def test_escape_closes_a_window_but_not_a_door(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QKeyEvent

    kit = make()
    escape = QKeyEvent(QKeyEvent.Type.KeyPress, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    kit.window.show_full_screen()
    kit.window.keyPressEvent(escape)
    assert kit.window.isVisible()
    kit.window.showNormal()
    kit.window.keyPressEvent(escape)
    assert not kit.window.isVisible()


def test_a_screenshot_is_a_png(make: Callable[..., Kit], tmp_path: Path) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    screenshot(kit.window, tmp_path / "shot.png")
    assert cv2.imread(str(tmp_path / "shot.png")).shape == (480, 800, 3)
    with pytest.raises(KioskError, match="cannot be written"):
        screenshot(kit.window, tmp_path / "absent" / "shot.png")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_painting_loses_no_references(make: Callable[..., Kit]) -> None:
    """PySide6 6.12.0 under Python 3.11 drops one to None with every call, until the process aborts."""
    kit = make()
    kit.show(800, 480, STATES["idle"])
    before = sys.getrefcount(None)
    for number in range(30):
        kit.bridge.show_frame(frame(number))
        kit.application.processEvents()
    assert sys.getrefcount(None) > before - 30


@pytest.mark.parametrize("state", ["idle", "granted", "refused"])
def test_pictures_look_as_they_did(make: Callable[..., Kit], state: str, tmp_path: Path) -> None:
    """Half-size against the pictures in golden/, which a person has looked at. To renew one, look at the picture that
    the failure names and copy it there."""
    from PySide6.QtGui import QFont

    try:
        QFont.Tag("tnum")
    except TypeError:
        pytest.skip("PySide6 6.8.0 cannot give figures one width: the lines lie a little differently")
    kit = make(banner=words.banner(True, True))
    kit.show(800, 480, STATES[state])
    kit.now += 1.4
    kit.window.tick()
    kit.bridge.show_frame(frame())
    kit.application.processEvents()
    shown = cv2.resize(kit.grab(), (400, 240), interpolation=cv2.INTER_AREA)
    found = tmp_path / f"{state}.png"
    cv2.imwrite(str(found), shown)
    wanted = cv2.imread(str(GOLDEN / f"{state}.png"))
    assert wanted is not None, f"no golden picture: {found}"
    difference = cv2.absdiff(shown, wanted)
    assert difference.mean() < 0.5, found
    assert (difference.max(axis=2) > 40).mean() < 0.001, found


@pytest.mark.parametrize(
    ("name", "headline"),
    [("Łukasz Ελένη", "Welcome,\nŁukasz Ελένη"), ("山田太郎\U000f0000", "Welcome"), ("Ada \U0010fffd", "Welcome")],
)
def test_a_name_that_no_font_draws_is_left_out(make: Callable[..., Kit], name: str, headline: str) -> None:
    kit = make(name=name)
    kit.show(800, 480, STATES["granted"])
    assert kit.window.screen_state.headline == headline
