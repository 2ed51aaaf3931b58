"""The contract of every lock (kiosk/testing/locks.py), here with the real gpiod on the real chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpiod
import pytest
from gpiod.line import Direction, Value

from kiosk.locks.gpio import GpioLock
from kiosk.testing.locks import LockContract, LockRig
from tests.vm.guest.conftest import CHIP, CONTACT, INPUTS, LINE, REX, TAMPER, WIRINGS, Wires, Wiring

WIRE = {"open": (CONTACT, True), "close": (CONTACT, False), "tamper": (TAMPER, True), "restore": (TAMPER, False)}


@pytest.fixture(params=WIRINGS, ids=str)
def wired(request: pytest.FixtureRequest, wires: Wires, chip_goes: Callable[[], None]) -> LockRig:
    """The world's view of the levels is that of the wire."""
    wiring: Wiring = request.param
    for line in (CONTACT, REX, TAMPER):
        wires.drive(line, False)
    before = gpiod.LineSettings(
        direction=Direction.OUTPUT, output_value=Value.ACTIVE if wiring.secured else Value.INACTIVE
    )
    with gpiod.request_lines(CHIP, config={LINE: before}):
        pass
    since = wires.mark()

    def levels() -> list[str]:
        return ["secured" if high is wiring.secured else "released" for high in wires.levels(LINE, since)]

    def hand(_lock: object, what: str) -> None:
        if what == "rex":
            wires.drive(REX, True)
            wires.drive(REX, False)
        else:
            wires.drive(*WIRE[what])

    options = wiring.options()
    absent = options | {"chip": "/dev/gpiochip9"}
    return LockRig(options, levels, absent, chip_goes, simulated=False, inputs=dict(INPUTS), hand=hand)


class TestGpioLock(LockContract):
    """With each way of wiring."""

    @pytest.fixture
    def plugin(self) -> Any:
        return GpioLock

    @pytest.fixture
    def rig(self, wired: LockRig) -> LockRig:
        return wired
