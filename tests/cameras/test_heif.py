"""Photographs of telephones are read, and hostile ones give one line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pillow_heif
import pytest

from kiosk.cameras import heif
from kiosk.cameras.sources import decode, read_picture
from kiosk.domain.errors import SampleError

PICTURE = np.zeros((96, 128, 3), np.uint8)
PICTURE[:, :64] = (250, 20, 10)
"""Blue on the left, in BGR."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("heif") / "a.heic"
    pillow_heif.from_bytes("RGB", (128, 96), PICTURE[:, :, ::-1].tobytes()).save(file, quality=95)
    return file.read_bytes()


@pytest.mark.parametrize("name", ["photo.heic", "photo.HEIC", "photo.jpg"])
def test_it_is_read_whatever_its_name(content: bytes, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    image = read_picture(tmp_path / name)
    assert image.shape == PICTURE.shape
    assert np.abs(image.astype(int) - PICTURE).mean() < 8


def test_too_many_pixels_are_refused_before_they_are_decoded(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "MAX_PIXELS", 1000)
    monkeypatch.setattr(np, "asarray", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SampleError, match="megapixels"):
        heif.decode_heif(content, "photo.heic")


def test_damaged_files_give_one_line_or_a_picture(content: bytes) -> None:
    chance = random.Random(20261129)
    refused: list[str] = []
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        piece = bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        try:
            assert decode(piece, "photo.heic").shape[2] == 3
        except SampleError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert not any("\n" in line for line in refused)
