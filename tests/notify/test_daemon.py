"""What ends kiosk-notify."""

from __future__ import annotations

import signal

import pytest

from kiosk.notify import daemon


@pytest.mark.parametrize(
    ("number", "ends"),
    [(None, False), (-1070638832, False), (0, False), (signal.SIGCONT, False), (signal.SIGTERM, True)],
)
def test_only_a_stop_signal_ends_it(monkeypatch: pytest.MonkeyPatch, number: int | None, ends: bool) -> None:
    """Python's sigtimedwait gives rubbish when the process was suspended for longer than it was to wait."""
    found = None if number is None else signal.struct_siginfo((number, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(signal, "sigtimedwait", lambda *_: found)
    assert daemon._told_to_stop(1.0) is ends
