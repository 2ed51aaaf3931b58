"""The output of commands: sentences for people, one JSON object a line for programs. Nothing else writes to the
terminal.

Three rules. Foreign text is escaped (domain.plain_text). If its output cannot be written, a query ends with an error
(OutputError), but an action that is done stays done (`told_or_not`). Names of people go only to a terminal, unless the
command is there to list names: then a pipe or file gets them too.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TextIO, TypeVar

import click
import structlog

from kiosk import config
from kiosk.cli.asking import Terminal, encoding_of
from kiosk.cli.outlet import Outlet
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, KioskError, OutputError
from kiosk.domain.plain_text import escaped, one_line
from kiosk.storage.home import Home
from kiosk.storage.keys import chosen
from kiosk.system import owner

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

Scalar = str | int | float | bool | None
Row = Mapping[str, "Scalar | Row | Sequence[Row]"]
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
READ_BY_ROOT = "kiosk.configuration"
"""Key in a command's context of the configuration that was read before root became the home's owner."""

RUNNING = "kiosk.running"
"""Key in a command's context of the running kiosk's register (cli.registers), if the command asks that."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file.  [default: /etc/kiosk/kiosk.toml where it exists]",
)


def say(*lines: str) -> None:
    """Prints lines for people, each escaped and flushed. Raises OutputError."""
    for line in lines:
        _write(escaped(line, encoding_of(sys.stdout)))


def emit(row: Row) -> None:
    """Prints one JSON object on one line and flushes it, because programs read along. Raises OutputError."""
    _write(as_json_line(row))


def as_json_line(row: Row) -> str:
    """A JSON object as one line of ASCII without control characters, whatever its values hold."""
    return json.dumps(row, allow_nan=False).replace("\x7f", "\\u007f")


def send(content: bytes) -> None:
    """Writes bytes to standard output as they are, and flushes them. Raises KioskError for a terminal, OutputError."""
    stream: TextIO | None = sys.stdout
    if stream is None or _terminal(stream):
        raise KioskError("this is nothing for a terminal: send it into a file or a pipe")
    try:
        stream.buffer.write(content)
        stream.buffer.flush()
    except (OSError, ValueError) as error:
        _discard(stream)
        raise OutputError(error) from error


def draws() -> None:
    """Raises KioskError unless standard output is a terminal that can draw."""
    try:
        drawable = _terminal(sys.stdout) and "▀▄█".encode(encoding_of(sys.stdout))
    except UnicodeEncodeError:
        drawable = False
    if not drawable:
        raise KioskError("only a terminal with UTF-8 can draw this: write it into a file")


def draw(picture: Sequence[Sequence[bool]]) -> None:
    """Draws a picture, whose True is black, in black and white whatever the terminal's colours are. Two rows of the
    picture are one line. Raises KioskError, OutputError."""
    draws()
    rows = [*picture, *[[False] * len(picture[0])] * (len(picture) % 2)]
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        halves = "".join(" ▄▀█"[2 * above + below] for above, below in zip(upper, lower, strict=True))
        _write(f"\x1b[30;107m{halves}\x1b[0m")


def complain(message: str) -> None:
    """Prints one line on standard error. Never raises, because there is no other place to report an error."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(escaped(f"kiosk: {one_line(message)}", encoding_of(sys.stderr)) + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


@contextmanager
def told_or_not() -> Iterator[None]:
    """For output about an action that is already done: if it cannot be written, the command still succeeds."""
    try:
        yield
    except OutputError as error:
        if not error.reader_gone:
            complain(f"done, but {error}")


def names_wanted() -> bool:
    """Whether a person reads standard output: it is a terminal, and the process is no systemd unit."""
    return _terminal(sys.stdout)


def called(name: str, subject_id: str, error: bool = False) -> str:
    """How to print a subject on standard output (or standard error): name and id on a terminal, otherwise only the
    id."""
    return f"{name} ({subject_id})" if _terminal(sys.stderr if error else sys.stdout) else subject_id


def progress(items: Iterable[T], label: str) -> ProgressBar[T]:
    """A progress bar over the items; it is shown on standard error if that is a terminal."""
    return click.progressbar(items, label=label, file=sys.stderr, hidden=not _terminal(sys.stderr))


def bar(label: str, length: int) -> ProgressBar[int]:
    """A progress bar of `length` steps, moved by `update`."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not _terminal(sys.stderr))


def output_outlet() -> Outlet:
    """Standard output for threads that must not wait for it."""
    return Outlet(sys.stdout)


def finish_output() -> None:
    """Flushes the output at the end of the process. Otherwise Python would do it and print its own errors."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _discard(stream)


class _LogHandler(logging.Handler):
    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        self._outlet.put(self.format(record))


def log_to_stderr() -> Outlet:
    """Logs JSON lines on standard error, for the journal. Standard output is only for a command's result.

    It logs through an outlet, so that a log that cannot be written stops nothing. The caller closes the outlet.
    """
    outlet = Outlet(sys.stderr)
    logging.basicConfig(handlers=[_LogHandler(outlet)], format="%(message)s", level=logging.INFO, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    return outlet


def settings(config_file: Path | None) -> Config:
    """The configuration; the defaults if there is none. Raises ConfigError."""
    context = click.get_current_context(silent=True)
    if context is not None and READ_BY_ROOT in context.meta:
        kept: Config = context.meta[READ_BY_ROOT]
        return kept
    found = config.find(config_file)
    return config.parse("", "the defaults") if found is None else config.read(found)


def home_of(named: Path | None, config_file: Path | None) -> Path:
    """The home that a command works on: from `--home`, else from the configuration, else the user's own.

    The user's own home is used only without a configuration, for the demonstration and for trials. With a
    configuration it would be a second gallery that the door does not use. Raises ConfigError.
    """
    if named is not None:
        return named
    found = config.find(config_file)
    if found is None:
        return _own_home()
    home = config.read(found).kiosk.home
    if home is None:
        raise ConfigError(
            f"{found} does not say where the gallery is: set home in [kiosk], or name the place with --home"
        )
    return home


def name_home(command: Callable[Concatenate[Home, P], R]) -> Callable[P, R]:
    """Decorator: passes the home (home_of) to a command as its first argument. Root stays root. For commands that root
    uses at the door and that access the home only through door_log, without the gallery's key."""

    @wraps(command)
    def at_home(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(Home(_home(kwargs.get("config_file"))), *args, **kwargs)

    return at_home


def pass_home(command: Callable[Concatenate[Home, P], R]) -> Callable[P, R]:
    """Decorator: passes the home (home_of), with its key, to a command as its first argument. If root runs the command,
    the process becomes the home's owner first. For every other command that needs a home."""

    @wraps(command)
    def at_home(*args: P.args, **kwargs: P.kwargs) -> R:
        config_file = _path(kwargs.get("config_file"))
        folder = _home(config_file)
        owned = os.geteuid() == 0 and owner.owner_of(folder) is not None
        keys = socket = None
        # Root must read both before it becomes the owner. A command that needs the configuration reports its error.
        with suppress(ConfigError):
            found = settings(config_file)
            if owned:
                click.get_current_context().meta[READ_BY_ROOT] = found
            keys, socket = found.keys, found.control.socket
        asking = RUNNING in click.get_current_context().meta  # then only the running kiosk uses the key
        terminal = Terminal(beside=socket is not None and socket.exists())
        home = Home(folder) if keys is None or asking else Home(folder, chosen(keys, folder, terminal))
        if owned:
            owner.become_owner(folder)
        return command(home, *args, **kwargs)

    return at_home


def _home(config_file: object) -> Path:
    return home_of(click.get_current_context().obj, _path(config_file))


def _path(config_file: object) -> Path | None:
    assert config_file is None or isinstance(config_file, Path)
    return config_file


def _own_home() -> Path:
    """The user's own home of the kiosk. Raises ConfigError if HOME is not set and the user has no passwd entry."""
    try:
        return Path.home() / ".local" / "share" / "kiosk"
    except RuntimeError as error:
        raise ConfigError("this user has no home folder (HOME is not set): name the kiosk's with --home") from error


def _terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty() and "NOTIFY_SOCKET" not in os.environ
    except ValueError:  # it is closed
        return False


def _write(line: str) -> None:
    stream: TextIO | None = sys.stdout
    try:
        if stream is None:
            raise ValueError("it is closed")
        stream.write(line + "\n")
        stream.flush()
    except (OSError, ValueError) as error:
        _discard(stream)
        raise OutputError(error) from error


def _discard(stream: TextIO | None) -> None:
    """Redirects the stream to /dev/null, because Python flushes it again at its end and would fail again."""
    try:
        if stream is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
    except (OSError, ValueError):
        pass
