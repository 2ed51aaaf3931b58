"""What kiosk-door remembers of the gallery outlasts a restart, and denies where it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk.domain.door.witness import Disbelief
from kiosk.door.witness import WitnessFile

KIOSK, OTHER = 1001, 1002
ONE, TWO = "1" * 64, "2" * 64


def told(folder: Path, *states: tuple[int, str, int] | tuple[int, str, int, str]) -> list[bool]:
    """What a kiosk-door says that runs for these messages only."""
    witness = WitnessFile(folder)
    try:
        return [witness.take(*state) is None for state in states]
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
    "content",
    [
        "",
        "{",
        "[]",
        '{"1": []}',
        '{"x": {}}',
        '{"1": {"a": "b"}}',
        '{"1": {"a": true}}',
        "[" * 100_000,
        '{"1": {"seen": {"a": 1}}}',
        '{"1": {"seen": {"a": 1}, "digest": 5}}',
        '{"1": {"seen": [], "digest": "x"}}',
    ],
)
def test_nothing_is_believed_while_it_cannot_be_read_until_it_is_forgotten(tmp_path: Path, content: str) -> None:
    (tmp_path / "gallery.json").write_text(content)
    assert told(tmp_path, (KIOSK, "a", 5)) == [False]
    assert (tmp_path / "gallery.json").read_text() == content
    witness = WitnessFile(tmp_path)
    witness.forget()
    assert witness.take(KIOSK, "a", 5) is None
    witness.close()
    assert json.loads((tmp_path / "gallery.json").read_text()) == {f"{KIOSK}": {"a": 5}}


def test_a_disk_that_keeps_nothing_stops_neither_the_door_nor_what_it_knows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    witness = WitnessFile(folder)
    assert witness.take(KIOSK, "a", 5) is None
    assert witness.take(KIOSK, "a", 4) is Disbelief.OLDER
    witness.close()
    assert "gallery_memory_not_kept" in capfd.readouterr().err


def test_another_list_of_the_same_generation_is_told_over_a_restart(tmp_path: Path) -> None:
    assert told(tmp_path, (KIOSK, "a", 5, ONE)) == [True]
    assert told(tmp_path, (KIOSK, "a", 5, ONE), (KIOSK, "a", 5, TWO), (KIOSK, "a", 6, TWO)) == [True, False, True]
    assert told(tmp_path, (KIOSK, "a", 6, ONE), (KIOSK, "a", 6, TWO)) == [False, True]


def test_a_memory_of_before_is_read_and_a_kiosk_of_before_writes_it_so_again(tmp_path: Path) -> None:
    (tmp_path / "gallery.json").write_text(json.dumps({KIOSK: {"a": 5}}))
    assert told(tmp_path, (KIOSK, "a", 4), (KIOSK, "a", 5, ONE), (KIOSK, "a", 5, TWO)) == [False, True, False]
    assert told(tmp_path, (KIOSK, "a", 5), (KIOSK, "a", 6)) == [True, True], "without a digest as before"
    assert json.loads((tmp_path / "gallery.json").read_text()) == {f"{KIOSK}": {"a": 6}}
