"""A camera of scripted faces for the booth: each frame says who is there, how they look, and what PAD says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from kiosk.domain.decision import Comparison
from kiosk.domain.face import Box, Face, Flaw, Frame, Hint, Image, Quality, Vector
from kiosk.domain.looks import Pose
from kiosk.domain.people import Embedding
from kiosk.station.booth import Booth
from kiosk.station.looking import Eyes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FPS = 15.0
TURN = {
    Pose.STRAIGHT: (0.0, 0.57),
    Pose.LEFT: (0.3, 0.57),
    Pose.RIGHT: (-0.3, 0.57),
    Pose.UP: (0.0, 0.53),
    Pose.DOWN: (0.0, 0.61),
}


def face(pose: Pose = Pose.STRAIGHT, x: float = 250.0, width: float = 140.0) -> Face:
    yaw, pitch = TURN[pose]
    eyes, left, top = 0.4 * width, x + 0.3 * width, 180 + 0.4 * width
    across = 0.42 * width
    nose = (left + eyes / 2 + yaw * eyes / 2, top + pitch * across)
    marks = ((left, top), (left + eyes, top), nose, (left + 4, top + across), (left + eyes - 4, top + across))
    return Face(Box(x, 180, width, width * 1.2), marks, 0.9)


def vector(who: int) -> Vector:
    """Of a person; those of two people have nothing in common."""
    made = np.zeros(128, np.float32)
    made[4 * who : 4 * who + 4] = 60
    return made


def same(a: Vector, b: Vector) -> bool:
    return bool(a @ b > 0)


@dataclass
class Stages:
    """All stages in one, doing as told for the next frame."""

    faces: list[Face] = field(default_factory=lambda: [face()])
    who: int | None = 0
    live: bool = True
    flaw: Flaw | None = None
    hints: tuple[Hint, ...] = ()
    stands: bool = True
    broken: str = ""
    threshold: float = 0.5
    model_id: str = "m"
    embedded: int = 0

    def _work(self, name: str) -> None:
        if self.broken == name:
            raise RuntimeError(f"{name} is broken")

    def detect(self, image: Image) -> list[Face]:
        self._work("detect")
        return self.faces

    def assess(self, image: Image, face: Face) -> Quality:
        self._work("quality")
        return Quality(0.8) if self.flaw is None else Quality(0.0, self.flaw)

    def upright(self, image: Image, face: Face) -> bool:
        return self.stands

    def score(self, image: Image, face: Face) -> float:
        self._work("pad")
        return 0.9 if self.live else 0.1

    def embed(self, image: Image, face: Face) -> Embedding | None:
        self._work("embed")
        self.embedded += 1
        return None if self.who is None else Embedding(vector(self.who), self.hints)


class Camera:
    """Frames for a booth, 15 a second by its own clock."""

    def __init__(self) -> None:
        self.stages = Stages()
        self.at = 100.0
        self.number = 0
        self.door: list[int] = []
        """Numbers of the frames that went to the door."""
        self._noise = np.random.default_rng(7)
        s = self.stages
        self.booth = Booth(Eyes(s, s, s, s, 80), self.search, same, lambda: self.at)

    def search(self, probe: Vector) -> Comparison:
        """The door's search, in which person 3 is enrolled."""
        return Comparison("cleo", 0.8 if same(probe, vector(3)) else 0.2, 0.5, "m")

    def frame(self) -> Frame:
        self.number += 1
        self.at += 1 / FPS
        image = np.frombuffer(self._noise.bytes(480 * 640 * 3), np.uint8).reshape(480, 640, 3)
        return Frame(image, self.number, self.at, NOON + timedelta(seconds=self.at))

    def shows(self, frames: int, pose: Pose = Pose.STRAIGHT, renew: bool = True) -> None:
        """So many frames of one person in this pose."""
        self.stages.faces = [face(pose)]
        self.run(frames, renew)

    def empty(self, frames: int) -> None:
        """So many frames without anybody."""
        self.stages.faces = []
        self.run(frames)

    def run(self, frames: int, renew: bool = True) -> None:
        """So many frames of whatever is set."""
        for _ in range(frames):
            frame = self.frame()
            if not self.booth.take(frame):
                self.door.append(frame.number)
            if renew:
                self.booth.renew()

    def all_poses(self) -> None:
        """Somebody does everything that they are told."""
        self.shows(8)
        for pose in Pose:
            self.shows(7, pose)
