"""The world outside the guest's gpiochip: drives its inputs and records what its outputs do.

QEMU's PL061 has eight lines that lead nowhere. Its qtest socket reaches them where the copper would be: what is seen
here is what a relay would see, whatever the guest's kernel or programs believe.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

PATIENCE = 60.0
"""Seconds that QEMU may take to answer."""


def connect(path: Path) -> socket.socket:
    """Waits until QEMU listens at `path`. Raises TimeoutError."""
    until = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > until:
                raise TimeoutError(f"QEMU does not listen at {path}") from None
            time.sleep(0.05)
        else:
            return connection


class Monitor:
    """QEMU's QMP."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.settimeout(PATIENCE)
        self._lines = self._connection.makefile()
        self._lines.readline()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> Any:
        """Raises RuntimeError for an answer that is none."""
        self._connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self._lines:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(f"QEMU: {command}: {answer['error']['desc']}")
        raise RuntimeError(f"QEMU is gone ({command})")

    def device(self, kind: str) -> str:
        """The path of the one device of this kind."""
        parts = self.ask("qom-list", path="/machine/unattached")
        (name,) = (part["name"] for part in parts if part["type"] == f"child<{kind}>")
        return f"/machine/unattached/{name}"


class Wires:
    """The eight lines."""

    def __init__(self, path: Path, chip: str) -> None:
        """`chip` is the device's path. Raises TimeoutError, RuntimeError."""
        self._chip = chip
        self._connection = connect(path)
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._changes: list[tuple[int, bool]] = []
        threading.Thread(target=self._listen, daemon=True).start()
        self._watch = f"irq_intercept_out {chip}"
        self._say(self._watch)

    def drive(self, line: int, high: bool) -> None:
        """The level that the wire of an input brings."""
        self._say(f"set_irq_in {self._chip} unnamed-gpio-in {line} {int(high)}")

    def mark(self) -> int:
        """A moment, for levels()."""
        self._say(self._watch)  # done already, but its answer comes after all changes until now
        return len(self._changes)

    def levels(self, line: int, since: int) -> list[bool]:
        """High or not: at the mark `since`, and after each change until now. What nobody drives is pulled low."""
        now = self.mark()
        before = [high for number, high in self._changes[:since] if number == line]
        after = [high for number, high in self._changes[since:now] if number == line]
        return [before[-1] if before else False, *after]

    def _say(self, command: str) -> None:
        self._connection.sendall(command.encode() + b"\n")
        answer = self._answers.get(timeout=PATIENCE)
        if answer != "OK":
            raise RuntimeError(f"QEMU: {command}: {answer}")

    def _listen(self) -> None:
        for text in self._connection.makefile():
            match text.split():
                case ["IRQ", what, number]:
                    self._changes.append((int(number), what == "raise"))
                case [answer, *_]:
                    self._answers.put(answer)


def serve(wires: Wires, path: Path) -> None:
    """Does what the guest asks at its end of a virtual serial line: a JSON object a line, one answer each."""
    with connect(path) as connection, connection.makefile("rw") as lines:
        for text in lines:
            match json.loads(text):
                case {"drive": line, "levels": levels, "times": times}:
                    for high in levels * times:
                        wires.drive(line, high)
                    answer: object = None
                case {"mark": _}:
                    answer = wires.mark()
                case {"levels": line, "since": mark}:
                    answer = wires.levels(line, mark)
                case other:
                    raise RuntimeError(f"the guest asks {other}")
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
