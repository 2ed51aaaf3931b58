"""Clients of the door's socket about whom the kernel has no answer, or for whom it has no room."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.domain.errors import DoorError
from kiosk.ipc.door_messages import MAX_PACKET
from kiosk.ipc.limits import Limits
from kiosk.ipc.server import Client, Clients, listening


class Selector(selectors.DefaultSelector):
    """The real one, which may have no room for somebody new."""

    full = False

    def register(self, fileobj: selectors._FileObject, events: int, data: object = None) -> selectors.SelectorKey:  # type: ignore[name-defined]
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().register(fileobj, events, data)


class Listener(socket.socket):
    """The real one; the next whom it accepts may be gone before anything is asked of them."""

    gone = 0

    def accept(self) -> tuple[socket.socket, object]:
        connection, address = super().accept()
        if self.gone:
            self.gone -= 1
            connection.close()
        return connection, address


class Site:
    """A listening socket and its loop; `heard` is what its clients said."""

    def __init__(self, path: Path, listener: Listener) -> None:
        self.path = path
        self.listener = listener
        self.selector = Selector()
        self.heard: list[bytes] = []
        self.left: list[int] = []
        users = frozenset({os.getuid()})
        self.clients = Clients(
            listener,
            self.selector,
            users,
            16,
            Limits(self.selector),
            self._hear,
            lambda client: self.left.append(client.number),
        )

    def _hear(self, _client: Client, packet: bytes) -> None:
        self.heard.append(packet)

    def turn(self) -> None:
        """What waits is served."""
        for key, _ in self.selector.select(0):
            serve: Callable[[], None] = key.data
            serve()

    def connect(self) -> socket.socket:
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        caller.setblocking(False)
        caller.connect(str(self.path))
        return caller


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    path = tmp_path / "door.sock"
    with listening(path, "kiosk-door") as plain, Listener(fileno=plain.detach()) as listener:
        made = Site(path, listener)
        yield made
        made.clients.close()
        made.selector.close()


def served(site: Site, word: bytes) -> bool:
    """Whether somebody who comes now is heard."""
    with contextlib.closing(site.connect()) as caller:
        site.turn()
        caller.send(word)
        site.turn()
    site.turn()
    return word in site.heard


def test_who_is_gone_before_its_user_is_asked_for_ends_nothing(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.listener.gone = 1
    with contextlib.closing(site.connect()), contextlib.closing(site.connect()) as second:
        second.send(b"second")
        site.turn()
        site.turn()
        assert site.heard == [b"second"], "of two who came together, the one who is there is served"
    assert "client_not_taken" in capfd.readouterr().err
    assert served(site, b"later")


def test_who_cannot_be_waited_for_is_turned_away(site: Site) -> None:
    site.selector.full = True
    with contextlib.closing(site.connect()) as caller:
        site.turn()
        assert caller.recv(MAX_PACKET) == b"", "it knows"
    assert site.left == [], "whoever never was there has not left"
    site.selector.full = False
    assert served(site, b"later")
    assert site.left == [2]


def test_a_place_that_is_taken_names_who_is_there(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with (
        listening(path, "the kiosk"),
        pytest.raises(DoorError, match="the kiosk is running here already"),
        listening(path, "the kiosk"),
    ):
        pass
    with (
        pytest.raises(DoorError, match="the socket of the kiosk cannot be made here"),
        listening(path / "x", "the kiosk"),
    ):
        pass
