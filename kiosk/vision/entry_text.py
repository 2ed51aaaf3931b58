"""Writes manifest entries as TOML, because the standard library can only read TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kiosk.vision.manifest import Entry
from kiosk.vision.measured import PairEntry

HEAD = "# Written by `kiosk models install`. A model_id is never used again for other weights.\n\nschema_version = 1\n"


def render(entries: Iterable[Entry], pairs: Iterable[PairEntry] = ()) -> str:
    """A manifest.toml of these entries, without empty keys."""
    return "".join([HEAD, *(_table("model", entry) for entry in entries), *(_table("pair", pair) for pair in pairs)])


def _table(name: str, entry: Entry | PairEntry) -> str:
    fields = entry.model_dump(mode="json", exclude_none=True)
    return f"\n[[{name}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in fields.items())


def _value(value: object) -> str:
    """A JSON value as TOML, with inline tables. A JSON string is also a TOML string, except that TOML needs DEL
    escaped."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")
