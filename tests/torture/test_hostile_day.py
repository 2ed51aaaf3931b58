"""A short version of the hostile day; `make prove` runs a long one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 5


def _day(rounds: int, enrolments: int, seed: int) -> dict[str, object]:
    script = Path(__file__).with_name("hostile_day.py")
    numbers = ["--rounds", str(rounds), "--enrolments", str(enrolments), "--seed", str(seed)]
    done = subprocess.run([sys.executable, str(script), *numbers], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    row = json.loads(done.stdout)
    assert row["violations"] == []
    assert done.returncode == 0
    return dict(row["done"])


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_and_no_fault_outlives_its_cause() -> None:
    done = _day(ROUNDS, 0, 3)
    assert done["rounds"] == ROUNDS


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_a_long_hostile_day_loses_nothing_acknowledged() -> None:
    rounds = int(os.environ.get("PROVE_ROUNDS", "1000"))
    done = _day(rounds, min(60, rounds), 7)
    assert done["rounds"] == rounds
    assert done["enrolments in a row"] == min(60, rounds)
