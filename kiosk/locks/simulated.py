"""A lock that moves nothing in the world, for the demonstration and the tests."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import BaseModel, ConfigDict

from kiosk.domain.errors import LockError


class SimulatedLock:
    """Remembers its level, and writes each change of it to a file when one is named.

    A line of the file is {"at": seconds of CLOCK_MONOTONIC, "level": "secured" | "released"}; the first one is written
    when the lock is taken.
    """

    simulated = True

    class Options(BaseModel):
        """[lock] with kind = "simulated". `record` is appended to."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        record: Path | None = None

    def __init__(self, options: Options) -> None:
        self._level = ""
        self._record: BinaryIO | None = None
        if options.record is not None:
            try:
                self._record = cast("BinaryIO", options.record.open("ab", buffering=0))
            except OSError as error:
                raise LockError(f"the simulated lock cannot write its record: {error}") from error
        try:
            self.secure()
        except LockError:
            self.close()
            raise

    def secure(self) -> None:
        """Raises LockError when the record cannot be written."""
        self._set("secured")

    def release(self, seconds: float) -> None:
        """Raises LockError when the record cannot be written."""
        self._set("released")

    def close(self) -> None:
        """Never raises."""
        with suppress(LockError):
            self.secure()
        if self._record is not None:
            self._record.close()
        self._record = None

    def _set(self, level: str) -> None:
        if level == self._level:
            return
        if self._record is not None:
            try:
                self._record.write(json.dumps({"at": time.monotonic(), "level": level}).encode() + b"\n")
            except OSError as error:
                raise LockError(f"the simulated lock cannot write its record: {error}") from error
        self._level = level
