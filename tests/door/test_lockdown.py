"""A lockdown is there while its file is, or when nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.door.lockdown import LockdownFile


def test_it_outlasts_a_restart(tmp_path: Path) -> None:
    assert not LockdownFile(tmp_path).on
    LockdownFile(tmp_path).set(True)
    LockdownFile(tmp_path).set(True)
    assert LockdownFile(tmp_path).on
    LockdownFile(tmp_path).set(False)
    LockdownFile(tmp_path).set(False)
    assert not LockdownFile(tmp_path).on


def test_whatever_has_its_name_is_one(tmp_path: Path) -> None:
    (tmp_path / "lockdown").symlink_to("nowhere")
    assert LockdownFile(tmp_path).on


def test_a_folder_that_cannot_be_read_counts_as_one_and_keeps_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = LockdownFile(tmp_path / "file")
    assert kept.on
    with pytest.raises(NotADirectoryError):
        kept.set(True)
