"""How the program finds out that the clock is synchronised."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.system.time_sync import has_rtc, synchronised


def fails(error: Exception) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


def test_systemd_timesyncd_leaves_a_file(tmp_path: Path) -> None:
    marker = tmp_path / "synchronized"
    assert not synchronised(marker, lambda: "no")
    marker.touch()
    assert synchronised(marker, fails(AssertionError("nobody else is asked")))


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda: "yes", True),
        (lambda: "no", False),
        (lambda: "", False),
        (fails(FileNotFoundError("timedatectl")), False),
        (fails(subprocess.TimeoutExpired("timedatectl", 2.0)), False),
    ],
)
def test_of_chrony_timedated_knows_and_who_does_not_answer_has_not_said_so(
    ask: Callable[[], str], expected: bool, tmp_path: Path
) -> None:
    assert synchronised(tmp_path / "none", ask) is expected


def test_has_rtc_knows_whether_the_board_has_a_clock(tmp_path: Path) -> None:
    assert not has_rtc(tmp_path / "none")
    assert not has_rtc(tmp_path)
    (tmp_path / "rtc0").mkdir()
    assert has_rtc(tmp_path)
