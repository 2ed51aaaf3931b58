"""What commands print: sentences for people, one JSON object a line for programs. Nothing else writes to the terminal.

Three rules. Foreign text is escaped (domain.plain_text). A query whose answer cannot be written ends (OutputError); a
deed that is done stays done, whether it can be told or not (`told_or_not`). Names of people go to a terminal only,
unless names are what the command is for: then the pipe or file that was asked for them gets them.
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
from kiosk.cli.outlet import Outlet
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, KioskError
from kiosk.domain.plain_text import escaped, one_line
from kiosk.system import owner

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

Scalar = str | int | float | bool | None
Row = Mapping[str, "Scalar | Row | Sequence[Row]"]
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
READ_BY_ROOT = "kiosk.configuration"
"""Where a command's context keeps the configuration that was read before root became somebody else."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file.  [default: /etc/kiosk/kiosk.toml where it exists]",
)


class OutputError(KioskError):
    """Standard output takes no more. `reader_gone`: whoever read it has seen enough, and nothing is to be said."""

    def __init__(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        super().__init__(f"standard output cannot be written: {reason}")
        self.reader_gone = isinstance(error, BrokenPipeError)


def say(*lines: str) -> None:
    """Lines for people, each escaped and flushed. Raises OutputError."""
    for line in lines:
        _write(escaped(line, _encoding(sys.stdout)))


def emit(row: Row) -> None:
    """One object on one line, flushed: programs read along. Raises OutputError."""
    _write(as_json_line(row))


def as_json_line(row: Row) -> str:
    """ASCII without control characters, whatever is in it."""
    return json.dumps(row, allow_nan=False).replace("\x7f", "\\u007f")


def complain(message: str) -> None:
    """One line on standard error. Never raises: there is nobody else to tell."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(escaped(f"kiosk: {one_line(message)}", _encoding(sys.stderr)) + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


def confirm(question: str) -> None:
    """Raises click.Abort unless the answer is yes, KioskError where nobody can be asked."""
    if sys.stdin is None:
        raise KioskError("standard input is closed, so nobody can be asked: answer with --yes")
    click.confirm(escaped(question, _encoding(sys.stdout)), abort=True)


def ask(question: str) -> str:
    """A line of standard input; the question goes to standard error, beside what a program reads. Raises click.Abort at
    its end, KioskError where nobody can be asked."""
    if sys.stdin is None:
        raise KioskError("standard input is closed, so nobody can be asked")
    text = escaped(question, _encoding(sys.stderr))
    answer: str = click.prompt(text, default="", show_default=False, prompt_suffix=": ", err=True)
    return answer


@contextmanager
def told_or_not() -> Iterator[None]:
    """What is printed inside is about something that is done: it is done also where that cannot be written."""
    try:
        yield
    except OutputError as error:
        if not error.reader_gone:
            complain(f"done, but {error}")


def names_wanted() -> bool:
    """Whether people look at standard output: a terminal, and not that of a unit."""
    return _terminal(sys.stdout)


def called(name: str, subject_id: str, error: bool = False) -> str:
    """Somebody on standard output, or on standard error: name and id on a terminal, else the id alone."""
    return f"{name} ({subject_id})" if _terminal(sys.stderr if error else sys.stdout) else subject_id


def progress(items: Iterable[T], label: str) -> ProgressBar[T]:
    """Gives the items, entered, with a bar on standard error where that is a terminal."""
    return click.progressbar(items, label=label, file=sys.stderr, hidden=not _terminal(sys.stderr))


def bar(label: str, length: int) -> ProgressBar[int]:
    """The same, moved by `update`."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not _terminal(sys.stderr))


def output_outlet() -> Outlet:
    """Standard output for who must not wait for it."""
    return Outlet(sys.stdout)


def finish_output() -> None:
    """At the end of the process: what Python would still flush must not fail with lines of its own."""
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
    """Logs as JSON lines on standard error, for the journal; standard output is for what was asked for.

    Through an outlet, so that a log that cannot be written stops nothing. The caller closes it.
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
    """The configuration of a command that works without one: the defaults then. Raises ConfigError."""
    context = click.get_current_context(silent=True)
    if context is not None and READ_BY_ROOT in context.meta:
        kept: Config = context.meta[READ_BY_ROOT]
        return kept
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
        return _own_home()
    home = config.read(found).kiosk.home
    if home is None:
        raise ConfigError(
            f"{found} does not say where the gallery is: set home in [kiosk], or name the place with --home"
        )
    return home


def name_home(command: Callable[Concatenate[Path, P], R]) -> Callable[P, R]:
    """Gives a command its home, by home_of, as its first argument, and nothing else: root stays root. For a command
    that is root's at the door, and touches the home by door_log alone."""

    @wraps(command)
    def at_home(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(_home(kwargs.get("config_file")), *args, **kwargs)

    return at_home


def pass_home(command: Callable[Concatenate[Path, P], R]) -> Callable[P, R]:
    """Gives a command its home, by home_of, as its first argument, and makes root the home's owner before it begins.
    Every other command that has a home takes it from here."""

    @wraps(command)
    def at_home(*args: P.args, **kwargs: P.kwargs) -> R:
        config_file = kwargs.get("config_file")
        home = _home(config_file)
        if os.geteuid() == 0 and owner.owner_of(home) is not None:
            with suppress(ConfigError):  # root alone may be able to read it; what is wrong is said when it is wanted
                click.get_current_context().meta[READ_BY_ROOT] = settings(_path(config_file))
            owner.become_owner(home)
        return command(home, *args, **kwargs)

    return at_home


def _home(config_file: object) -> Path:
    return home_of(click.get_current_context().obj, _path(config_file))


def _path(config_file: object) -> Path | None:
    assert config_file is None or isinstance(config_file, Path)
    return config_file


def _own_home() -> Path:
    """Raises ConfigError where this user has none: HOME is not set, and the user is in no list."""
    try:
        return Path.home() / ".local" / "share" / "kiosk"
    except RuntimeError as error:
        raise ConfigError("this user has no home folder (HOME is not set): name the kiosk's with --home") from error


def _terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty() and "NOTIFY_SOCKET" not in os.environ
    except ValueError:  # it is closed
        return False


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "ascii"


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
    """From now on the stream goes nowhere: Python flushes it again at its end, and would fail again."""
    try:
        if stream is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
    except (OSError, ValueError):
        pass
