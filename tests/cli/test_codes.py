"""QR codes on a terminal."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from kiosk.cli import codes
from kiosk.domain.errors import KioskError
from kiosk.vision.codes import read

TEXT = "KQ1" + "A7" * 16


class Screen(io.StringIO):
    """A terminal of this encoding, that one can look at."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def photographed(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """What a camera sees: each character is two halves, black on white."""
        lines = [line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in self.getvalue().splitlines()]
        rows = [[[c in "▀█", c in "▄█"] for c in line] for line in lines]
        picture = np.array(rows, np.uint8).transpose(0, 2, 1).reshape(2 * len(rows), -1)
        return np.kron(255 * (1 - picture), np.ones((6, 6), np.uint8))


def test_a_code_on_the_screen_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    codes.hand_out(TEXT, None)
    assert read(screen.photographed()) == [TEXT]


@pytest.mark.parametrize("screen", [Screen("ascii"), io.StringIO(), None])
def test_it_is_drawn_only_where_it_can_be_seen(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO | None) -> None:
    monkeypatch.setattr(sys, "stdout", screen)
    with pytest.raises(KioskError, match="into a file"):
        codes.check_place(None, True)
