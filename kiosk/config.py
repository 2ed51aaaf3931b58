"""The configuration: one TOML file, with overrides from environment variables (kiosk.environment). Unknown keys are
refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from kiosk.domain.errors import ConfigError, os_trouble
from kiosk.environment import file_text, overridden, overriding, refuse_nul, tables
from kiosk.keeping import BackupConfig, ConsentConfig, RetentionConfig
from kiosk.screen import ScreenConfig
from kiosk.section import Section
from kiosk.sections import (
    AttemptConfig,
    AuditConfig,
    CameraConfig,
    ClockConfig,
    ControlConfig,
    DoorConfig,
    HealthConfig,
    KeysConfig,
    KioskConfig,
    LockConfig,
    ModelsConfig,
    NotifierConfig,
    NotifyConfig,
    PanelConfig,
    PolicyConfig,
    QualityConfig,
)
from kiosk.ways import EntryConfig

SYSTEM_CONFIG = Path("/etc/kiosk/kiosk.toml")
FROM_THE_FILE = frozenset(
    {
        "attempt",
        "camera__live",
        "camera__pipeline",
        "clock",
        "control",
        "door",
        "entry",
        "keys",
        "lock",
        "models",
        "panel",
        "policy",
        "quality",
    }
)
"""Sections, and keys, that decide who is let in. With a real lock only the file may set them."""

SIMULATED = "simulated"
"""The kind of the lock without hardware."""
NAMELESS = (
    '[door] name is missing: say what this door is called (name = "main-entrance"), and call each other door of the '
    "site something else: events, notifiers and the audit log tell it"
)


class Config(Section):
    """The whole file."""

    kiosk: KioskConfig = KioskConfig()
    keys: KeysConfig = KeysConfig()
    control: ControlConfig = ControlConfig()
    health: HealthConfig = HealthConfig()
    camera: CameraConfig = CameraConfig()
    lock: LockConfig | None = None
    panel: PanelConfig | None = None
    door: DoorConfig = DoorConfig()
    models: ModelsConfig = ModelsConfig()
    quality: QualityConfig = QualityConfig()
    attempt: AttemptConfig = AttemptConfig()
    policy: PolicyConfig = PolicyConfig()
    entry: EntryConfig = EntryConfig()
    clock: ClockConfig = ClockConfig()
    audit: AuditConfig = AuditConfig()
    backup: BackupConfig = BackupConfig()
    retention: RetentionConfig = RetentionConfig()
    consent: ConsentConfig = ConsentConfig()
    screen: ScreenConfig = ScreenConfig()
    notify: NotifyConfig = NotifyConfig()
    notifiers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")], NotifierConfig] = Field(
        default_factory=dict
    )
    _sha256: str = PrivateAttr("")
    _source: str = PrivateAttr("")

    @property
    def sha256(self) -> str:
        """The hash of the file that this was read from; empty without a file."""
        return self._sha256

    @property
    def source(self) -> str:
        """The file that this was read from; empty without one."""
        return self._source

    @property
    def drives_a_real_lock(self) -> bool:
        """Whether this configuration makes kiosk-door drive real hardware: a lock or a panel."""
        return self.panel is not None or (self.lock is not None and self.lock.kind != SIMULATED)

    @model_validator(mode="after")
    def _one_door(self) -> Self:
        if self.keys.passphrase and self.control.socket is None:
            raise ValueError("[keys] passphrase needs [control] socket: `kiosk unlock` gives the passphrase there")
        if self.models.previous is not None and self.policy.threshold is not None:
            raise ValueError("[policy] threshold is of one network: take it out while [models] previous names another")
        if self.lock is not None and self.panel is not None:
            raise ValueError("[lock] and [panel] are both there: a door has the one or the other")
        return self


def explain(error: ValidationError) -> str:
    """The first error of a validation as one line: the key, and what is wrong."""
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"]) or "it"
    what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"


def parse(text: str, source: str, environ: Mapping[str, str] | None = None) -> Config:
    """Parses a configuration. Raises ConfigError, which names `source`, the key and what is wrong with it."""
    merged = overridden(tables(text, source), os.environ if environ is None else environ)
    refuse_nul(merged, source)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error)}") from error
    config._sha256 = hashlib.sha256(text.encode()).hexdigest() if text else ""
    config._source = source if text else ""
    return config


def refuse_overrides(environ: Mapping[str, str] | None = None) -> None:
    """Call it before a real lock is used. Raises ConfigError, which names variables that change who is let in."""
    names = overriding(os.environ if environ is None else environ, FROM_THE_FILE)
    if names:
        raise ConfigError(
            f"{', '.join(names)}: before a real lock this is the configuration file's alone: take it out of the "
            'environment; an experiment takes [lock] kind = "simulated"'
        )


def read(path: Path) -> Config:
    """Reads a configuration. Raises ConfigError when the file is missing, unreadable or wrong."""
    return parse(file_text(path), str(path))


def find(named: Path | None) -> Path | None:
    """The configuration to use; None for the demonstration.

    A file that was named must exist. If the folder /etc/kiosk exists, /etc/kiosk/kiosk.toml must exist too, because a
    machine that was set up for a door must never fall back to the demonstration. Raises ConfigError.
    """
    try:
        return _found(named)
    except OSError as error:  # for example a folder that this user may not enter, or a name that is too long
        raise ConfigError(f"the configuration cannot be read: {os_trouble(error)}") from error


def _found(named: Path | None) -> Path | None:
    """See find(). Also raises OSError."""
    if named is not None:
        if not named.exists():
            raise ConfigError(f"{named}: there is no such configuration file")
        return named
    if SYSTEM_CONFIG.is_file():
        return SYSTEM_CONFIG
    if SYSTEM_CONFIG.parent.exists():
        folder, name = SYSTEM_CONFIG.parent, SYSTEM_CONFIG.name
        raise ConfigError(f"{folder} exists but {name} is missing: put it there, or name one with --config")
    return None
