"""Entries written as TOML are the same entries when they are read."""

from __future__ import annotations

import tomllib

import pytest

from kiosk.vision import entry_text
from kiosk.vision.manifest import Manifest
from kiosk.vision.model_files import default_folder


def test_every_entry_of_the_program_comes_back_as_it_was() -> None:
    entries = Manifest(default_folder()).entries
    read = tomllib.loads(entry_text.render(entries))
    assert read["schema_version"] == 1
    assert read["model"] == [e.model_dump(mode="json", exclude_none=True) for e in entries]


@pytest.mark.parametrize("text", ["", 'say "yes"', "a\\b", "a\nb", "\x7f", "\x01", "\u00e9\u4e2d\U0001f600", "''"])
def test_any_text_is_the_same_when_it_is_read(text: str) -> None:
    assert tomllib.loads(f"key = {entry_text._value(text)}") == {"key": text}


@pytest.mark.parametrize("value", [True, False, 0, -3, 1e-5, 0.1, 1e300, [1, [2.5, "x"]], {"a": {"b": [False]}}])
def test_any_value_is_the_same_when_it_is_read(value: object) -> None:
    found = tomllib.loads(f"key = {entry_text._value(value)}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_what_toml_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="no TOML for NoneType"):
        entry_text._value(None)
