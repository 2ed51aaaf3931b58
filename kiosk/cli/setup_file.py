"""Writes the configuration of `kiosk setup`: the sections with a comment each, whole or not at all."""

from __future__ import annotations

import grp
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from kiosk import config
from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.system.files import replace

GROUP = "kiosk-listen"
"""The group that may read the configuration (deploy/sysusers.conf)."""
HEAD = """# The configuration of this kiosk, written by `kiosk setup`. Change it here, then: sudo kiosk doctor, and
# sudo systemctl restart kiosk-door kiosk. All keys, with their defaults: man kiosk.toml.
# What is not here has its default.
"""
COMMENTS: Mapping[str, str] = {
    "kiosk": "Where the gallery and the audit log are.",
    "keys": "Where the gallery's key is. Empty: gallery.key beside the gallery (`kiosk keys status`).",
    "control": 'Where commands ask the running kiosk. More users: staff = ["anna"], admins, auditors.',
    "camera": "What sees people. After a change: sudo kiosk doctor, standing before it.",
    "lock": "What holds the door. kiosk-door alone uses it. Wrong polarity opens a door: sudo kiosk setup tests it.",
    "panel": "The access panel that owns the lock.",
    "door": "What this door is called, who may have it released (clients), and who is told (subscribers).",
    "screen": "What visitors see. The first language is spoken first.",
    "models": "By which network people are known: what they were enrolled with, which no upgrade changes.",
    "policy": "How sure the kiosk must be (`kiosk level show` says what it means).",
    "entry": "Ways in beside the face: number and PIN open where the camera takes somebody not.",
    "clock": '"rtc": this board has a clock that runs without power; "ntp": it has none.',
    "consent": "Nobody is enrolled without saying which text they agreed to (`kiosk consent show`).",
    "notify": "Who may hear the kiosk's events.",
    "notifiers": "Who is told of what happens (kiosk-notify).",
}


def rendered(tables: Mapping[str, object]) -> str:
    """The text of a configuration with these tables. Raises ConfigError for what TOML cannot hold."""
    known = [name for name in COMMENTS if name in tables]
    names = [*known, *(name for name in tables if name not in COMMENTS)]
    parts = [HEAD]
    for name in names:
        section = tables[name]
        if not isinstance(section, Mapping):
            raise ConfigError(f"{name}: is no section")
        if section:
            comment = COMMENTS.get(name)
            parts.append((f"# {comment}\n" if comment else "") + "\n".join(_section(name, section)) + "\n")
    return "\n".join(parts)


def _section(name: str, table: Mapping[str, object]) -> list[str]:
    """A section and those below it."""
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())] if values or not below else []
    for key, value in below.items():
        lines += [*([""] if lines else []), *_section(f"{name}.{key}", value)]
    return lines


def _value(value: object) -> str:
    """A value as TOML. JSON's strings, numbers and booleans are TOML's too."""
    if isinstance(value, str) and "\x7f" not in value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(_value(each) for each in value)}]"
    raise ConfigError(f"{value!r} cannot stand in a configuration")


def write(path: Path, text: str, force: bool) -> bool:
    """Puts the text in its place, atomically, checked first. True if anything was changed.

    The same text is left alone. Another one is replaced with `force` only, and kept beside it. Its group is
    kiosk-listen where that is known. Raises ConfigError.
    """
    config.parse(text, "what would be written", {})
    try:
        if path.exists():
            if path.read_text(encoding="utf-8") == text:
                return False
            if not force:
                raise ConfigError(
                    f"{path}: there is another configuration: with --force it is replaced, and kept beside"
                )
            shutil.copy2(path, path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}"))
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        replace(path, text.encode("utf-8"), 0o640, _group())
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {os_trouble(error)}") from error
    return True


def _group() -> int:
    """The number of the group that may read it; -1, which changes nothing, where there is none, or this is not root."""
    try:
        return grp.getgrnam(GROUP).gr_gid if os.geteuid() == 0 else -1
    except KeyError:
        return -1
