"""Looks at a frame for staff mode: the same stages as at the door, with every reason kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from kiosk.domain.attempt import Rules
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Face, Flaw, Frame, Image, Quality
from kiosk.domain.lingering import Lingering
from kiosk.domain.looks import OF_FLAW, OF_HINT, Look, Trouble, head_pose
from kiosk.domain.ports.recognition import Detector, Embedder, PresentationAttackDetector, QualityGate
from kiosk.domain.tracking import Seen, Tracker
from kiosk.vision.alignment import align
from kiosk.vision.frozen import Memory


@dataclass(frozen=True, slots=True)
class Eyes:
    """The stages that a frame goes through. `min_face`: a second face counts from this width of its box on (px).
    `lingering`: faces that never leave, which are left out here too."""

    detector: Detector
    quality: QualityGate
    pad: PresentationAttackDetector
    embedder: Embedder
    min_face: float
    lingering: Lingering = field(default_factory=Lingering)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A look, and the numbers behind it, where they were made: `pad` 0 (attack) to 1, and the gate's quality."""

    look: Look
    quality: Quality | None = None
    pad: float | None = None


class Looker:
    """Looks at the frames of one person, in the pipeline's thread."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._memory = Memory()
        self._tracker = Tracker()
        self._rules = Rules()

    def look(self, frame: Frame) -> Looked:
        """What this frame shows. Raises CameraError when the camera repeats itself, and whatever a stage raises."""
        at = frame.captured_at
        seen = self._memory.take(frame)
        if self._memory.frozen:
            raise CameraError("the camera shows what it has shown before")
        faces = self._eyes.lingering.without(self._eyes.detector.detect(frame.image), at)
        if not faces:
            self._tracker.lost(at)
            return Looked(Look(at, Trouble.NOBODY))
        face = faces[0]
        if sum(f.box.width >= self._eyes.min_face for f in faces) > 1:
            return Looked(Look(at, Trouble.SEVERAL, face.box))
        seen = self._memory.face(face.box) if seen is Seen.NEW else seen
        self._tracker.follow(face, at, seen)
        quality = self._eyes.quality.assess(frame.image, face)
        if quality.flaw is None and not self._eyes.quality.upright(frame.image, face):
            quality = Quality(0.0, Flaw.TURNED_OVER)
        if quality.flaw is not None:
            return Looked(Look(at, OF_FLAW[quality.flaw], face.box, head_pose(face)), quality)
        if seen is not Seen.NEW or not self._followed(at):
            return Looked(Look(at, Trouble.MOVING, face.box, head_pose(face)), quality)
        return self._closely(frame, face, quality)

    def _closely(self, frame: Frame, face: Face, quality: Quality) -> Looked:
        at, pose = frame.captured_at, head_pose(face)
        pad = self._eyes.pad.score(frame.image, face)
        live = pad >= self._eyes.pad.threshold
        made = self._eyes.embedder.embed(frame.image, face)
        if made is None:
            return Looked(Look(at, Trouble.UNNATURAL, face.box, pose, live=live), Quality(0.0, Flaw.UNNATURAL), pad)
        trouble = OF_HINT[made.hints[0]] if made.hints else None
        light = _light(frame.image, face)
        look = Look(at, trouble, face.box, pose, quality.score, live, light, made.vector, made.earlier)
        return Looked(look, quality, pad)

    def _followed(self, at: float) -> bool:
        """Whether the face was followed long enough to notice a driver that shows its buffers in turns, as at the
        door."""
        return self._tracker.frames > self._rules.fresh_frames and at - self._tracker.since >= self._rules.fresh_seconds


def _light(image: Image, face: Face) -> float:
    """The mean luminance of the aligned face's centre, 0..255, as the gate measures it."""
    return float(cv2.cvtColor(align(image, face), cv2.COLOR_BGR2GRAY)[32:104, 24:88].mean())
