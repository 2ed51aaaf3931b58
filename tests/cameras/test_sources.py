"""Pictures and folders: sizes are checked before decoding, hidden files are skipped, every other unreadable file is
named."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.cameras.sources import LARGEST, read_picture, stills
from kiosk.domain.errors import SampleError
from tests.cameras.memory import peak_of

PICTURE = np.full((48, 64, 3), 90, np.uint8)


def png_of(width: int, height: int) -> bytes:
    """A black PNG of one bit a pixel: a few kB, whatever its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header tells another size."""
    content = bytearray(cv2.imencode(".jpg", PICTURE)[1].tobytes())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("content", [png_of(15_000, 15_000), jpeg_of(15_000, 15_000)], ids=["png", "jpeg"])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(content: bytes, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(content)
    said, peak = peak_of(bomb)
    assert "bomb.png: more than 64 megapixels" in said
    assert peak < 200


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(SampleError, match="too much for a picture"):
        read_picture(large)


@pytest.mark.parametrize("suffix", [".jpg", ".jfif", ".jpe", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
def test_pictures_of_many_names_are_used(tmp_path: Path, suffix: str) -> None:
    encoder = {".jfif": ".jpg", ".jpe": ".jpg"}.get(suffix, suffix)
    (tmp_path / f"a{suffix}").write_bytes(cv2.imencode(encoder, PICTURE)[1].tobytes())
    (still,) = stills(tmp_path)
    assert still.image.shape == PICTURE.shape


def test_hidden_files_and_other_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    for name in ("._1.jpg", ".trashed-2.jpg", "notes.txt", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "1.png"), PICTURE)
    (still,) = stills(tmp_path)
    assert still.name.endswith("1.png")


@pytest.mark.parametrize("name", ["2.jxl", "2.DNG", "2.dng"])
def test_a_picture_that_cannot_be_read_is_named_before_the_first_is_used(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), PICTURE)
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic")
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(SampleError, match=f"{name}.*convert it"):
            next(stills(source))


@pytest.mark.parametrize("name", ["x.jpg", "x.mp4", "x.jxl"])
def test_a_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SampleError, match=r"no file|cannot be read"):
        next(stills(tmp_path / name))
    cv2.imwrite(str(tmp_path / "1.png"), PICTURE)
    if name != "x.mp4":
        with pytest.raises(SampleError, match=name):
            next(stills(tmp_path))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/proc/self/mem"])
def test_devices_are_no_pictures(path: str) -> None:
    with pytest.raises(SampleError):
        next(stills(Path(path)))


@pytest.mark.parametrize("suffix", [".jpg", ".mp4"])
def test_impossible_file_names_give_one_line(tmp_path: Path, suffix: str) -> None:
    for name in ("x" * 300 + suffix, f"gone{suffix}", f"Bj\udcf6rk{suffix}"):
        with pytest.raises(SampleError) as error:
            next(stills(tmp_path / name))
        assert "\n" not in str(error.value)


def test_an_unreadable_folder_gives_one_line(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    cv2.imwrite(str(closed / "1.png"), PICTURE)
    closed.chmod(0)
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        for folder in tmp_path.parents:
            if str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        os.seteuid(65534)
    try:
        for source in (closed, closed / "1.png", closed / "clip.mp4"):
            with pytest.raises(SampleError, match="sudo -u kiosk"):
                next(stills(source))
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        closed.chmod(0o700)


def test_a_folder_of_clips_says_how_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(SampleError, match=r"no pictures; name a clip itself: .*a\.mp4"):
        next(stills(tmp_path))
