"""`kiosk screen`: what is set, and what is set anew in the file."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_what_is_set_is_shown_then(kiosk: Command, tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text("[screen]\n#sounds = true\n")
    said = kiosk("screen", "set", "--config", file, "--distance", "1.2", "--languages", "de,en", "--no-sounds")
    assert said.status == 0
    (row,) = kiosk("screen", "show", "--json", "--config", file).rows
    assert row == {"distance_m": 1.2, "languages": "de,en", "sounds": False}
    assert kiosk("screen", "show", "--config", file).out[2] == "sounds     off"


def test_a_language_without_texts_and_nothing_at_all_are_refused(kiosk: Command, tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text("")
    said = kiosk("screen", "set", "--config", file, "--languages", "de,xx")
    assert (said.status, "'xx', only in ar, de, en" in said.err[-1]) == (2, True)
    said = kiosk("screen", "set", "--config", file)
    assert (said.status, "nothing to set" in said.err[-1]) == (2, True)
    assert file.read_text() == ""
