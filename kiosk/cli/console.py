"""What commands print: sentences for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import structlog

from kiosk import config
from kiosk.config import Config

Scalar = str | int | float | bool | None
Row = Mapping[str, "Scalar | Row | Sequence[Row]"]

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file.  [default: /etc/kiosk/kiosk.toml where it exists]",
)


def log_to_stderr() -> None:
    """Logs as JSON lines on standard error, for the journal; standard output is for what was asked for.

    Through the standard library's handler, which never raises: a log that cannot be written stops nothing.
    """
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def emit(row: Row) -> None:
    """One object on one line, flushed: programs read along."""
    click.echo(json.dumps(row, allow_nan=False))


def complain(message: str) -> None:
    """One line on standard error."""
    click.echo("kiosk: " + " ".join(message.split()), err=True)


def settings(config_file: Path | None) -> Config:
    """The configuration of a command that works without one: the defaults then. Raises ConfigError."""
    found = config.find(config_file)
    return config.parse("", "the defaults") if found is None else config.read(found)
