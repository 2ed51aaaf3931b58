"""A home with a gallery, for those who write to one; and a scripted door."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.ipc.door_messages import MAX_PACKET
from tests.storage.conftest import gallery, home

__all__ = ["gallery", "home"]

Script = Callable[[list[list[bytes]]], Path]


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Script]:
    """A door for one client: the n-th packet that comes is answered with the n-th list of packets; then it hangs up."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    threads: list[threading.Thread] = []

    def run(answers: list[list[bytes]]) -> None:
        connection, _ = listener.accept()
        with connection:
            for packets in answers:
                if not connection.recv(MAX_PACKET):
                    return
                for packet in packets:
                    connection.send(packet)
            if answers and not answers[-1]:
                connection.recv(MAX_PACKET)  # stays silent until the client gives up

    def start(answers: list[list[bytes]]) -> Path:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        threads.append(threading.Thread(target=run, args=(answers,)))
        threads[0].start()
        return tmp_path / "s"

    yield start
    for thread in threads:
        thread.join(30)
    listener.close()
