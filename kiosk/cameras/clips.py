"""Clips: every frame that the decoder gives, each with its own time.

What a container tells of its number of frames is an estimate (WebM, Matroska and transport streams have none) and says
nothing about damage. A clip is damaged where its file ends before its own first bytes say that it does.
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

# FFmpeg and OpenCV would write lines of their own on standard error for a damaged clip, where one line of ours says
# what to do. -8 is AV_LOG_QUIET.
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
"""Frames a second of a clip that does not tell it: a bare stream of a camera."""

_CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPTIONS = {
    # Only the file itself: a playlist or a list of pictures would name others, and addresses.
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,h264,hevc,m4v,mpegvideo,ogg,flv",
    # While the file is opened nothing else is decoded: a PNG in a film would be, whatever its size.
    "codec_whitelist": "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg2video,mpeg1video",
}
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"})
_MOST_PARTS = 100_000


def frames(path: Path) -> Iterator[tuple[Image, float]]:
    """Each frame (H x W x 3, BGR) with the seconds since the first. Raises SampleError, for a damaged clip once its
    last readable frame has been given."""
    with opened(path) as file, _capture(file, path) as clip:
        told = clip.get(cv2.CAP_PROP_FPS)
        pause = 1 / (told if 1 <= told <= 1000 else USUAL_RATE)
        at, number = 0.0, 0
        while True:
            more, image = clip.read()
            if not more:
                break
            stamp = clip.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # A bare stream has no time stamps, and a broken one falls back.
            at = 0.0 if number == 0 else stamp if stamp > at else at + pause
            yield np.asarray(image, np.uint8), at
            number += 1
        if is_cut(file):
            raise SampleError(f"{path}: the clip ends in the middle, at frame {number}: it is damaged; record it again")
        if number == 0:
            raise SampleError(f"{path}: its codec ({_codec(clip)}) cannot be decoded here: convert it to H.264")


@contextmanager
def _capture(file: int, path: Path) -> Iterator[cv2.VideoCapture]:
    """By its descriptor: a name with a colon would be an address, and one that is no UTF-8 is none for OpenCV."""
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
    """Why it may be none."""
    if is_cut(file):
        return ": it ends in the middle; record it again"
    empty = os.fstat(file).st_size < 12
    return "" if empty else ": its format or codec is not known here; convert it to MP4 with H.264"


def _codec(clip: cv2.VideoCapture) -> str:
    code = (int(clip.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
    name = code.decode("ascii", "replace").strip("\0 ")
    return "AV1" if name.upper() == "AV01" else name or "unknown"


def is_cut(file: int) -> bool:
    """Whether an MP4, AVI or Matroska file is shorter than its own parts say. False for formats that do not say it."""
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
    """Bytes of a box (ISO/IEC 14496-12, 4.2); None for one that reaches to the end, or is none."""
    if not head[4:8].isalnum() and head[4:8] not in {b"\xa9xyz", b"\xa9day"}:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return length if length >= 8 else None


def _riff_part(head: bytes) -> int | None:
    """Bytes of a RIFF chunk, padded; None for one that was never finished, or is none."""
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + length % 2 if head[:4] == b"RIFF" and length not in {0, 0xFFFFFFFF} else None


def _cut_matroska(begin: bytes, size: int) -> bool:
    """By the length of the one segment (RFC 8794, 4); a stream's is unknown, all bits set."""
    head, at = _vint(begin, 4)
    segment = at + head if head is not None else len(begin)
    if begin[segment : segment + 4] != b"\x18\x53\x80\x67":
        return False
    length, at = _vint(begin, segment + 4)
    return length is not None and at + length > size


def _vint(content: bytes, at: int) -> tuple[int | None, int]:
    """A number of variable length and where it ends; None for the unknown one, and where there is none."""
    if at >= len(content) or content[at] == 0:
        return None, at
    width = 9 - content[at].bit_length()
    value = int.from_bytes(content[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width
