"""What a window may ask of the reception: bounded, and nothing of it in a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.entry import LONGEST_CLAIM, LONGEST_PIN, Claim, Claimed, Means, PinTyped


@given(st.text(min_size=1, max_size=LONGEST_CLAIM), st.sampled_from(Means))
def test_a_claim_keeps_what_was_read_and_shows_it_nowhere(text: str, means: Means) -> None:
    claim = Claim(means, text)
    assert claim.text == text
    assert repr(Claimed(claim)) == f"Claimed(claim=Claim(means={means!r}))"


@pytest.mark.parametrize("text", ["", "4" * (LONGEST_CLAIM + 1)])
def test_a_claim_is_bounded_and_the_error_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 200") as error:
        Claim(Means.CARD, text)
    assert "44" not in str(error.value)


def test_a_pin_is_bounded_and_shown_nowhere() -> None:
    assert repr(PinTyped("739154")) == "PinTyped()"
    with pytest.raises(ValueError, match="at most 12") as error:
        PinTyped("7" * (LONGEST_PIN + 1))
    assert "77" not in str(error.value)
