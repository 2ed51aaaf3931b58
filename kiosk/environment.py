"""Reads the configuration's file and applies the environment's overrides. Uses only the standard library, because
kiosk-door needs it before everything else.

`KIOSK_SECTION__KEY=value` overrides `key` of `[section]`: KIOSK_CAMERA__DEVICE=/dev/video2. Values are read as TOML
if possible (numbers, true, lists) and as plain text otherwise.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.domain.plain_text import one_line

PREFIX = "KIOSK_"
LARGEST = 128 * 1024
"""Largest configuration in bytes: ten times the shipped one."""
LONGEST_LINE = 4096
"""Longest line in characters. It is limited because the time for a dotted key grows with the square of its parts."""


def file_text(path: Path) -> str:
    """The configuration's text. Checks the file before reading it: reading a pipe could block, and a disk image would
    fill the memory.

    Raises ConfigError unless it is a readable file of UTF-8 text of at most LARGEST bytes.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ConfigError(f"{path}: the configuration is no file")
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"the configuration cannot be read: {os_trouble(error)}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: too large for a configuration: at most {LARGEST // 1024} KiB")
    if content.startswith(b"\xef\xbb\xbf"):
        raise ConfigError(f"{path}: begins with a byte order mark: save it as UTF-8 without one")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8: save the file in that encoding") from error


def tables(text: str, source: str) -> dict[str, object]:
    """Parses TOML. Raises ConfigError, which names `source`, if it is not valid."""
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise ConfigError(f"{source}: a line is longer than {LONGEST_LINE} characters")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{source}: not valid TOML: nested too deep") from error
    except ValueError as error:  # also for a number with thousands of digits
        raise ConfigError(f"{source}: not valid TOML: {error}") from error


def overridden(data: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """The file's content with the environment's overrides. Raises ConfigError."""
    merged = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        if not f"{name}{text}".isprintable():
            raise ConfigError(f"{name}: this variable of the environment is not printable text in UTF-8")
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if not section or not key:
            raise ConfigError(f"{name}: no section and key in this variable of the environment: KIOSK_SECTION__KEY")
        part = merged.setdefault(section, {})
        if not isinstance(part, dict):
            raise ConfigError(f"{name}: [{section}] is not a section of the configuration")
        part[key] = _value(text)
    return merged


def refuse_nul(data: Mapping[str, object], source: str) -> None:
    """Raises ConfigError for a key that contains NUL, itself or in its text, because no path or name may contain it."""
    left: list[tuple[str, object]] = [("", data)]
    while left:  # no recursion: a dotted key may be nested deeper than function calls can be
        where, value = left.pop()
        if "\0" in where or (isinstance(value, str) and "\0" in value):
            raise ConfigError(f"{source}: {one_line(where)}: has a NUL character (\\u0000) in it: take it out")
        if isinstance(value, Mapping):
            left += [(f"{where}.{key}" if where else key, part) for key, part in value.items()]
        elif isinstance(value, list):
            left += [(where, part) for part in value]


def overriding(environ: Mapping[str, str], parts: Collection[str]) -> list[str]:
    """Names of the environment variables that override one of these sections ("lock") or keys ("camera__kind")."""
    names = {name: name.removeprefix(PREFIX).lower() for name in environ if name.startswith(PREFIX) and "__" in name}
    return sorted(name for name, key in names.items() if key in parts or key.split("__", 1)[0] in parts)


def _value(text: str) -> object:
    try:
        return tables(f"v = {text}", "")["v"]
    except ConfigError:
        return text
