"""A register of each kind, with stand-ins for the networks: the gallery's own, and one over a real control socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from kiosk.domain.rights import Users
from kiosk.ipc.client import Connection
from kiosk.ipc.server import listening
from kiosk.station.control import ControlServer, Desk
from kiosk.station.control_client import RemoteRegister
from kiosk.station.desk import RegisterDesk
from kiosk.station.register import Erasure
from kiosk.station.upkeep import Upkeep
from kiosk.storage.erasure import Keeping, erase
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from tests.station.test_enrolment import enrolment

MODEL = "m"
ME = Users(admins=frozenset({os.getuid()}))


@contextmanager
def served(desk: Desk, folder: Path, users: Users = ME, home: Path | None = None) -> Iterator[Path]:
    """The desk behind a socket, in a thread."""
    stop = Event()
    with listening(folder / "control.sock", "the kiosk") as listener:
        server = ControlServer(listener, users, Home(home or folder), desk)

        def run() -> None:
            while not stop.is_set():
                server.turn()
            server.close()

        thread = Thread(target=run)
        thread.start()
        try:
            yield folder / "control.sock"
        finally:
            stop.set()
            thread.join()


def erasing(folder: Path) -> Erasure:
    """Erases, in a home without backups."""
    return partial(erase, Home(folder), keeping=Keeping())


def upkeep(gallery: Gallery, folder: Path) -> Upkeep:
    """Of a home without backups, which keeps records a year."""
    return Upkeep(Home(folder), gallery, Keeping(log_days=365))


def desk_of(gallery: Gallery, folder: Path) -> RegisterDesk:
    """The desk of a kiosk."""
    return RegisterDesk(gallery, (MODEL,), enrolment, erasing(folder), upkeep(gallery, folder))


@contextmanager
def remote(gallery: Gallery, folder: Path, users: Users = ME) -> Iterator[RemoteRegister]:
    """The register of a gallery over a control socket."""
    with (
        served(desk_of(gallery, folder), folder, users) as path,
        closing(RemoteRegister(Connection(path, "the kiosk"), MODEL)) as register,
    ):
        yield register
