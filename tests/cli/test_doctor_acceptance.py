"""`kiosk doctor --acceptance`: what only a real door shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.cli import doctor_acceptance
from kiosk.config import Config

Command = Callable[..., Any]
GPIO = {"kind": "gpio", "chip": "/dev/gpiochip0", "line": 17, "active_high": True, "fail_mode": "secure"}


def dos(lock: dict[str, object]) -> list[str]:
    return [trial.do for trial in doctor_acceptance.trials(Config.model_validate({"lock": lock}))]


def test_the_way_out_comes_first_and_a_contact_is_tried_where_there_is_one() -> None:
    plain = dos(GPIO)
    assert plain[0] == "Press the exit button while the kiosk runs."
    contact = {"contact": {"line": 27, "open_when": "high", "pull": "up"}}
    assert set(dos({**GPIO, **contact})) - set(plain) == {trial.do for trial in doctor_acceptance.CONTACT}
    assert len(dos({**GPIO, **contact})) <= 18, "ten minutes, half a minute each"
    restarts = [do for do in dos({**GPIO, **contact}) if "plug" in do and "board" in do.lower()]
    assert len(restarts) == 1, "and one start of the board, beside that after the enrolment"


def test_the_list_is_printed_and_nothing_is_looked_at(kiosk: Command, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text('[camera]\nkind = "usb"\ndevice = "/dev/not-there"\n[lock]\nkind = "simulated"\n')
    said = kiosk("doctor", "--acceptance", "--config", config)
    assert said.status == 0
    assert said.out[0].startswith("The lock is simulated")
    assert said.out[1].startswith("[ ]  1. ")
    assert said.out[-2 * len(doctor_acceptance.LATER) - 1] == "Later, within the first days:"
    assert not any("exit button" in line for line in said.out)
