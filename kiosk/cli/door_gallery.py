"""`kiosk door forget-gallery`: lets kiosk-door forget which state of the gallery it has seen."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import config
from kiosk.cli.console import config_option, name_home, say, told_or_not
from kiosk.cli.door_log import log_of, record
from kiosk.domain.audit import AuditKind, Command
from kiosk.domain.errors import ConfigError
from kiosk.station.door_client import DoorClient
from kiosk.storage.home import Home

PATIENCE = 2.0
"""Longest wait for the door's answer, in seconds."""


@click.command("forget-gallery")
@config_option
@name_home
def forget_gallery(home: Home, config_file: Path | None) -> None:
    """Lets kiosk-door believe a gallery that is older than one that it has seen.

    Only for a copy of the gallery that was put back by hand on purpose: whoever was removed or shut out since then can
    get in again. `kiosk restore` needs no such thing.
    """
    found = config.find(config_file)
    if found is None:
        raise ConfigError("which door? name its configuration with --config")
    with log_of(home) as log:
        log.append([record(AuditKind.COMMAND, Command.FORGET_GALLERY)])
    with DoorClient(config.read(found).door.socket) as client:
        client.forget_gallery(PATIENCE)
    with told_or_not():
        say("kiosk-door believes the next gallery that the kiosk shows it: restart the kiosk")
