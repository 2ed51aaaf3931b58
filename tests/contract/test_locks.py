"""One suite for every lock that is registered under the entry points `kiosk.locks`.

A lock that is added there fails here until it has a LockRig: how to build it without its hardware, and how to see
what the world would see.
"""

from __future__ import annotations

import importlib.util
import json
import select
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from kiosk import plugins
from kiosk.domain.door.state import Hand, Readings
from kiosk.domain.errors import LockError
from kiosk.testing.locks import LockContract, LockRig
from tests.fakes.hidraw import Bus

NAMES = sorted({point.name for point in entry_points(group="kiosk.locks")})


def fake_gpiod() -> ModuleType:
    path = Path(__file__).parents[1] / "fakes" / "gpiod.py"
    spec = importlib.util.spec_from_file_location("fake_gpiod", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_gpiod"] = module
    spec.loader.exec_module(module)
    return module


def gpio(fail_mode: str, active_high: bool) -> Callable[[Path, pytest.MonkeyPatch], LockRig]:
    def rig(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> LockRig:
        chip = fake_gpiod().Chip()
        monkeypatch.setattr("gpiod.request_lines", chip.request_lines)
        options = {"chip": chip.path, "line": 17, "active_high": active_high, "fail_mode": fail_mode}

        def levels() -> list[str]:
            energised = [high == active_high for high in chip.high]
            return ["released" if on == (fail_mode == "secure") else "secured" for on in energised]

        def break_it() -> None:
            chip.broken = True

        # Wired so that a cut wire alarms; the fake's lines begin low.
        inputs = {
            "contact": {"line": "CONTACT", "open_when": "high", "pull": "up"},
            "rex": {"line": 22, "pressed_when": "high", "pull": "down"},
            "tamper": {"line": 23, "tampered_when": "high", "pull": "up"},
        }

        def hand(_lock: object, what: str) -> None:
            if what == "rex":
                chip.wire(22, True)
                chip.wire(22, False)
            else:
                line: int | str = "CONTACT" if what in {"open", "close"} else 23
                chip.wire(line, what in {"open", "tamper"})

        absent = options | {"chip": "/dev/gpiochip9"}
        return LockRig(options, levels, absent, break_it, simulated=False, inputs=inputs, hand=hand)

    return rig


def simulated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LockRig:
    record = folder / "record"

    def levels() -> list[str]:
        return [json.loads(line)["level"] for line in record.read_text().splitlines()]

    def break_it() -> None:
        def full(_: object) -> str:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("kiosk.locks.simulated.json.dumps", full)

    def hand(lock: Any, what: str) -> None:
        lock.move(Hand(what))

    absent: dict[str, object] = {"record": str(folder / "none" / "x")}
    options: dict[str, object] = {"record": str(record)}
    return LockRig(options, levels, absent, break_it, simulated=True, inputs={"inputs": True}, hand=hand)


def usb_hid(fail_mode: str) -> Callable[[Path, pytest.MonkeyPatch], LockRig]:
    def rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LockRig:
        bus = Bus(folder)
        bus.install(monkeypatch)
        bus.plug()
        on = {"FF 2": True, "FD 2": False}

        def levels() -> list[str]:
            return ["released" if on[told] == (fail_mode == "secure") else "secured" for told in bus.commands()]

        def hand(_lock: object, _what: str) -> None:
            raise AssertionError("it has no inputs")

        options: dict[str, object] = {"channel": 2, "fail_mode": fail_mode, "serial": "BITFT"}
        absent = options | {"serial": "OTHER"}
        return LockRig(options, levels, absent, bus.unplug, simulated=False, inputs=None, hand=hand)

    return rig


RIGS: dict[str, list[Callable[[Path, pytest.MonkeyPatch], LockRig]]] = {
    "gpio": [gpio(fail_mode, high) for fail_mode, high in product(("secure", "safe"), (True, False))],
    "simulated": [simulated],
    "usb-hid": [usb_hid("secure"), usb_hid("safe")],
}
CASES = [(name, make) for name in NAMES for make in RIGS.get(name, [])]


Make = Callable[[Path, pytest.MonkeyPatch], LockRig]


def plugin(name: str) -> Any:
    return plugins.load("locks", name)


class TestLocks(LockContract):
    @pytest.fixture(params=CASES, ids=[name for name, _ in CASES])
    def case(self, request: pytest.FixtureRequest) -> tuple[str, Make]:
        name, make = request.param
        return name, make

    @pytest.fixture
    def plugin(self, case: tuple[str, Make]) -> Any:
        return plugins.load("locks", case[0])

    @pytest.fixture
    def rig(self, case: tuple[str, Make], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LockRig:
        return case[1](tmp_path, monkeypatch)


def test_every_lock_is_tested_here() -> None:
    assert set(RIGS) == set(NAMES)
    assert {"gpio", "simulated", "usb-hid"} <= set(NAMES)


# The simulated lock's own


def test_a_simulated_door_without_inputs_says_how_to_have_them() -> None:
    lock = plugin("simulated")(plugin("simulated").Options())
    with pytest.raises(LockError, match="inputs = true"):
        lock.move(Hand.OPEN)


# The gpio lock's own


GPIO = {"chip": "/dev/gpiochip0", "line": 17, "active_high": True, "fail_mode": "secure"}


@pytest.mark.parametrize("missing", GPIO)
def test_gpio_guesses_nothing(missing: str) -> None:
    with pytest.raises(ValidationError):
        plugin("gpio").Options.model_validate({k: v for k, v in GPIO.items() if k != missing})


@pytest.mark.parametrize(
    "wrong", [{"line": -1}, {"line": ""}, {"line": True}, {"active_high": "yes"}, {"fail_mode": "open"}, {"chip": ""}]
)
def test_gpio_takes_nothing_ambiguous(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        plugin("gpio").Options.model_validate(GPIO | wrong)


@pytest.mark.parametrize(
    ("fail_mode", "active_high", "secured"),
    [("secure", True, False), ("secure", False, True), ("safe", True, True), ("safe", False, False)],
)
def test_gpio_levels_follow_active_high_and_fail_mode(
    monkeypatch: pytest.MonkeyPatch, fail_mode: str, active_high: bool, secured: bool
) -> None:
    """A strike's relay is energised to release, a maglock's to secure; `secured` is whether the line is then high."""
    chip = fake_gpiod().Chip()
    monkeypatch.setattr("gpiod.request_lines", chip.request_lines)
    cls = plugin("gpio")
    lock = cls(
        cls.Options.model_validate(GPIO | {"active_high": active_high, "fail_mode": fail_mode, "line": "GPIO17"})
    )
    lock.release(1)
    lock.secure()
    assert chip.high == [secured, not secured, secured]
    assert chip.consumer == "kiosk-door"
    with pytest.raises(LockError, match="busy"):
        cls(cls.Options.model_validate(GPIO))
    lock.close()
    assert not chip.held
    with pytest.raises(LockError, match="given back"):
        lock.release(1)


INPUTS: dict[str, dict[str, object]] = {
    "contact": {"line": 27, "open_when": "low", "pull": "down"},
    "rex": {"line": 22, "pressed_when": "low", "pull": "up"},
    "tamper": {"line": 23, "tampered_when": "high", "pull": "external"},
    "sounder": {"line": 24, "active_high": False},
}


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Any:
    chip = fake_gpiod().Chip()
    monkeypatch.setattr("gpiod.request_lines", chip.request_lines)
    return chip


def gpio_lock(more: dict[str, Any]) -> Any:
    return plugin("gpio")(plugin("gpio").Options.model_validate(GPIO | more))


def test_gpio_requests_the_lock_before_all_else(chip: Any) -> None:
    lock = gpio_lock(INPUTS)
    assert chip.asked == [17, 27, 22, 23, 24]
    assert chip.levels[24] is True  # a sounder that is energised by a low line is silent
    lock.sound(True)
    assert chip.levels[24] is False
    lock.close()
    assert chip.levels[24] is True


def test_gpio_polarity_and_pull_are_those_of_the_configuration(chip: Any) -> None:
    for line, high in ((27, True), (22, True), (23, False)):
        chip.wire(line, high)
    lock = gpio_lock(INPUTS)
    inputs = chip.requests[1].settings
    assert [(s.active_low, s.bias.name) for s in inputs.values()] == [
        (True, "PULL_DOWN"),
        (True, "PULL_UP"),
        (False, "DISABLED"),
    ]
    assert lock.read() == Readings(open=False, rex=False, tamper=False)
    for line, high in ((27, False), (22, False), (23, True)):
        chip.wire(line, high)
    assert lock.read() == Readings(open=True, rex=True, tamper=True)


def test_gpio_is_woken_by_an_edge_and_not_again_once_it_was_read(chip: Any) -> None:
    lock = gpio_lock({"contact": INPUTS["contact"]})
    assert select.select([lock.fileno()], [], [], 0)[0] == []
    chip.wire(27, True)
    assert select.select([lock.fileno()], [], [], 0)[0] != []
    assert lock.read() == Readings(open=False)
    assert select.select([lock.fileno()], [], [], 0)[0] == []


def test_a_gpio_line_that_never_rests_does_not_keep_the_door(chip: Any) -> None:
    lock = gpio_lock(INPUTS)
    chip.noisy = 27
    lock.read()
    assert 0 < chip.flips < 100


def test_gpio_inputs_that_cannot_be_read_raise(chip: Any) -> None:
    lock = gpio_lock(INPUTS)
    chip.broken = True
    with pytest.raises(LockError, match="cannot be read"):
        lock.read()
    with pytest.raises(LockError, match="cannot be set"):
        lock.sound(True)


@pytest.mark.parametrize("refused", [27, 24])
def test_gpio_gives_all_back_when_one_line_cannot_be_had(chip: Any, refused: int) -> None:
    chip.refuse = refused
    with pytest.raises(LockError, match=f"{refused}"):
        gpio_lock(INPUTS)
    assert not chip.held
    assert chip.high == [False, False]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"contact": {"line": 27, "open_when": "high", "pull": "down"}}, "cut wire"),
        ({"contact": {"line": 27, "open_when": "low", "pull": "up"}}, "cut wire"),
        ({"tamper": {"line": 27, "tampered_when": "low", "pull": "up"}}, "cut wire"),
        ({"contact": {"line": 27, "open_when": "high"}}, "pull"),
        ({"contact": {"line": 27, "pull": "up"}}, "open_when"),
        ({"rex": {"line": 22, "pressed_when": "high", "pull": "none"}}, "pull"),
        ({"sounder": {"line": 24}}, "active_high"),
        ({"sounder": {"line": 17, "active_high": True}}, "twice"),
        ({"buzzer": {"line": 17}}, "buzzer"),
    ],
)
def test_gpio_takes_no_input_that_is_not_explicit(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        plugin("gpio").Options.model_validate(GPIO | more)


def test_gpio_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    cls = plugin("gpio")
    with pytest.raises(LockError, match="pip install 'gpiod"):
        cls(cls.Options.model_validate(GPIO))


# What the unit runs when kiosk-door has stopped


@pytest.mark.parametrize(
    ("fail_mode", "active_high", "secured"),
    [("secure", True, False), ("secure", False, True), ("safe", True, True), ("safe", False, False)],
)
def test_the_line_is_secured_without_the_door(
    chip: Any, tmp_path: Path, fail_mode: str, active_high: bool, secured: bool
) -> None:
    from kiosk.locks import secure_line

    path = tmp_path / "kiosk.toml"
    path.write_text(
        f'[lock]\nkind = "gpio"\nchip = "{chip.path}"\nline = 17\nactive_high = {str(active_high).lower()}\n'
        f'fail_mode = "{fail_mode}"\n'
    )
    assert secure_line.main([str(path)]) == 0
    assert (chip.high, chip.held) == ([secured], False)


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("", 0, "has no line"),
        ('[lock]\nkind = "simulated"', 0, "has no line"),
        ('[lock]\nkind = "gpio"\nchip = "/dev/gpiochip0"\nline = 17\nfail_mode = "safe"', 2, "active_high"),
        ('[lock]\nkind = "gpio"\nchip = "x"\nline = 17\nactive_high = true\nfail_mode = "open"', 2, "fail_mode"),
        ('[lock]\nkind = "gpio"\nchip = "x"\nline = 17\nactive_high = true\nfail_mode = "safe"', 2, "No such file"),
        ('[lock]\nkind = "gpio"\nchip = "x"\nline = -1\nactive_high = true\nfail_mode = "safe"', 2, "line"),
        ('lock = "gpio"', 2, "not a section"),
        ("[lock", 2, "table declaration"),
    ],
)
@pytest.mark.usefixtures("chip")
def test_securing_without_the_door_guesses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, status: int, says: str
) -> None:
    from kiosk.locks import secure_line

    path = tmp_path / "kiosk.toml"
    path.write_text(text)
    assert secure_line.main([str(path)]) == status
    assert says in capsys.readouterr().err


def test_securing_without_the_door_needs_gpiod_alone() -> None:
    script = "import sys, kiosk.locks.secure_line, gpiod; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[2] for name in loaded if name.startswith("kiosk")} == {
        "",
        "locks",
        "locks.secure_line",
        "environment",
        "domain",
        "domain.errors",
        "domain.plain_text",
    }
    assert "pydantic" not in loaded


# What kiosk-door begins with


@pytest.fixture
def named(chip: Any, tmp_path: Path) -> Path:
    """A configuration with a maglock on line 17: secured, it is high."""
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[lock]\nkind = "gpio"\nchip = "{chip.path}"\nline = 17\nactive_high = true\nfail_mode = "safe"\n')
    return path


def test_the_line_that_is_held_first_is_the_one_that_the_lock_takes_over(chip: Any, named: Path) -> None:
    from kiosk.locks import secure_line

    secure_line.hold(named)
    assert (chip.asked, chip.high, chip.consumer) == ([17], [True], "kiosk-door")
    lock = gpio_lock({"fail_mode": "safe"})
    assert chip.asked == [17]
    lock.release(1)
    assert chip.high == [True, False]
    lock.close()
    assert (chip.high, chip.held) == ([True, False, True], False)


def test_the_environment_counts_for_the_line_that_is_held_first(
    chip: Any, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiosk.locks import secure_line

    monkeypatch.setenv("KIOSK_LOCK__LINE", "27")
    monkeypatch.setenv("KIOSK_LOCK__FAIL_MODE", "secure")
    assert secure_line.main([str(named)]) == 0
    assert (chip.asked, chip.high) == ([27], [False])


@pytest.mark.parametrize("text", ["[lock", '[lock]\nkind = "gpio"', '[lock]\nkind = "paper"', "", "lock = 1"])
def test_what_cannot_be_held_first_is_left_to_the_configuration(chip: Any, named: Path, text: str) -> None:
    from kiosk.locks import secure_line

    named.write_text(text)
    secure_line.hold(named)
    secure_line.hold(named.with_name("none.toml"))
    assert (chip.asked, chip.held) == ([], False)


def test_a_line_that_somebody_else_has_is_left_to_the_lock(chip: Any, named: Path) -> None:
    from kiosk.locks import secure_line

    other = gpio_lock({})
    secure_line.hold(named)
    with pytest.raises(LockError, match="busy"):
        gpio_lock({"fail_mode": "safe"})
    other.close()
