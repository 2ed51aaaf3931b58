"""Pictures from files: a picture, a folder of pictures, or a clip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kiosk.domain.errors import SampleError
from kiosk.domain.types import Image

# FFmpeg and OpenCV would write lines of their own on standard error for a damaged clip, where one line of ours says
# what to do. -8 is AV_LOG_QUIET.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"})
CLIPS = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"})
SLACK_SECONDS = 0.1
"""A container may promise a frame or two that an edit list hides; a clip that is cut lacks more."""
FOLDER_RATE = 10.0
"""Pictures a second that a folder is taken for."""


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One picture of a source: its name for people, its place in the source, seconds from the source's begin."""

    name: str
    image: Image
    number: int
    at: float


def decode(content: bytes, name: str) -> Image:
    """H x W x 3 BGR. Raises SampleError for anything that is not a picture."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        raise SampleError(f"{name}: not a readable picture ({error.err})") from error
    if image is None:
        raise SampleError(f"{name}: not a readable picture")
    return np.asarray(image, np.uint8)


def read_picture(path: Path) -> Image:
    """Raises SampleError when the file is missing, unreadable or no picture."""
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise SampleError(f"{path}: cannot be read ({error.strerror})") from error


def is_clip(path: Path) -> bool:
    """Whether the file's name is a clip's."""
    return path.suffix.lower() in CLIPS


def stills(path: Path) -> Iterator[Still]:
    """All pictures of a picture, a folder or a clip, in order. Raises SampleError, for a damaged clip once its last
    readable frame has been given."""
    if path.is_dir():
        yield from _folder(path)
    elif not path.exists():
        raise SampleError(f"{path}: there is no such file or folder")
    elif is_clip(path):
        yield from _clip(path)
    else:
        yield Still(str(path), read_picture(path), 0, 0.0)


def _folder(path: Path) -> Iterator[Still]:
    names = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
    if not names:
        raise SampleError(f"{path}: the folder holds no pictures")
    for number, name in enumerate(names):
        yield Still(str(name), read_picture(name), number, number / FOLDER_RATE)


def _clip(path: Path) -> Iterator[Still]:
    clip = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        rate = clip.get(cv2.CAP_PROP_FPS) if clip.isOpened() else 0.0
        promised = int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) if rate > 0 else 0
        if rate <= 0 or promised <= 0:
            raise SampleError(f"{path}: not a readable clip")
        number = 0
        while True:
            more, image = clip.read()
            if not more:
                break
            yield Still(f"{path}#{number}", np.asarray(image, np.uint8), number, number / rate)
            number += 1
    finally:
        clip.release()
    if number < promised - SLACK_SECONDS * rate:
        raise SampleError(f"{path}: the clip ends at frame {number} of {promised}: it is damaged; record it again")
