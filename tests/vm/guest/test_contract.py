"""The contract of every lock (tests/contract/test_locks.py), here with the real gpiod on the real chip."""

from __future__ import annotations

from collections.abc import Callable

import gpiod
import pytest
from gpiod.line import Direction, Value

from tests.contract.test_locks import (
    Rig,
    lock,
    name,
    rig,
    test_a_closed_lock_can_be_opened_again,
    test_a_lock_is_requested_at_its_secured_level_and_has_no_other_before,
    test_a_lock_releases_and_secures,
    test_a_lock_says_whether_it_is_simulated,
    test_a_short_press_between_two_readings_is_seen_once,
    test_closing_a_lock_secures_it,
    test_failing_hardware_raises_and_close_does_not,
    test_inputs_are_read_as_levels,
    test_inputs_change_nothing_about_the_lock,
    test_missing_hardware_raises,
    test_options_are_checked,
    test_without_inputs_there_is_nothing_to_read,
)
from tests.vm.guest.conftest import CHIP, CONTACT, INPUTS, LINE, REX, TAMPER, WIRINGS, Wires, Wiring

__all__ = [
    "lock",
    "name",
    "rig",
    "test_a_closed_lock_can_be_opened_again",
    "test_a_lock_is_requested_at_its_secured_level_and_has_no_other_before",
    "test_a_lock_releases_and_secures",
    "test_a_lock_says_whether_it_is_simulated",
    "test_a_short_press_between_two_readings_is_seen_once",
    "test_closing_a_lock_secures_it",
    "test_failing_hardware_raises_and_close_does_not",
    "test_inputs_are_read_as_levels",
    "test_inputs_change_nothing_about_the_lock",
    "test_missing_hardware_raises",
    "test_options_are_checked",
    "test_without_inputs_there_is_nothing_to_read",
]
WIRE = {"open": (CONTACT, True), "close": (CONTACT, False), "tamper": (TAMPER, True), "restore": (TAMPER, False)}


@pytest.fixture(params=WIRINGS, ids=str)
def built(request: pytest.FixtureRequest, wires: Wires, chip_goes: Callable[[], None]) -> tuple[str, Rig]:
    """As there, with the world's view of the levels from the wire."""
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
    return "gpio", Rig(options, levels, absent, chip_goes, simulated=False, inputs=dict(INPUTS), hand=hand)
