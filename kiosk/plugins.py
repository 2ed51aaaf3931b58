"""Plug-ins by entry point. Only names that the configuration asks for are loaded."""

from __future__ import annotations

from importlib.metadata import entry_points

from pydantic import BaseModel, ValidationError

from kiosk.config import PluginSection, explain
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


def make(group: str, section: PluginSection) -> object:
    """The plug-in that a section names, made with the section's own keys, which its Options check.

    Raises ConfigError as configured() does, and whatever its making raises.
    """
    plugin, options = configured(group, section)
    made: object = plugin(options)
    return made


def configured(group: str, section: PluginSection) -> tuple[type, BaseModel]:
    """The plug-in's class and its checked options. Raises ConfigError for a plug-in that is not one or keys that are
    wrong."""
    plugin, options = load(group, section.kind), options_of(group, section.kind)
    assert isinstance(plugin, type)
    try:
        return plugin, options.model_validate(section.options())
    except ValidationError as error:
        raise ConfigError(f"{group}: kind = {section.kind!r}: {explain(error)}") from error


def options_of(group: str, kind: str) -> type[BaseModel]:
    """The keys that a plug-in takes. Raises ConfigError for a plug-in that is not one."""
    plugin = load(group, kind)
    options = getattr(plugin, "Options", None)
    if not (isinstance(plugin, type) and isinstance(options, type) and issubclass(options, BaseModel)):
        raise ConfigError(f"{group}: {kind!r} is no plug-in: it needs a class with Options")
    return options
