"""A short version of `make torture`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 12


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("on_owner_death", ["revert", "keep"])
def test_the_lock_is_secured_in_time_whatever_is_killed(on_owner_death: str) -> None:
    script = Path(__file__).with_name("torture.py")
    command = [sys.executable, str(script), "--kills", str(KILLS), "--seed", "1", "--on-owner-death", on_owner_death]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout, result.stderr
    row = json.loads(result.stdout)
    assert row["missing"] == []
    assert row["held"], row
    assert row["releases"] >= KILLS / 4
