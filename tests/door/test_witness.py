"""What kiosk-door remembers of the gallery outlasts a restart, and denies where it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk.door.witness import WitnessFile

KIOSK, OTHER = 1001, 1002


def told(folder: Path, *states: tuple[int, str, int]) -> list[bool]:
    """What a kiosk-door says that runs for these messages only."""
    witness = WitnessFile(folder)
    try:
        return [witness.take(*state) for state in states]
    finally:
        witness.close()


def test_it_outlasts_a_restart(tmp_path: Path) -> None:
    assert told(tmp_path, (KIOSK, "a", 5)) == [True]
    assert told(tmp_path, (KIOSK, "a", 4), (KIOSK, "a", 5), (KIOSK, "b", 1), (KIOSK, "a", 9)) == [
        False,
        True,
        True,
        False,
    ]
    assert told(tmp_path, (KIOSK, "a", 9)) == [False]


def test_each_kiosk_has_its_own_gallery(tmp_path: Path) -> None:
    assert all(told(tmp_path, (KIOSK, "a", 5), (OTHER, "b", 1), (KIOSK, "a", 5), (OTHER, "b", 2)))


def test_what_it_forgot_is_believed_again(tmp_path: Path) -> None:
    told(tmp_path, (KIOSK, "a", 5))
    witness = WitnessFile(tmp_path)
    witness.forget()
    witness.close()
    assert told(tmp_path, (KIOSK, "a", 1)) == [True]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"1": []}', '{"x": {}}', '{"1": {"a": "b"}}', '{"1": {"a": true}}', "[" * 100_000]
)
def test_nothing_is_believed_while_it_cannot_be_read_until_it_is_forgotten(tmp_path: Path, content: str) -> None:
    (tmp_path / "gallery.json").write_text(content)
    assert told(tmp_path, (KIOSK, "a", 5)) == [False]
    assert (tmp_path / "gallery.json").read_text() == content
    witness = WitnessFile(tmp_path)
    witness.forget()
    assert witness.take(KIOSK, "a", 5)
    witness.close()
    assert json.loads((tmp_path / "gallery.json").read_text()) == {f"{KIOSK}": {"a": 5}}


def test_a_disk_that_keeps_nothing_stops_neither_the_door_nor_what_it_knows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    witness = WitnessFile(folder)
    assert witness.take(KIOSK, "a", 5)
    assert not witness.take(KIOSK, "a", 4)
    witness.close()
    assert "gallery_memory_not_kept" in capfd.readouterr().err
