"""Finds the register that a command works with: the running kiosk's, over its control socket, or the gallery itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from kiosk.cli.console import RUNNING, home_of, settings
from kiosk.domain.errors import ConfigError, DoorError, NotAllowedError
from kiosk.ipc.client import Connection
from kiosk.station.control_client import RemoteRegister
from kiosk.station.enrolment import Enrolment
from kiosk.station.register import Erasure, GalleryRegister, Register
from kiosk.station.witness import shown
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home

P = ParamSpec("P")
R = TypeVar("R")
_CALLER = "kiosk.caller"
"""Key in a command's context of the user who gave it."""
_DOOR = "kiosk.door"
"""The same of the door that knows this gallery; None if there is none."""


def ask_the_kiosk(command: Callable[P, R]) -> Callable[P, R]:
    """Decorator, outside of `pass_home`: connects to the running kiosk, before root becomes the home's owner, so that
    the kiosk and the log know who asks."""

    @wraps(command)
    def asking(*args: P.args, **kwargs: P.kwargs) -> R:
        context = click.get_current_context()
        config_file = kwargs.get("config_file")
        assert config_file is None or isinstance(config_file, Path)
        context.meta[_CALLER] = os.getuid()
        context.meta[_DOOR] = _door_of(config_file, context.obj)
        running = _running(config_file, context.obj)
        if running is not None:
            context.call_on_close(running.close)
            context.meta[RUNNING] = running
        return command(*args, **kwargs)

    return asking


def running_kiosk() -> RemoteRegister | None:
    """The running kiosk that a command with `ask_the_kiosk` asks; None if there is none."""
    running: RemoteRegister | None = click.get_current_context().meta.get(RUNNING)
    return running


@contextmanager
def register_of(
    home: Home,
    read_only: bool = False,
    model_id: str | None = None,
    enrolment: Callable[[Gallery], Enrolment] | None = None,
    erasure: Erasure | None = None,
    earlier: Sequence[str] = (),
) -> Iterator[Register]:
    """The register for a command with `ask_the_kiosk`. `model_id`, `enrolment`, `erasure`, `earlier`: see
    GalleryRegister. Raises KioskError."""
    running = running_kiosk()
    if running is not None:
        running.model_id = model_id
        yield running
        return
    with own_gallery(home, read_only) as gallery:
        yield GalleryRegister(gallery, model_id, enrolment, erasure, earlier)


@contextmanager
def own_gallery(home: Home, read_only: bool = False) -> Iterator[Gallery]:
    """The gallery for a command with `ask_the_kiosk` that asks no running kiosk: changes are recorded with the user who
    gave the command, and shown to the door. Raises KioskError."""
    with closing(open_gallery(home, read_only=read_only)) as gallery:
        meta = click.get_current_context().meta
        gallery.by = f"uid {meta[_CALLER]}"
        with shown(None if read_only else meta[_DOOR], home, gallery.vault):
            yield gallery


def _running(config_file: Path | None, named: Path | None) -> RemoteRegister | None:
    """The register of the kiosk that runs on this home; None if none runs, it has no control socket, or it waits for
    its passphrase. Raises NotAllowedError for a user who may neither ask it nor open the home."""
    try:
        socket, home = settings(config_file).control.socket, home_of(named, config_file)
    except ConfigError:
        return None  # a command that needs the configuration reports it; others work with --home alone
    if socket is None or not socket.exists():
        return None
    try:
        running = RemoteRegister(Connection(socket, "the kiosk"))
    except DoorError as error:
        if _shut_out(home):
            raise NotAllowedError(
                f"{error}: you may not ask the kiosk: an admin adds you to [control] in its configuration"
            ) from error
        return None
    if running.locked or running.home != home.absolute():
        running.close()
        return None
    return running


def _door_of(config_file: Path | None, named: Path | None) -> Path | None:
    """The door's socket, for the home that the configuration names and no other: a trial's gallery would become the one
    that the door believes."""
    try:
        config = settings(config_file)
    except ConfigError:
        return None
    home = config.kiosk.home
    ours = home is not None and (named is None or named.absolute() == home.absolute())
    return config.door.socket if ours else None


def _shut_out(home: Path) -> bool:
    """Whether this user is neither root nor the home's owner."""
    try:
        return os.geteuid() not in {0, home.stat().st_uid}
    except OSError:
        return os.geteuid() != 0
