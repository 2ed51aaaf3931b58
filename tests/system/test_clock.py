"""The clock that kiosk and kiosk-door share, and drivers' stamps on it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kiosk
from kiosk.system.clock import DriverStamps, boottime, pause, slowed

PACKAGE = Path(kiosk.__file__).parent
STAMPS = {"system/clock.py", *(f"cameras/{name}.py" for name in ("gstreamer", "newest", "raspberry_pi", "usb"))}
BEATS = {"station/assembly.py"}
"""The beats of threads of one process, for its own watchdog."""
THROTTLES = {"ipc/limits.py"}
"""What kiosk-door allows its users: no time of another process or of the lock, and the select that waits for it does
not count a suspend either."""
SHARED = ("cameras/", "demonstration/camera", "cli/door", "gui/", "locks/simulated", "station/", "door/", "ipc/")
"""Where times are compared that come from another process, or from a camera."""


class Machine:
    """Two clocks; `suspend` moves the one that counts it."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.asleep = 7.0

    def boot(self) -> float:
        return self.monotonic + self.asleep

    def suspend(self, seconds: float) -> None:
        self.asleep += seconds

    def stamps(self) -> DriverStamps:
        return DriverStamps(self.boot, lambda: self.monotonic)


def test_boottime_is_the_clock_of_the_name() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= boottime() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_times_that_processes_share_are_never_of_the_monotonic_clock() -> None:
    """It stands still while the machine is suspended: a grant from before would be good after it."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\bmonotonic\(\)|time\.monotonic\b|import monotonic", path.read_text(encoding="utf-8"))
    }
    assert {name for name in users if name.startswith(SHARED)} - STAMPS - BEATS - THROTTLES == set()


def test_a_stamp_from_before_a_suspend_is_as_old_as_it_is() -> None:
    machine = Machine()
    stamps = machine.stamps()
    taken = machine.monotonic
    assert stamps.translated(taken) == pytest.approx(machine.boot())
    machine.monotonic += 0.03
    machine.suspend(3600.0)
    assert machine.boot() - stamps.translated(taken) == pytest.approx(3600.03)
    machine.monotonic += 0.03
    assert machine.boot() - stamps.translated(taken) == pytest.approx(3600.06), "asked again"
    assert machine.boot() - stamps.translated(machine.monotonic) == pytest.approx(0.0)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 5.0), st.just(0.0) | st.floats(0.1, 1e5), st.floats(0.0, 0.5)), min_size=1, max_size=20
    )
)
def test_a_frame_is_never_younger_than_it_is(steps: list[tuple[float, float, float]]) -> None:
    """Whenever the machine was suspended between a frame and its reading, and however long."""
    machine = Machine()
    stamps = machine.stamps()
    for awake, asleep, after in steps:
        taken, at = machine.monotonic, machine.boot()
        machine.monotonic += awake
        machine.suspend(asleep)
        machine.monotonic += after
        assert stamps.translated(taken) <= at + 1e-6


def test_a_slowed_clock_is_shared_and_ends_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "clock_gettime", lambda _: 1000.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    with slowed(0.25):
        assert boottime() == 250.0
        pause(2.0)
    pause(2.0)
    assert boottime() == 1000.0
    assert slept == [8.0, 2.0]


@pytest.mark.parametrize("pace", [0.0, -1.0, 1.5, float("nan")])
def test_no_other_clock_is_made(pace: float) -> None:
    with pytest.raises(ValueError, match="pace"), slowed(pace):
        pass
