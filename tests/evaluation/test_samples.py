from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.evaluation.samples import open_samples, pictures, read_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in ("a/deep/one.png", "two.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.full((4, 6, 3), 90, np.uint8))
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.fixture
def archive(folder: Path) -> Path:
    path = folder.parent / "set.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname=".")
    return path


def test_pictures_of_a_folder_are_found_at_any_depth(folder: Path) -> None:
    with open_samples(folder) as samples:
        assert pictures(samples) == ["a/deep/one.png", "two.jpg"]
        assert read_image(samples, "a/deep/one.png").shape == (4, 6, 3)
        assert samples.read("notes.txt") == b"no picture"


def test_pictures_of_a_tar_are_read(archive: Path) -> None:
    with open_samples(archive) as samples:
        assert sorted(pictures(samples)) == ["./a/deep/one.png", "./two.jpg"]
        assert read_image(samples, "./two.jpg").shape == (4, 6, 3)


def test_a_truncated_tar_is_reported_as_damaged(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        last = [m for m in tar.getmembers() if m.isfile()][-1]
    archive.write_bytes(archive.read_bytes()[: last.offset_data + last.size // 2])
    with pytest.raises(SampleError, match=r"set\.tar: the archive is damaged"), open_samples(archive):
        pass


@pytest.mark.parametrize("name", ["nowhere", "set/notes.txt"])
def test_a_file_that_is_no_tar_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(SampleError, match="folder"), open_samples(folder.parent / name):
        pass


def test_a_missing_file_of_a_set_is_an_error(folder: Path, archive: Path) -> None:
    for root in (folder, archive):
        with open_samples(root) as samples, pytest.raises(SampleError, match=r"gone\.png"):
            samples.read("gone.png")


def test_a_file_of_a_set_that_is_no_picture_is_an_error(folder: Path) -> None:
    with open_samples(folder) as samples, pytest.raises(SampleError, match=r"notes\.txt: not a readable picture"):
        read_image(samples, "notes.txt")
