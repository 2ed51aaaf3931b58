"""`kiosk unlock`: gives the passphrase of the key to a kiosk that waits for it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from kiosk.cli.asking import Terminal
from kiosk.cli.console import config_option, say, settings
from kiosk.domain.errors import ConfigError
from kiosk.ipc.client import Connection
from kiosk.ipc.control_messages import LONGEST_PASSPHRASE
from kiosk.station.control_client import RemoteRegister


@click.command()
@config_option
def unlock(config_file: Path | None) -> None:
    """Gives the passphrase of the gallery's key to the kiosk, which waits for it after each start ([keys] passphrase).

    Without a terminal the passphrase is the first line of standard input.
    """
    socket = settings(config_file).control.socket
    if socket is None:
        raise ConfigError("[control] socket is not set: there is no kiosk that waits for a passphrase")
    with closing(RemoteRegister(Connection(socket, "the kiosk"))) as kiosk:
        if not kiosk.locked:
            say("the kiosk is not locked")
            return
        kiosk.unlock(Terminal().ask()[: LONGEST_PASSPHRASE + 1])
    say("unlocked")
