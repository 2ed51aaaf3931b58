"""A lock without hardware, for the demonstration and the tests."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pydantic import BaseModel, ConfigDict

from kiosk.domain.door.state import Hand, Readings
from kiosk.domain.errors import LockError
from kiosk.locks.secure_line import RecorderLine, say
from kiosk.system.clock import boottime

if TYPE_CHECKING:
    import socket


class SimulatedLock:
    """Remembers its level. Writes each change to a file or sends it to a recorder, if one is configured.

    A line of the file is {"at": seconds of CLOCK_BOOTTIME, "level": "secured" | "released"}. The first line is written
    when the lock is made. A recorder is a process of its own. It outlives this process and so knows the level that the
    lock had when this process was killed. It gets "secured" or "released" as packets on its Unix socket and answers
    each with "ok".
    """

    simulated = True

    class Options(BaseModel):
        """[lock] with kind = "simulated". The lock appends to the file `record`. With `inputs` the door has a contact,
        an exit button and a tamper switch, which `kiosk door simulate` operates."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        record: Path | None = None
        recorder: Path | None = None
        inputs: bool = False

    def __init__(self, options: Options) -> None:
        self._level = ""
        self._record: BinaryIO | None = None
        self._recorder: socket.socket | None = None
        self._readings = Readings(open=False, rex=False, tamper=False) if options.inputs else Readings()
        self._pressed = False
        try:
            if options.record is not None:
                self._record = cast("BinaryIO", options.record.open("ab", buffering=0))
            if options.recorder is not None:
                self._recorder = RecorderLine(str(options.recorder)).taken()
            self.secure()
        except OSError as error:
            self.close()
            raise LockError(f"the simulated lock cannot write its record: {error}") from error
        except LockError:
            self.close()
            raise

    def secure(self) -> None:
        """Raises LockError when the record cannot be written."""
        self._set("secured")

    def release(self, seconds: float) -> None:
        """Raises LockError when the record cannot be written."""
        self._set("released")

    def read(self) -> Readings:
        """The inputs as the last move() left them. A press of the exit button is reported once."""
        pressed, self._pressed = self._pressed, False
        return replace(self._readings, rex=True) if pressed else self._readings

    def fileno(self) -> int | None:
        """None: the process that reads the inputs also moves them."""
        return None

    def sound(self, on: bool) -> None:
        """Does nothing: there is no sounder."""

    def move(self, hand: Hand) -> None:
        """Changes the inputs as if somebody used the door. Raises LockError when it has no inputs."""
        if self._readings.open is None:
            raise LockError("the simulated lock has no inputs: set inputs = true in [lock]")
        match hand:
            case Hand.OPEN | Hand.CLOSE:
                self._readings = replace(self._readings, open=hand is Hand.OPEN)
            case Hand.TAMPER | Hand.RESTORE:
                self._readings = replace(self._readings, tamper=hand is Hand.TAMPER)
            case Hand.REX:
                self._pressed = True

    def close(self) -> None:
        """Never raises."""
        with suppress(LockError):
            self.secure()
        if self._record is not None:
            self._record.close()
        if self._recorder is not None:
            self._recorder.close()
        self._record = self._recorder = None

    def _set(self, level: str) -> None:
        if level == self._level:
            return
        try:
            if self._record is not None:
                self._record.write(json.dumps({"at": boottime(), "level": level}).encode() + b"\n")
            if self._recorder is not None:
                say(self._recorder, level)
        except OSError as error:
            self._level = ""  # the recorded level is unknown now
            raise LockError(f"the simulated lock cannot write its record: {error}") from error
        self._level = level
