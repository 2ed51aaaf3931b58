"""The wire between kiosk-door and a lock, as a kernel would have it: a process that outlives the door.

    python recorder.py SOCKET RECORD keep|revert

The one process that is connected says "secured" or "released", and hears "ok" once the record has it; another one waits
until it has gone. When it goes, however it goes, the level is kept (Raspberry Pi OS) or reverts to secured (a pull).
Each line of the record is JSON:
{"at": CLOCK_BOOTTIME, "level": ..., "by": "door" | "kernel", "owner": the process that is or was connected}.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from pathlib import Path


def main(path: str, record: str, on_owner_death: str) -> None:
    """Until it is killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, Path(record).open("a", buffering=1) as lines:
        draft = Path(path + ".new")
        listener.bind(str(draft))
        listener.listen()
        draft.rename(path)  # whoever sees it can connect
        level, owner = "secured", 0

        def write(by: str) -> None:
            at = time.clock_gettime(time.CLOCK_BOOTTIME)
            lines.write(json.dumps({"at": at, "level": level, "by": by, "owner": owner}) + "\n")

        while True:
            door, _ = listener.accept()
            owner, _, _ = struct.unpack("3i", door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            with door:
                while said := _said(door):
                    level = said
                    write("door")
                    _answer(door)
            if on_owner_death == "revert" and level == "released":
                level = "secured"
            write("kernel")


def _said(door: socket.socket) -> str:
    try:
        return door.recv(16).decode()
    except ConnectionError:
        return ""


def _answer(door: socket.socket) -> None:
    with contextlib.suppress(OSError):
        door.send(b"ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
