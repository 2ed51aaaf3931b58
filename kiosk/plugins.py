"""Loads plug-ins by entry point. Only the names in the configuration are loaded."""

from __future__ import annotations

from importlib.metadata import entry_points

from pydantic import BaseModel, ValidationError

from kiosk.config import explain
from kiosk.domain.errors import ConfigError
from kiosk.section import PluginSection


def load(group: str, name: str) -> object:
    """The object of entry point `name` of `group` ("cameras", "locks" ...).

    Raises ConfigError when the name is not installed or its import fails. There is no fallback to another plug-in.
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


def make(group: str, section: PluginSection) -> object:
    """Makes the plug-in that a section names, with the section's own keys, which its Options check.

    Raises ConfigError as configured() does, and the errors of the plug-in's constructor.
    """
    plugin, options = configured(group, section)
    made: object = plugin(options)
    return made


def configured(group: str, section: PluginSection) -> tuple[type, BaseModel]:
    """The plug-in's class and its checked options. Raises ConfigError for a wrong plug-in or wrong keys."""
    plugin, options = load(group, section.kind), options_of(group, section.kind)
    assert isinstance(plugin, type)
    try:
        return plugin, options.model_validate(section.options())
    except ValidationError as error:
        raise ConfigError(f"{group}: kind = {section.kind!r}: {explain(error)}") from error


def options_of(group: str, kind: str) -> type[BaseModel]:
    """The Options class of a plug-in. Raises ConfigError if it is no plug-in."""
    plugin = load(group, kind)
    options = getattr(plugin, "Options", None)
    if not (isinstance(plugin, type) and isinstance(options, type) and issubclass(options, BaseModel)):
        raise ConfigError(f"{group}: {kind!r} is no plug-in: it needs a class with Options")
    return options
