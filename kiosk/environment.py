"""What the environment changes of the configuration's file. Standard library only: kiosk-door reads it before the rest.

`KIOSK_SECTION__KEY=value` overrides `key` of `[section]`: KIOSK_CAMERA__DEVICE=/dev/video2. Values are read as TOML
where they can be (numbers, true, lists) and as plain text otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from kiosk.domain.errors import ConfigError

PREFIX = "KIOSK_"


def overridden(data: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """The file's content with the environment's values in it. Raises ConfigError."""
    merged = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        section, key = name.removeprefix(PREFIX).lower().split("__", 1)
        part = merged.setdefault(section, {})
        if not isinstance(part, dict):
            raise ConfigError(f"{name}: [{section}] is not a section of the configuration")
        part[key] = _value(text)
    return merged


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
