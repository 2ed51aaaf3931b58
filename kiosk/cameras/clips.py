"""Reads clips: every frame that the decoder gives, each with its own time.

A container's number of frames is only an estimate (WebM, Matroska and transport streams have none) and does not reveal
damage. A clip counts as damaged if its file is shorter than its own headers say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from kiosk.cameras.files import MAX_PIXELS, opened, too_many_pixels
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Image

# For a damaged clip FFmpeg and OpenCV would write their own lines on standard error. One line of ours says what to do.
# -8 is AV_LOG_QUIET.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

CLIPS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".3gp",
        ".avi",
        ".mkv",
        ".webm",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".mpeg",
        ".h264",
        ".264",
        ".h265",
        ".hevc",
        ".ogv",
        ".flv",
    }
)
USUAL_RATE = 25.0
"""Frames a second, assumed for a clip that does not state its rate: a bare stream of a camera."""

_CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPTIONS = {
    # Opens only the file itself: a playlist or a list of pictures could name other files and network addresses.
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,h264,hevc,m4v,mpegvideo,ogg,flv",
    # Allows only these decoders while the file is opened. Otherwise a PNG in a film would be decoded, whatever its
    # size.
    "codec_whitelist": "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg2video,mpeg1video",
}
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"})
_MOST_PARTS = 100_000


def frames(path: Path) -> Iterator[tuple[Image, float]]:
    """Yields each frame (H x W x 3, BGR) with the seconds since the first frame. Raises SampleError; for a damaged clip
    it does so after the last readable frame."""
    with opened(path) as file, _capture(file, path) as clip:
        told = clip.get(cv2.CAP_PROP_FPS)
        pause = 1 / (told if 1 <= told <= 1000 else USUAL_RATE)
        at, number = 0.0, 0
        while True:
            more, image = clip.read()
            if not more:
                break
            stamp = clip.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # A bare stream has no time stamps, and those of a broken clip may go backwards.
            at = 0.0 if number == 0 else stamp if stamp > at else at + pause
            yield np.asarray(image, np.uint8), at
            number += 1
        if is_cut(file):
            raise SampleError(f"{path}: the clip ends in the middle, at frame {number}: it is damaged; record it again")
        if number == 0:
            raise SampleError(f"{path}: its codec ({_codec(clip)}) cannot be decoded here: convert it to H.264")


@contextmanager
def _capture(file: int, path: Path) -> Iterator[cv2.VideoCapture]:
    """Opens the clip by its descriptor: FFmpeg would take a name with a colon for an address, and OpenCV cannot use a
    name that is not UTF-8."""
    before = os.environ.get(_CAPTURE_OPTIONS)
    os.environ[_CAPTURE_OPTIONS] = "|".join(f"{key};{value}" for key, value in _OPTIONS.items())
    try:
        clip = cv2.VideoCapture(f"/proc/self/fd/{file}", cv2.CAP_FFMPEG)
    finally:
        if before is None:
            del os.environ[_CAPTURE_OPTIONS]
        else:
            os.environ[_CAPTURE_OPTIONS] = before
    try:
        if not clip.isOpened():
            raise SampleError(f"{path}: not a readable clip{_cut_or_foreign(file)}")
        if clip.get(cv2.CAP_PROP_FRAME_WIDTH) * clip.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
            raise too_many_pixels(str(path))
        yield clip
    finally:
        clip.release()


def _cut_or_foreign(file: int) -> str:
    """Why the file is not a readable clip: the end of an error message."""
    if is_cut(file):
        return ": it ends in the middle; record it again"
    empty = os.fstat(file).st_size < 12
    return "" if empty else ": its format or codec is not known here; convert it to MP4 with H.264"


def _codec(clip: cv2.VideoCapture) -> str:
    code = (int(clip.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
    name = code.decode("ascii", "replace").strip("\0 ")
    return "AV1" if name.upper() == "AV01" else name or "unknown"


def is_cut(file: int) -> bool:
    """Whether an MP4, AVI or Matroska file is shorter than its own headers say. False for formats without lengths."""
    size = os.fstat(file).st_size
    begin = os.pread(file, 64, 0)
    if begin[4:8] in _MP4_FIRST:
        return _cut_parts(file, size, _mp4_part)
    if begin[:4] == b"RIFF":
        return _cut_parts(file, size, _riff_part)
    if begin[:4] == b"\x1a\x45\xdf\xa3":
        return _cut_matroska(begin, size)
    return False


def _cut_parts(file: int, size: int, length_of: Callable[[bytes], int | None]) -> bool:
    at = 0
    for _ in range(_MOST_PARTS):
        if at + 8 > size:
            return False
        length = length_of(os.pread(file, 16, at))
        if length is None:
            return False
        if at + length > size:
            return True
        at += length
    return False


def _mp4_part(head: bytes) -> int | None:
    """Length of a box in bytes (ISO/IEC 14496-12, 4.2). None if it extends to the end of the file, or is no box."""
    if not head[4:8].isalnum() and head[4:8] not in {b"\xa9xyz", b"\xa9day"}:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return length if length >= 8 else None


def _riff_part(head: bytes) -> int | None:
    """Length of a RIFF chunk in bytes, with padding. None if its length was never written, or it is no chunk."""
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + length % 2 if head[:4] == b"RIFF" and length not in {0, 0xFFFFFFFF} else None


def _cut_matroska(begin: bytes, size: int) -> bool:
    """Compares the size with the length of the only segment (RFC 8794, 4). A stream has the length "unknown" (all bits
    set) and does not count as cut."""
    head, at = _vint(begin, 4)
    segment = at + head if head is not None else len(begin)
    if begin[segment : segment + 4] != b"\x18\x53\x80\x67":
        return False
    length, at = _vint(begin, segment + 4)
    return length is not None and at + length > size


def _vint(content: bytes, at: int) -> tuple[int | None, int]:
    """A number of variable length, and the position after it. None for the value "unknown", and if there is no
    number."""
    if at >= len(content) or content[at] == 0:
        return None, at
    width = 9 - content[at].bit_length()
    value = int.from_bytes(content[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width
