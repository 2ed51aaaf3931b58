"""Personal numbers."""

from __future__ import annotations

import pytest

from kiosk.domain.number import checked


@pytest.mark.parametrize("number", ["0000", "1234", "271828", "99999999"])
def test_four_to_eight_digits_are_a_number(number: str) -> None:
    assert checked(number) == number


@pytest.mark.parametrize("number", ["", "123", "123456789", "12 34", "12a4", "-123", "²345", "１２３４", "1234\n"])
def test_nothing_else_is(number: str) -> None:
    with pytest.raises(ValueError, match="4 to 8 digits"):
        checked(number)
