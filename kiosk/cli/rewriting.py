"""Sets single values of the configuration file for commands like `kiosk level set`; all else in it stays as it is.

A line that is there is changed, or taken out for the value None; one that is a comment at its default is taken into
use, one that is missing is added to its section. The new text must be the old configuration with these values and
nothing else, and a good one; if not, nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kiosk import config
from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.environment import file_text, tables
from kiosk.system import files

Value = str | float | bool | list[str] | None


def change(named: Path | None, values: Sequence[tuple[str, str, Value]]) -> Path:
    """Sets `values` (section, key, value) in the configuration file, and returns its path. Raises ConfigError; then
    nothing was written."""
    found = config.find(named)
    if found is None:
        raise ConfigError("there is no configuration to change: make one with `kiosk setup`, or name it with --config")
    path = found.resolve()
    before = file_text(path)
    text = before
    for section, key, value in values:
        text = changed(text, section, key, value)
    _check(before, text, str(path), values)
    try:
        files.rewrite(path, text.encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {os_trouble(error)}; do it as root (sudo)") from error
    return path


def changed(text: str, section: str, key: str, value: Value) -> str:
    """The text with this value; None: without this key."""
    lines = text.splitlines()
    line = "" if value is None else f"{key} = {toml(value)}"
    heads = [at for at, one in enumerate(lines) if re.match(rf"\s*\[\s*{section}\s*\]", one)]
    if not heads:
        return text if value is None else "\n".join([*lines, "", f"[{section}]", line, ""])
    first = heads[0] + 1
    last = next((at for at in range(first, len(lines)) if re.match(r"\s*\[", lines[at])), len(lines))
    if value is None:
        gone = [at for at in range(first, last) if re.match(rf"\s*{key}\s*=", lines[at])]
        return "\n".join([*(one for at, one in enumerate(lines) if at not in gone), ""])
    for pattern in (rf"\s*{key}\s*=[^#]*(#.*)?$", rf"#\s?{key}\s*=()"):
        for at in range(first, last):
            if there := re.match(pattern, lines[at]):
                lines[at] = f"{line}  {there[1]}" if there[1] else line
                return "\n".join([*lines, ""])
    return "\n".join([*lines[:first], line, *lines[first:], ""])


def toml(value: Value) -> str:
    """A value as TOML. Strings are names and codes, without quotes in them."""
    if value is None:
        raise TypeError("TOML has no word for nothing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(toml(each) for each in value)}]"
    return f'"{value}"' if isinstance(value, str) else f"{value!r}"


def _check(before: str, after: str, source: str, values: Sequence[tuple[str, str, Value]]) -> None:
    wanted = tables(before, source)
    for section, key, value in values:
        table = wanted.setdefault(section, {})
        if isinstance(table, dict) and value is None:
            table.pop(key, None)
        elif isinstance(table, dict):
            table[key] = value
    try:
        good = tables(after, source) == wanted
    except ConfigError:
        good = False
    if not good:
        said = " and ".join(map(_said, values))
        raise ConfigError(f"{source} is written in a way that this command does not change: by hand {said}")
    config.parse(after, source)


def _said(wanted: tuple[str, str, Value]) -> str:
    section, key, value = wanted
    return f"take {key} out of [{section}]" if value is None else f"write [{section}] {key} = {toml(value)}"
