"""`kiosk doctor`: checks the camera and its rotation."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.cameras.turned import turned
from kiosk.config import Config
from kiosk.domain.errors import KioskError
from kiosk.domain.face import Image
from kiosk.station import assembly
from kiosk.vision.detector import FaceDetector
from kiosk.vision.models import load

TURNS = (0, 90, 180, 270)
FRAMES = 10
"""Number of frames in which it looks for a face: a camera's first frames may be dark."""


def findings(settings: Config) -> Iterator[tuple[str, str]]:
    """Findings for `kiosk doctor`: (level, message)."""
    try:
        images = _images(settings)
    except KioskError as error:
        yield "bad", str(error)
        return
    if not images:
        yield "ok", f"{settings.camera.kind}: the recording is empty"
        return
    height, width = images[-1].shape[:2]
    yield "ok", f"{settings.camera.kind}: {width} x {height}"
    try:
        turn = way_up(images, load(settings.models, settings.policy).detector)
    except KioskError:
        return  # the check of the models reports it
    if turn is None:
        yield "note", "nobody is before it: stand there and run this again to see whether it hangs turned"
    elif turn:
        rotate = (settings.camera.rotate + turn) % 360
        yield "bad", f"its pictures are turned: nobody can be recognised; set [camera] rotate = {rotate}"


def way_up(images: list[Image], detector: FaceDetector) -> int | None:
    """Degrees clockwise by which the pictures must be rotated to make a face upright; None if there is no face."""
    for image in reversed(images):
        for degrees in TURNS:
            upright = turned(image, degrees)
            faces = detector.detect(upright)
            if faces and detector.upright(upright, faces[0]):
                return degrees
    return None


def _images(settings: Config) -> list[Image]:
    """The first pictures of the camera. Raises KioskError."""
    camera = assembly.camera(settings.camera)
    images: list[Image] = []
    try:
        camera.open()
        while len(images) < FRAMES:
            images.append(camera.read(3.0).image)
    except EOFError:
        pass
    finally:
        camera.close()
    return images
