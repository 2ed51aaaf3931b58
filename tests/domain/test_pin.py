"""PINs that may be chosen, and waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.pin import (
    FIRST_WAIT,
    FREE,
    LONGEST,
    LONGEST_WAIT,
    SHORTEST,
    checked,
    checked_duress,
    wait_after,
)


@pytest.mark.parametrize("pin", ["271828", "112233", "123455", "98765433", "0" * 5 + "1", "135790246813"])
def test_a_pin_is_digits_that_are_not_guessed_first(pin: str) -> None:
    assert checked(pin) == pin


@given(st.text(max_size=20))
def test_anything_else_is_refused_with_a_reason(text: str) -> None:
    if SHORTEST <= len(text) <= LONGEST and set(text) <= set("0123456789"):
        return
    with pytest.raises(ValueError, match="PIN"):
        checked(text)


@pytest.mark.parametrize("pin", ["000000", "123456", "654321", "23456789", "", "12345", " 71828", "٢٧١٨٢٨"])
def test_what_is_guessed_first_is_refused(pin: str) -> None:
    with pytest.raises(ValueError, match="PIN"):
        checked(pin)


@given(st.integers(0, 10_000))
def test_the_wait_grows_and_has_an_end(wrong: int) -> None:
    assert 0.0 <= wait_after(wrong) <= wait_after(wrong + 1) <= LONGEST_WAIT
    assert (wait_after(wrong) == 0.0) == (wrong < FREE)
    assert wait_after(FREE) == FIRST_WAIT


def slips(pin: str) -> set[str]:
    """What one slip of a finger makes of a PIN: a wrong, missing or further digit, or two neighbours exchanged."""
    digits = "0123456789"
    made = {pin[:at] + other + pin[at + 1 :] for at in range(len(pin)) for other in digits}
    made |= {pin[:at] + pin[at + 1 :] for at in range(len(pin))}
    made |= {pin[:at] + other + pin[at:] for at in range(len(pin) + 1) for other in digits}
    made |= {pin[:at] + pin[at + 1] + pin[at] + pin[at + 2 :] for at in range(len(pin) - 1)}
    return made


@given(st.from_regex(r"[0-9]{6,12}", fullmatch=True), st.data())
def test_no_slip_of_a_finger_is_a_duress_pin(pin: str, data: st.DataObject) -> None:
    near = slips(pin)
    typed = data.draw(st.one_of(st.sampled_from(sorted(near)), st.from_regex(r"[0-9]{6,12}", fullmatch=True)))
    if typed in near:
        with pytest.raises(ValueError, match="PIN"):
            checked_duress(typed, pin)
        return
    try:
        checked(typed)
    except ValueError:
        return
    assert checked_duress(typed, pin) == typed


@pytest.mark.parametrize("duress", ["123456", "777777", "12345", "27182a"])
def test_a_duress_pin_is_a_pin(duress: str) -> None:
    with pytest.raises(ValueError, match="PIN"):
        checked_duress(duress, "271828")


@pytest.mark.parametrize("near", ["278128", "721828", "271882", "271829", "27182", "2718288", "2271828", "27128"])
def test_exchanged_wrong_missing_and_further_digits_are_slips(near: str) -> None:
    with pytest.raises(ValueError, match="PIN"):
        checked_duress(near, "271828")


@pytest.mark.parametrize("far", ["271199", "828271", "812827", "27188228", "161803", "82172871"])
def test_two_slips_are_none(far: str) -> None:
    assert checked_duress(far, "271828") == far
