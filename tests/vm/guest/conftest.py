"""Real kiosk-doors on the guest's real gpiochip, and the wires at its other side.

Times are the guest's: QEMU counts a nanosecond for each instruction, so they do not depend on how busy the host is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from tests.doors import PATIENCE, Doors, client_of, grant, patience

__all__ = ["client_of", "grant", "patience"]

CHIP = "/dev/gpiochip0"
LINE, CONTACT, REX, TAMPER, SOUNDER = 7, 3, 4, 5, 6
INPUTS = {
    # Wired so that a cut wire alarms. PL061 has no resistors of its own; nobody's wire is low here.
    "contact": {"line": CONTACT, "open_when": "high", "pull": "external"},
    "rex": {"line": REX, "pressed_when": "high", "pull": "external"},
    "tamper": {"line": TAMPER, "tampered_when": "high", "pull": "external"},
}


@dataclass(frozen=True)
class Wiring:
    """How the lock is wired, and so which level is which."""

    fail_mode: str = "secure"
    active_high: bool = True

    @property
    def secured(self) -> bool:
        """Whether the line is high while the lock is secured."""
        return (self.fail_mode == "safe") == self.active_high

    def options(self) -> dict[str, object]:
        """[lock], without its kind."""
        return {"chip": CHIP, "line": LINE, "fail_mode": self.fail_mode, "active_high": self.active_high}


STRIKE, STRIKE_LOW, MAGLOCK, MAGLOCK_LOW = (
    Wiring(mode, high) for mode, high in product(("secure", "safe"), (True, False))
)
WIRINGS = (STRIKE, STRIKE_LOW, MAGLOCK, MAGLOCK_LOW)


class Wires:
    """The guest's end of wires.serve()."""

    def __init__(self) -> None:
        (port,) = Path("/dev").glob("vport*")
        self._port = port.open("r+b", buffering=0)

    def drive(self, line: int, high: bool) -> None:
        """The level that the wire of an input brings."""
        self._send({"drive": line, "levels": [high], "times": 1})
        self.wait()

    def begin_noise(self, line: int, times: int) -> None:
        """High and low again, as fast as can be; wait() has to follow."""
        self._send({"drive": line, "levels": [True, False], "times": times})

    def mark(self) -> int:
        """A moment, for levels()."""
        self._send({"mark": None})
        return int(str(self.wait()))

    def levels(self, line: int, since: int) -> list[bool]:
        """The level of an output at `since`, then each change until now."""
        self._send({"levels": line, "since": since})
        levels = self.wait()
        assert isinstance(levels, list)
        return levels

    def wait(self) -> object:
        """For the answer."""
        text = b""
        while not text.endswith(b"\n"):
            text += self._port.read(4096) or b""
        return json.loads(text)

    def close(self) -> None:
        """Hangs up."""
        self._port.close()

    def _send(self, what: dict[str, object]) -> None:
        self._port.write(json.dumps(what).encode() + b"\n")


def owned(line: int) -> tuple[str, str, bool] | None:
    """(owner, direction, high) of a line of the chip, as the kernel shows it; None for a line that nobody owns."""
    for text in Path("/sys/kernel/debug/gpio").read_text().splitlines():
        name, _, rest = text.partition("(")
        if name.strip() == f"gpio-{512 + line}":
            label, _, state = rest.partition(")")
            direction, level, *_ = state.split()
            return label.strip(" |"), direction, level == "hi"
    return None


def until(what: Callable[[], bool], pause: float = 0.005) -> float:
    """Waits until `what` is so, looking every `pause` seconds; the time at which it was seen."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(pause)
    return time.monotonic()


@dataclass
class GpioDoors(Doors):
    """Starts kiosk-doors with a configuration for the real chip."""

    wiring: Wiring = STRIKE
    parts: dict[str, dict[str, object]] = field(default_factory=dict)
    """Sections below [lock]."""

    def write(self, **door: object) -> Path:
        keys = {"name": "guest", "socket": f"{self.folder}/door.sock", "state": f"{self.folder}/state", **door}
        sections = {"door": keys, "lock": {"kind": "gpio", **self.wiring.options()}}
        sections |= {f"lock.{name}": part for name, part in self.parts.items()}
        path = self.folder / "kiosk.toml"
        with path.open("w") as file:
            for name, section in sections.items():
                file.write(f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items()))
        return path


@pytest.fixture(scope="session", autouse=True)
def wires() -> Iterator[Wires]:
    if "KIOSK_VM" not in os.environ:
        pytest.skip("needs a gpiochip with nothing behind it: make vm-test")
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def doors(tmp_path: Path, wires: Wires) -> Iterator[GpioDoors]:
    for line in (CONTACT, REX, TAMPER):
        wires.drive(line, False)
    running = GpioDoors(tmp_path)
    yield running
    running.clean_up()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows a figure, whatever pytest captures."""

    def show(what: str) -> None:
        with request.getfixturevalue("capsys").disabled():
            print(f"\n    {what}", flush=True)  # noqa: T201

    return show


@pytest.fixture
def chip_goes() -> Iterator[Callable[[], None]]:
    """Takes the chip away, as pulling a cable would; it is back for the next test. Comes before what uses the chip:
    while somebody holds what is left of it, a new one would be called gpiochip1."""
    driver = Path("/sys/bus/amba/drivers/pl061_gpio")
    (device,) = (path.name for path in driver.glob("*.pl061"))

    def goes() -> None:
        (driver / "unbind").write_text(device)

    yield goes
    if not (driver / device).exists():
        (driver / "bind").write_text(device)
        until(Path(CHIP).exists)
