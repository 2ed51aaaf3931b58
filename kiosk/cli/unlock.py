"""`kiosk unlock`: gives the passphrase of the key to a kiosk that waits for it."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

import click

from kiosk.cli.asking import Terminal
from kiosk.cli.console import config_option, home_of, say, settings
from kiosk.domain.errors import ConfigError, NotAllowedError
from kiosk.ipc.client import Connection
from kiosk.ipc.control_messages import LONGEST_PASSPHRASE
from kiosk.station.control_client import RemoteRegister


@click.command()
@config_option
@click.pass_context
def unlock(context: click.Context, config_file: Path | None) -> None:
    """Gives the passphrase of the gallery's key to the kiosk, which waits for it after each start ([keys] passphrase).

    Without a terminal the passphrase is the first line of standard input.
    """
    socket = settings(config_file).control.socket
    if socket is None:
        raise ConfigError("[control] socket is not set: there is no kiosk that waits for a passphrase")
    connection = Connection(socket, "the kiosk")
    with closing(connection):
        _refuse_others(connection, socket, home_of(context.obj, config_file))
        kiosk = RemoteRegister(connection)
        if not kiosk.locked:
            say("the kiosk is not locked")
            return
        kiosk.unlock(Terminal().ask()[: LONGEST_PASSPHRASE + 1])
    say("unlocked")


def _refuse_others(connection: Connection, socket: Path, home: Path) -> None:
    """The passphrase is told to root, to the home's owner or to oneself. Raises NotAllowedError for a socket that
    somebody else has put there."""
    trusted = {0, os.geteuid()}
    with suppress(OSError):
        trusted.add(home.stat().st_uid)
    if connection.served_by not in trusted:
        raise NotAllowedError(
            f"{socket}: user {connection.served_by} serves this socket and does not own {home}: nothing was told"
        )
