"""Badge numbers as bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.badge import FIELDS, LARGEST_BADGE, CardFormat

FORMATS = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda bits: st.builds(CardFormat, st.just(bits), st.integers(0, 2 ** FIELDS[bits][0] - 1))
)


@pytest.mark.parametrize(
    ("facility", "badge", "value"),
    # 118/1603 is the example of every Wiegand decoder (Proxmark's 2006ec0c86, without its leading sentinel).
    [(1, 1, 0x2020002), (118, 1603, 0x2EC0C86)],
)
def test_cards_of_26_bits_match_known_values(facility: int, badge: int, value: int) -> None:
    card = CardFormat(26, facility).encode(badge)
    assert (card.bits, int.from_bytes(card.data, "big") >> 6) == (26, value)


@given(FORMATS, st.data())
def test_a_card_decodes_to_its_facility_and_number(cards: CardFormat, data: st.DataObject) -> None:
    badge = data.draw(st.integers(1, cards.largest))
    card = cards.encode(badge)
    bits = "".join(f"{byte:08b}" for byte in card.data)
    assert (len(card.data), set(bits[card.bits :]) <= {"0"}) == ((card.bits + 7) // 8, True)
    payload = bits[1 : card.bits - 1]
    facility_bits = FIELDS[card.bits][0]
    assert (int(payload[:facility_bits], 2), int(payload[facility_bits:], 2)) == (cards.facility, badge)
    half = (len(payload) + 1) // 2
    assert (bits[0] + payload[:half]).count("1") % 2 == 0
    assert (payload[-half:] + bits[card.bits - 1]).count("1") % 2 == 1


@pytest.mark.parametrize(("bits", "facility"), [(27, 1), (26, 256), (26, -1), (34, 65536)])
def test_an_unknown_card_format_is_refused(bits: int, facility: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        CardFormat(bits, facility)


@pytest.mark.parametrize("badge", [0, -1, 65536])
def test_a_badge_number_that_does_not_fit_is_refused(badge: int) -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        CardFormat(26, 1).encode(badge)


def test_largest_badge_is_the_largest_of_all_formats() -> None:
    assert max(CardFormat(bits, 0).largest for bits in FIELDS) == LARGEST_BADGE
