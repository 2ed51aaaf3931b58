"""`kiosk health`: how the running kiosk is, as a monitoring program reads it."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from kiosk.cli.console import config_option, say, settings
from kiosk.domain.errors import ConfigError, KioskError
from kiosk.station.vitals import FAULT, SILENT

PATIENCE = 3.0
"""Seconds for an answer."""


@click.command()
@config_option
def health(config_file: Path | None) -> None:
    """Shows states and counts of the running kiosk as Prometheus text, and nothing of a person.

    Exit status 1 while it has a fault or a thread of it hangs, 2 when it does not answer.
    """
    path = settings(config_file).health.socket
    if path is None:
        raise ConfigError(
            'nothing answers: set [health] socket = "/run/kiosk-events/health.sock", and restart the kiosk'
        )
    text = _asked(path)
    say(*text.splitlines())
    ill = any(line.startswith(f"{FAULT}{{") for line in text.splitlines()) or f"\n{SILENT} 0\n" not in text
    click.get_current_context().exit(1 if ill else 0)


def _asked(path: Path) -> str:
    """The text at the socket. Raises KioskError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        said = b""
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            while part := connection.recv(65536):
                said += part
        except OSError as error:
            raise KioskError(f"{path}: the kiosk does not answer: {error.strerror or error}: does it run?") from error
    _, found, body = said.decode("utf-8", "replace").partition("\r\n\r\n")
    if not found:
        raise KioskError(f"{path}: it does not answer this user: [health] readers says who may ask")
    return body
