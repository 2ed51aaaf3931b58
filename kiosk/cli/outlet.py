"""Writes lines of the running kiosk to a console or a journal. No fault of the output affects the writing thread.

A pipe may be closed, a disk full, a terminal stopped with Ctrl-S, a journal stuck: the door must work on.
"""

from __future__ import annotations

import os
import queue
import time
from threading import Thread
from typing import TextIO

from kiosk.domain.plain_text import escaped

ROOM = 1000
"""Most waiting lines; further ones are lost."""
FAREWELL_SECONDS = 1.0
"""Longest time at the end for writing the waiting lines."""


class Outlet:
    """Writes lines to a stream in its own thread. `put` never raises and never waits. A line that cannot be written, or
    for which there is no room, is lost and counted in `lost`."""

    def __init__(self, stream: TextIO | None) -> None:
        self._encoding = getattr(stream, "encoding", None) or "ascii"
        try:
            # Writes past Python's buffer, because a thread that hangs in the kernel would keep the buffer's lock.
            self._file = None if stream is None else stream.fileno()
        except (OSError, ValueError):
            self._file = None
        self.lost = 0
        self.trouble = "" if self._file is not None else "it is closed"
        """Why a line could not be written."""
        self._lines: queue.Queue[bytes | None] = queue.Queue(ROOM)
        self._thread = Thread(target=self._loop, name="outlet", daemon=True)
        if self._file is not None:
            self._thread.start()

    def put(self, line: str) -> None:
        """Queues `line`, escaped and with a line end. Any thread may call it."""
        if self._file is None:
            self.lost += 1
            return
        try:
            self._lines.put_nowait(escaped(line, self._encoding).encode(self._encoding, "backslashreplace") + b"\n")
        except (queue.Full, LookupError, UnicodeError) as error:
            self.lost += 1
            self.trouble = self.trouble or ("it is not read" if isinstance(error, queue.Full) else str(error))

    def close(self, seconds: float = FAREWELL_SECONDS) -> None:
        """Waits at most `seconds` until the waiting lines are written, and drops the rest."""
        until = time.monotonic() + seconds
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        if self._thread.is_alive():
            self._thread.join(max(0.0, until - time.monotonic()))

    def _loop(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
            except OSError as error:
                self.lost += 1
                self.trouble = error.strerror or str(error)

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        while line:
            line = line[os.write(self._file, line) :]
