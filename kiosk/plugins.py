"""Plug-ins by entry point. Only names that the configuration asks for are loaded."""

from __future__ import annotations

from importlib.metadata import entry_points

from kiosk.domain.errors import ConfigError


def load(group: str, name: str) -> object:
    """The object behind entry point `name` of `group` ("cameras", "locks" ...).

    Raises ConfigError for a name that is not installed, or whose import fails: there is no fallback to another.
    """
    found = [p for p in entry_points(group=f"kiosk.{group}") if p.name == name]
    if len(found) != 1:
        known = ", ".join(sorted({p.name for p in entry_points(group=f"kiosk.{group}")})) or "none"
        what = "is installed twice" if found else "is not installed"
        raise ConfigError(f"{group}: {name!r} {what}; installed are: {known}")
    try:
        return found[0].load()
    except ImportError as error:
        raise ConfigError(f"{group}: {name!r} cannot be loaded: {error}") from error
