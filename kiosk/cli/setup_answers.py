"""The answers that `kiosk setup` needs: from a file, or asked for one by one.

They are sections of the configuration as they will stand in it, a section [setup] with what is no key of it, and the
first people ([[people]]). Whatever is not said has the value that a kiosk from the package needs.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from kiosk import config, plugins
from kiosk.config import SIMULATED, Config, explain
from kiosk.domain.errors import ConfigError, ModelError, os_trouble
from kiosk.domain.rights import Role
from kiosk.domain.security_level import LEVELS, Level
from kiosk.section import PluginSection, Section
from kiosk.system.files import read_at_most
from kiosk.system.time_sync import RTC, has_rtc
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder

Tables = dict[str, object]
"""TOML tables, before the configuration's models check them."""
LARGEST = 1 << 20
"""Bytes of a file of answers at most."""
OWN = ("setup", "people")
"""Sections of a file of answers that are none of the configuration."""


class SetupSection(Section):
    """[setup]: what is no key of the configuration."""

    level: Level = Level.STANDARD
    """The level of security (`kiosk level`): it sets [policy] fpir and [entry] verification."""
    key: Literal["file", "credential"] = "file"
    """Where the gallery's key is kept: beside the gallery, or sealed by systemd (systemd-creds)."""
    start: bool = True
    """Whether the units are enabled and started at the end."""


class Person(Section):
    """[[people]]: somebody who is enrolled at once."""

    name: Annotated[str, Field(min_length=1)]
    number: Annotated[str, Field(pattern=r"^\d{4,8}$")] | None = None
    pin: Annotated[str, Field(pattern=r"^\d{6,12}$")] | None = None
    role: Role | None = None
    pictures: Annotated[tuple[Path, ...], Field(min_length=1)]
    """Photographs, folders of them or a clip; beside the file of answers if they are no whole paths."""
    consent: str | None = None
    """The text that the person has agreed to, VERSION/LANGUAGE (`kiosk consent show`)."""

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.role is not None and (self.pin is None or self.number is None):
            raise ValueError(f"{self.name}: a role needs number and pin, with which it is signed in")
        return self


@dataclass(frozen=True, slots=True)
class Root:
    """Where the files of this machine are. `folder` is / but in a trial."""

    folder: Path = Path("/")

    @property
    def trial(self) -> bool:
        """Whether this is a folder in which a kiosk is tried, and not the machine itself."""
        return self.folder != Path("/")

    def at(self, path: str) -> Path:
        """A path of the machine, below the root."""
        return self.folder / path.lstrip("/")

    @property
    def config(self) -> Path:
        return self.at("/etc/kiosk/kiosk.toml")

    @property
    def home(self) -> Path:
        return self.at("/var/lib/kiosk")

    @property
    def credential(self) -> Path:
        return self.at("/etc/credstore.encrypted/gallery-key")


@dataclass(frozen=True, slots=True)
class Answers:
    """All of them, checked."""

    tables: Tables
    """The sections of the configuration."""
    setup: SetupSection
    people: tuple[Person, ...]
    settings: Config


def read(file: Path, root: Root) -> Answers:
    """The answers of a file. Raises ConfigError, which names the file and what is wrong."""
    try:
        tables: Tables = dict(tomllib.loads(read_at_most(file, LARGEST).decode("utf-8")))
        mode = file.stat().st_mode
    except OSError as error:
        raise ConfigError(f"the answers cannot be read: {os_trouble(error)}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {error}") from error
    answers = checked(tables, str(file), root, file.absolute().parent)
    if any(person.pin is not None for person in answers.people) and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{file}: others can read the PINs in it: chmod 600 {file}, and choose other ones")
    return answers


def checked(tables: Tables, source: str, root: Root, beside: Path) -> Answers:
    """The answers of these tables. Raises ConfigError, which names `source`. `beside`: where relative pictures lie."""
    try:
        setup = SetupSection.model_validate(tables.get("setup", {}))
        found = tables.get("people", [])
        people = [Person.model_validate(each) for each in (found if isinstance(found, list) else [found])]
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error)}") from error
    own = {key: value for key, value in tables.items() if key not in OWN}
    merged = _merged(defaults(setup, root), own)
    try:
        settings = Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error)}") from error
    _complete(settings, own, source)
    if settings.models.folder is None:
        merged = _merged(merged, {"models": {"embedder": _embedder(settings, own, root, source)}})
    _safe(settings, root, source)
    silent = [person.name for person in people if person.consent is None]
    if silent and settings.consent.required:
        raise ConfigError(f"{source}: {silent[0]}: consent is missing: which text was agreed to, for example 1/en")
    placed = [p.model_copy(update={"pictures": tuple(beside / picture for picture in p.pictures)}) for p in people]
    return Answers(merged, setup, tuple(placed), settings)


def defaults(setup: SetupSection, root: Root) -> Tables:
    """What a kiosk from the package needs; in a trial everything lies below the root and belongs to this user."""
    terms = LEVELS[setup.level]
    kiosk, notify = ("kiosk", "kiosk-notify") if not root.trial else (str(os.geteuid()),) * 2
    tables: dict[str, dict[str, object]] = {
        "kiosk": {"home": str(root.home)},
        "keys": {"credential": str(root.credential)} if setup.key == "credential" else {},
        "control": {"socket": str(root.at("/run/kiosk-control/control.sock"))},
        "door": {"clients": [kiosk], "subscribers": [notify]},
        "policy": {"fpir": terms.fpir},
        "entry": {"number": True, "verification": terms.verification.value},
        "clock": {"trust": "rtc" if has_rtc(root.at(str(RTC))) else "ntp"},
        "consent": {"required": True},
        "notify": {"subscribers": [notify]},
    }
    if root.trial:
        tables["door"] |= {"socket": str(root.at("/run/kiosk/door.sock")), "state": str(root.at("/var/lib/kiosk-door"))}
        tables["notify"] |= {
            "socket": str(root.at("/run/kiosk-events/kiosk.sock")),
            "outbox": str(root.at("/var/lib/kiosk-notify/outbox.db")),
        }
    return dict(tables)


def _embedder(settings: Config, own: Tables, root: Root, source: str) -> str:
    """By which network people are known, by its model_id: an upgrade gives that to no other one. The one that the
    answers name; else that of the configuration that is there, with which people may be enrolled; else the program's.
    Raises ConfigError."""
    asked = own.get("models")
    name = settings.models.embedder
    if not isinstance(asked, dict) or "embedder" not in asked:
        name = _configured_embedder(root.config) or name
    try:
        return Manifest(default_folder()).entry(name, EmbedderEntry).model_id
    except ModelError as error:
        raise ConfigError(f"{source}: {error}") from error


def _configured_embedder(file: Path) -> str | None:
    """What a configuration says; None where there is none that can be read, or nothing in it."""
    try:
        models = tomllib.loads(file.read_text(encoding="utf-8")).get("models", {})
    except (OSError, ValueError):
        return None
    found = models.get("embedder") if isinstance(models, dict) else None
    return found if isinstance(found, str) else None


def _merged(below: Tables, above: Tables) -> Tables:
    merged = dict(below)
    for key, value in above.items():
        kept = merged.get(key)
        merged[key] = {**kept, **value} if isinstance(kept, dict) and isinstance(value, dict) else value
    return merged


def _complete(settings: Config, own: Mapping[str, object], source: str) -> None:
    """Raises ConfigError where something is missing that nobody may guess."""
    if "camera" not in own:
        raise ConfigError(f'{source}: [camera] is missing: say which, for example kind = "usb"')
    if settings.lock is None and settings.panel is None:
        raise ConfigError(f'{source}: [lock] is missing: say which; for a trial kind = "simulated"')
    if not settings.door.named:
        raise ConfigError(f"{source}: {config.NAMELESS}")
    plugged: list[tuple[str, PluginSection]] = [("cameras", settings.camera)]
    plugged += [("locks", settings.lock)] if settings.lock is not None else []
    plugged += [("panels", settings.panel)] if settings.panel is not None else []
    plugged += [("notifiers", notifier) for notifier in settings.notifiers.values()]
    for group, section in plugged:
        plugins.configured(group, section)


def _safe(settings: Config, root: Root, source: str) -> None:
    """Raises ConfigError for a trial, or a simulated camera, before a real lock."""
    if not settings.drives_a_real_lock:
        return
    if root.trial:
        raise ConfigError(f"{source}: with --root a kiosk is tried: [lock] kind must be {SIMULATED!r}")
    if settings.camera.kind in {SIMULATED, "replay"}:
        raise ConfigError(f"{source}: [camera] kind = {settings.camera.kind!r} never meets a real lock")
