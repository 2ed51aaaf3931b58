"""Clips: every frame with its own time; a clip shorter than its headers say is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.cameras import clips
from kiosk.cameras.clips import frames, is_cut
from kiosk.domain.errors import SampleError
from tests.cameras.memory import peak_of

COUNT = 30
RATE = 15.0
UNKNOWN = b"\x01" + b"\xff" * 7
"""The length of a Matroska segment that was streamed."""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A clip of COUNT grey frames that get lighter."""

    def write(name: str, size: tuple[int, int] = (64, 48)) -> Path:
        path = tmp_path / name
        codec = "MJPG" if path.suffix == ".avi" else "mp4v"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), RATE, size)
        assert writer.isOpened()
        for number in range(COUNT):
            writer.write(np.full((size[1], size[0], 3), 8 * number, np.uint8))
        writer.release()
        return path

    return write


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def cut_at(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY)
    try:
        return is_cut(file)
    finally:
        os.close(file)


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_every_frame_comes_with_its_time(make: Make, name: str) -> None:
    times = [at for _, at in frames(make(name))]
    assert times == pytest.approx([n / RATE for n in range(COUNT)], abs=0.002)


def test_a_gap_in_a_clip_keeps_its_duration(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable rate: the times are the frames' own, not number by rate; what falls back or is missing is spread."""
    stamps = iter([5000.0, 5066.7, 5000.0, 6000.0, 0.0])

    class Clip:
        def get(self, what: int) -> float:
            return next(stamps) if what == cv2.CAP_PROP_POS_MSEC else RATE

        def read(self) -> tuple[bool, np.ndarray | None]:
            left.append(0)
            return (True, np.zeros((4, 4, 3), np.uint8)) if len(left) <= 5 else (False, None)

        def isOpened(self) -> bool:
            return True

        def release(self) -> None:
            pass

    left: list[int] = []
    path = make("a.ts")
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Clip())
    times = [at for _, at in frames(path)]
    assert times == pytest.approx([0.0, 5.0667, 5.0667 + 1 / RATE, 6.0, 6.0 + 1 / RATE], abs=1e-3)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.mp4"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_truncated_clip_is_reported_as_damaged(make: Make, name: str, share: float) -> None:
    whole = make(name)
    assert not cut_at(whole)
    with pytest.raises(SampleError, match=r"ends in the middle|not a readable clip"):
        list(frames(cut(whole, share)))


def test_a_stream_without_a_length_is_whole(make: Make) -> None:
    path = make("a.mkv")
    content = path.read_bytes()
    segment = content.index(b"\x18\x53\x80\x67") + 4
    path.write_bytes(content[:segment] + UNKNOWN + content[segment + 8 :])
    assert not cut_at(path)
    assert len(list(frames(path))) == COUNT


@pytest.mark.parametrize(
    "name", ["visit-10:30.mp4", "file:a.mp4", "-a.mp4", "a%03d.mp4", "a b\n.mp4", "Bj\udcf6rk.mp4", "è.mov"]
)
def test_a_file_name_is_never_opened_as_a_network_address(
    make: Make, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name), Path(name)):
        assert len(list(frames(path))) == COUNT


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"nothing",
        b"",
    ],
)
def test_a_list_of_other_files_is_no_clip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SampleError, match="not a readable clip"):
        list(frames(path))


def test_a_frame_of_too_many_pixels_is_refused_before_it_is_decoded(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(SampleError, match="megapixels"):
        list(frames(make("a.mkv")))


def test_a_picture_inside_a_clip_is_not_decoded_when_the_clip_is_opened(make: Make, tmp_path: Path) -> None:
    """FFmpeg decodes the first frame of a codec whose container does not tell all, whatever its size."""
    side = 9000
    path = tmp_path / "bomb.mov"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"png "), RATE, (side, side))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no PNG films")
    writer.write(np.zeros((side, side, 3), np.uint8))
    writer.release()
    said, peak = peak_of(path)
    assert "more than 64 megapixels" in said
    assert peak < 200


def test_other_options_of_opencv_stay_as_they_were(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    assert len(list(frames(make("a.mp4")))) == COUNT
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "rtsp_transport;tcp"
