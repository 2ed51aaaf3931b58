"""`kiosk setup`: which camera there is, and a look through it: light, sharpness, distance, latency, which way up."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from kiosk.cli.doctor_camera import way_up
from kiosk.cli.setup_answers import Root, Tables
from kiosk.cli.setup_ask import Questions
from kiosk.domain.errors import KioskError
from kiosk.domain.face import Face, Frame, Image
from kiosk.sections import CameraConfig, ModelsConfig
from kiosk.station import assembly
from kiosk.system.clock import boottime
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import DetectorEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.quality import Bounds, centre, sharpness

FRAMES = 60
"""Frames of one look: four seconds at 15 a second."""
EACH = 6
"""A line is shown for every so many frames."""
VIEW = math.radians(60)
"""Horizontal angle of view that is assumed for the distance: most webcams and camera modules have 55 to 70 degrees."""
FACE_M = 0.15
"""Width of a face in metres, as the detector's box has it: about the breadth of a head (ISO 7250-1, P50 0.15 m)."""
BAR = 12


@dataclass(frozen=True, slots=True)
class Sight:
    """What one frame shows. `light`: mean grey of the picture, or of the face if there is one, 0..255. `sharp`:
    variance of the Laplacian of the aligned face. `metres`: about. `late`: seconds from the
    exposure until it was looked at."""

    light: float
    sharp: float | None
    metres: float | None
    late: float

    def line(self) -> str:
        """For people, with bars."""
        bounds = Bounds()
        light = "too dark" if self.light < bounds.darkest else "too bright" if self.light > bounds.brightest else "good"
        parts = [f"light {_bar(self.light / 255)} {light}"]
        if self.sharp is None or self.metres is None:
            parts.append("nobody is there")
        else:
            sharp = "blurred" if self.sharp < bounds.min_sharpness else "good"
            parts += [f"sharp {_bar(self.sharp / (8 * bounds.min_sharpness))} {sharp}", f"about {self.metres:.1f} m"]
        return "   ".join([*parts, f"{1000 * self.late:.0f} ms"])


def sight(frame: Frame, faces: list[Face], now: float) -> Sight:
    """What a frame shows. `now`: seconds of CLOCK_BOOTTIME."""
    late = max(0.0, now - frame.captured_at)
    if not faces:
        return Sight(float(frame.image.mean()), None, None, late)
    face = max(faces, key=lambda each: each.box.width)
    grey = centre(frame.image, face)
    focal = frame.image.shape[1] / 2 / math.tan(VIEW / 2)
    return Sight(float(grey.mean()), sharpness(grey), focal * FACE_M / max(face.box.width, 1.0), late)


def ask(questions: Questions, root: Root) -> Tables:
    """The keys of [camera]. Raises ConfigError."""
    kinds = {
        "usb": "a USB camera, or whatever is a /dev/video",
        "picamera2": "the camera of a Raspberry Pi",
        "gstreamer": "a pipeline, for example a Jetson's camera",
        "simulated": "none yet: the demonstration's visitors (never before a real lock)",
    }
    kind = questions.choose("Which camera", kinds)
    keys: Tables = {"kind": kind}
    if kind == "usb":
        found = [str(path) for path in sorted(Path("/dev/v4l/by-id").glob("*-index0"))] or ["/dev/video0"]
        questions.tell(*(f"  {path}" for path in found))
        keys["device"] = questions.text("Its device", found[0])
    if kind == "gstreamer":
        keys["pipeline"] = questions.text("Its pipeline (deploy/kiosk.toml has examples)", "")
    if kind == "simulated":
        return {**keys, "loop": True}
    mains = questions.choose("Mains, by which lamps flicker", {"50": "Hz, most countries", "60": "Hz, the Americas"})
    keys["flicker"] = int(mains)
    while True:
        try:
            turn = _look(CameraConfig.model_validate(keys), questions)
        except KioskError as error:
            questions.tell(str(error))
            turn = None
        if turn:
            rotate = keys.get("rotate", 0)
            keys["rotate"] = ((rotate if isinstance(rotate, int) else 0) + turn) % 360
            questions.tell(f"the pictures are turned by {turn} degrees now")
        elif questions.yes("Go on with this camera (no: look again)", True):
            return keys


def lent(root: Root) -> Path:
    """Where pictures lie for a moment: in memory, also in a trial."""
    if not root.trial:
        return Path("/run/kiosk-setup-camera")
    return Path("/dev/shm") / f"kiosk-setup-camera-{os.getuid()}"  # noqa: S108 - made anew with 0700, or refused


def photographs(camera: CameraConfig, folder: Path, questions: Questions) -> Path:
    """Some seconds of the camera as pictures in `folder`, which must lie in memory and is made anew: whoever asked for
    them removes it as soon as they are read. Raises KioskError, OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    questions.tell("Look at the camera; turn your head a little, left and right, up and down.")
    for number, frame in enumerate(_frames(camera)):
        if number % EACH == 0:
            cv2.imwrite(str(folder / f"{number}.png"), frame.image)
    return folder


def _look(camera: CameraConfig, questions: Questions) -> int | None:
    """Shows some seconds of the camera; the degrees by which the pictures must be turned; None where nobody was seen.
    Raises KioskError."""
    detector = _detector()
    questions.tell("Stand before the camera, where people will stand.")
    images: list[Image] = []
    for number, frame in enumerate(_frames(camera)):
        if number % EACH == 0:
            questions.tell(sight(frame, detector.detect(frame.image), boottime()).line())
            images.append(frame.image)
    return way_up(images, detector)


def _frames(config: CameraConfig) -> Iterator[Frame]:
    camera = assembly.camera(config)
    try:
        camera.open()
        for _ in range(FRAMES):
            yield camera.read(3.0)
    except EOFError:
        return
    finally:
        camera.close()


def _detector() -> FaceDetector:
    models = ModelsConfig()
    manifest = Manifest(default_folder())
    return FaceDetector.load(manifest, manifest.entry(models.detector, DetectorEntry), models.threads)


def _bar(share: float) -> str:
    full = round(BAR * min(max(share, 0.0), 1.0))
    return "█" * full + "░" * (BAR - full)
