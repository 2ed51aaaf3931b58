from __future__ import annotations

import sys

import pytest

from kiosk.__main__ import main


class Command:
    """`kiosk` in this process, from its arguments to its exit status."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, list[str], list[str]]:
        """Exit status, lines of standard output, lines of standard error."""
        self._monkeypatch.setattr(sys, "argv", ["kiosk", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out.splitlines(), err.splitlines()


@pytest.fixture
def kiosk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)
