"""Pictures from files: a picture, a folder of pictures, or a clip. Sizes are checked before anything is decoded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kiosk.cameras import clips
from kiosk.cameras.clips import CLIPS
from kiosk.cameras.files import opened, stat_of, too_many_pixels
from kiosk.cameras.heif import decode_heif
from kiosk.domain.errors import SampleError, os_trouble
from kiosk.domain.face import Image

PICTURES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".gif",
        ".avif",
        ".jp2",
        ".heic",
        ".heif",
        ".hif",
    }
)
UNREADABLE = frozenset(
    {
        ".jxl",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".raf",
        ".orf",
        ".rw2",
        ".psd",
    }
)
"""Pictures that nothing here reads. One in a folder is an error and not skipped, because somebody meant to use it."""
LARGEST = 64 * 1024 * 1024
"""Largest file of a picture, in bytes."""
FOLDER_RATE = 10.0
"""Pictures a second assumed for a folder."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One picture of a source: its name for messages, its number in the source, and its time in seconds from the start
    of the source."""

    name: str
    image: Image
    number: int
    at: float


def decode(content: bytes, name: str) -> Image:
    """Decodes a picture: H x W x 3, BGR. Raises SampleError for anything that is not a picture, and for more than 64
    megapixels: OpenCV reads the header and refuses (OPENCV_IO_MAX_IMAGE_PIXELS, set in kiosk/__init__.py)."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in error.err:
            raise too_many_pixels(name) from error
        raise SampleError(f"{name}: not a readable picture ({error.err})") from error
    if image is None:
        if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
            return decode_heif(content, name)
        raise SampleError(f"{name}: not a readable picture")
    return np.asarray(image, np.uint8)


def read_picture(path: Path) -> Image:
    """Raises SampleError when the file is missing, unreadable, too large or no picture."""
    if path.suffix.lower() in UNREADABLE:
        stat_of(path)
        raise _unreadable(str(path), path.suffix[1:].upper())
    with opened(path) as file:
        size = os.fstat(file).st_size
        if size > LARGEST:
            raise SampleError(f"{path}: {size >> 20} MiB are too much for a picture: at most {LARGEST >> 20}")
        try:
            with os.fdopen(os.dup(file), "rb") as content:
                return decode(content.read(LARGEST), str(path))
        except OSError as error:
            raise SampleError(f"{path}: {os_trouble(error)}") from error


def is_clip(path: Path) -> bool:
    """Whether the file's name has the suffix of a clip."""
    return path.suffix.lower() in CLIPS


def stills(path: Path) -> Iterator[Still]:
    """Yields the pictures of a picture file, a folder or a clip, in order. Raises SampleError; for a damaged clip it
    does so after the last readable frame. A picture of a folder that nothing here reads raises it before the first."""
    if is_clip(path):
        for number, (image, at) in enumerate(clips.frames(path)):
            yield Still(f"{path}#{number}", image, number, at)
        return
    pictures = pictures_of(path)
    for picture in pictures:
        if picture.suffix.lower() in UNREADABLE:
            raise _unreadable(str(picture), picture.suffix[1:].upper())
    for number, picture in enumerate(pictures):
        yield Still(str(picture), read_picture(picture), number, number / FOLDER_RATE)


def pictures_of(path: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names; of a picture itself alone. Not looked into yet. Skips
    hidden files (`._x.jpg` of macOS, `.trashed-x.jpg`) and files whose name is not a picture's. Raises SampleError for
    a folder without pictures, or with something in it that is named like one and is no file."""
    if not stat.S_ISDIR(stat_of(path).st_mode):
        return [path]
    try:
        entries = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise SampleError(os_trouble(error)) from error
    pictures = [p for p in entries if p.suffix.lower() in PICTURES | UNREADABLE]
    for picture in pictures:
        if not stat.S_ISREG(stat_of(picture).st_mode):
            raise SampleError(f"{picture}: this is no file: move it out of the folder")
    if not pictures:
        clip = next((p for p in entries if is_clip(p)), None)
        known = f" ({', '.join(sorted(PICTURES))}); folders in it are not looked into"
        hint = f"; name a clip itself: {clip}" if clip else known
        raise SampleError(f"{path}: the folder holds no pictures{hint}")
    return pictures


def _unreadable(name: str, form: str) -> SampleError:
    return SampleError(f"{name}: {form} pictures cannot be read here: convert it to JPEG or PNG")
