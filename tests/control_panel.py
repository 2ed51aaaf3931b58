"""The panel at the other end of the line: libosdp's ControlPanel on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import time
import tty
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import osdp_sys

from kiosk.domain.badge import Card

KEY = bytes(range(1, 17))
OTHER_KEY = bytes(range(2, 18))
DEFAULT_KEY = bytes(range(0x30, 0x40))
ANEW_SECONDS = 2.0
PATIENCE = 30.0
"""Seconds after which a test fails instead of waiting on."""


class _Channel:
    """The master's end, as libosdp asks for it."""

    id = 0

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, most: int) -> bytes:
        with suppress(OSError):
            return os.read(self._fd, most)
        return b""

    def write(self, data: bytes) -> int:
        with suppress(OSError):
            return os.write(self._fd, data)
        return 0

    def flush(self) -> None: ...


class ControlPanel:
    """`cards` are those that it was told. With `key` None it speaks in plain text; with `install` it tries the default
    key where its own does not work, sets its own with that, and speaks in plain text if all else fails."""

    def __init__(self, link: Path, key: bytes | None = KEY, install: bool = False) -> None:
        """`link` is made to name the reader's end of the line."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        self._channel = _Channel(self._master)
        self.cards: list[Card] = []
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        flags = osdp_sys.FLAG_INSTALL_MODE if install else osdp_sys.FLAG_ENFORCE_SECURE if key else 0
        self._about = {"name": "reader", "address": 0, "flags": flags, "scbk": key, "channel": self._channel}
        self._about |= dict.fromkeys(("version", "model", "vendor_code", "serial_number", "firmware_version"), 1)
        self.restart()

    def restart(self) -> None:
        """On the same line, with the same key; answers to the one before are lost."""
        while self._channel.read(1000):
            pass
        self._panel: Any = osdp_sys.ControlPanel([self._about])
        self._panel.set_event_callback(self._take)

    @property
    def online(self) -> bool:
        """Whether it has a reader: in the secure channel, where it has a key."""
        return bool(self._panel.status())

    @property
    def secure(self) -> bool:
        """Whether there is a secure channel."""
        return bool(self._panel.sc_status())

    def command(self, **command: object) -> None:
        """Queued: the next turns send it."""
        assert self._panel.submit_command(0, command)

    def turn(self) -> None:
        """Reads what has come, and asks when it is time."""
        self._panel.refresh()

    def hang_up(self) -> None:
        """The line is gone. Twice is once."""
        for end in ("_master", "_slave"):
            with suppress(OSError):
                os.close(getattr(self, end))
            setattr(self, end, -1)

    def _take(self, _reader: int, event: dict[str, Any]) -> int:
        if event["event"] == osdp_sys.EVENT_CARDREAD:
            self.cards.append(Card(event["length"], event["data"]))
        return 0


class Attended:
    """A ControlPanel that asks by itself, for a reader in another process. It begins anew when it has lost its reader;
    libosdp's own waits for five minutes, and on a busy machine an answer may come too late."""

    def __init__(self, panel: ControlPanel) -> None:
        self.panel = panel
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def dies(self) -> None:
        """It asks no more. Twice is once."""
        self._stop.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        seen = time.monotonic()
        while not self._stop.is_set():
            self.panel.turn()
            now = time.monotonic()
            if self.panel.online:
                seen = now
            elif now - seen > ANEW_SECONDS:
                self.panel.restart()
                seen = now
            select.select([], [], [], 0.005)
