"""What commands print: sentences for people, one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
import structlog

from kiosk import config
from kiosk.config import Config
from kiosk.domain.errors import ConfigError

Scalar = str | int | float | bool | None
Row = Mapping[str, "Scalar | Row | Sequence[Row]"]
P = ParamSpec("P")
R = TypeVar("R")

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


def home_of(named: Path | None, config_file: Path | None) -> Path:
    """The home that a command works on: the one of `--home`, else that of the configuration, else the user's own.

    The user's own is for the demonstration and for trying out, where there is no configuration. Beside one it would be
    a second gallery that nobody at the door knows of. Raises ConfigError.
    """
    if named is not None:
        return named
    found = config.find(config_file)
    if found is None:
        return Path.home() / ".local" / "share" / "kiosk"
    home = config.read(found).kiosk.home
    if home is None:
        raise ConfigError(
            f"{found} does not say where the gallery is: set home in [kiosk], or name the place with --home"
        )
    return home


def pass_home(command: Callable[Concatenate[Path, P], R]) -> Callable[P, R]:
    """Gives a command its home, by home_of, as its first argument. Every command that has a home takes it from here."""

    @wraps(command)
    def at_home(*args: P.args, **kwargs: P.kwargs) -> R:
        config_file = kwargs.get("config_file")
        assert config_file is None or isinstance(config_file, Path)
        return command(home_of(click.get_current_context().obj, config_file), *args, **kwargs)

    return at_home
