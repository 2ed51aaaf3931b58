"""`kiosk doctor`: checks the camera and its rotation."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.cameras.turned import turned
from kiosk.cli.doctor_check import Finding, Patient, ok, problem, unknown
from kiosk.config import Config
from kiosk.domain.errors import KioskError
from kiosk.domain.face import Image
from kiosk.station import assembly
from kiosk.vision.detector import FaceDetector
from kiosk.vision.models import load

TURNS = (0, 90, 180, 270)
FRAMES = 10
"""Number of frames in which it looks for a face: a camera's first frames may be dark."""
ENOUGH = 10.0
"""Frames a second with which an attempt is over within half a second (three of five frames)."""
STOPPED = "sudo systemctl stop kiosk; sudo kiosk doctor; sudo systemctl start kiosk"


def findings(patient: Patient) -> Iterator[Finding]:
    """Whether the camera gives pictures, how many a second, and which way up. A running kiosk has it for itself."""
    settings = patient.settings
    try:
        images, rate = _seen(settings)
    except KioskError as error:
        if patient.unit("kiosk.service").get("ActiveState") == "active":
            yield unknown(f"{settings.camera.kind}: kiosk.service has it ({error})", STOPPED)
        else:
            yield problem(f"{settings.camera.kind}: {error}")
        return
    if not images:
        yield ok(f"{settings.camera.kind}: the recording is empty")
        return
    height, width = images[-1].shape[:2]
    said = f"{settings.camera.kind}: {width} x {height}"
    if rate is None:
        yield ok(said)
    elif rate < settings.attempt.needed / settings.attempt.seconds:
        yield problem(f"{said}, {rate:.1f} frames a second: too few for an attempt", "more light, or set [camera] fps")
    elif rate < ENOUGH:
        yield ok(f"{said}, {rate:.1f} frames a second", f"more light or another [camera] fps: {ENOUGH:g} are good")
    else:
        yield ok(f"{said}, {rate:.1f} frames a second")
    yield from _turn(settings, images)


def _turn(settings: Config, images: list[Image]) -> Iterator[Finding]:
    try:
        turn = way_up(images, load(settings.models, settings.policy).detector)
    except KioskError:
        return  # the check of the models reports it
    if turn is None:
        yield unknown("whether it hangs turned: nobody is before it", "stand before it, and kiosk doctor")
    elif turn:
        rotate = (settings.camera.rotate + turn) % 360
        yield problem("its pictures are turned: nobody can be recognised", f"set [camera] rotate = {rotate}")


def way_up(images: list[Image], detector: FaceDetector) -> int | None:
    """Degrees clockwise by which the pictures must be rotated to make a face upright; None if there is no face."""
    for image in reversed(images):
        for degrees in TURNS:
            upright = turned(image, degrees)
            faces = detector.detect(upright)
            if faces and detector.upright(upright, faces[0]):
                return degrees
    return None


def _seen(settings: Config) -> tuple[list[Image], float | None]:
    """The first pictures of the camera, and how many a second it gives; None for a recording, or too few of them.
    Raises KioskError."""
    camera = assembly.camera(settings.camera)
    images: list[Image] = []
    times: list[float] = []
    try:
        camera.open()
        while len(images) < FRAMES:
            frame = camera.read(3.0)
            images.append(frame.image)
            times.append(frame.captured_at)
    except EOFError:
        pass
    finally:
        camera.close()
    spent = times[-1] - times[0] if times else 0.0
    live = settings.camera.kind != "replay" and spent > 0
    return images, (len(times) - 1) / spent if live else None
