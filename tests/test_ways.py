"""[entry]: what opens by default, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.config import parse
from kiosk.domain.entry import Means, Ways
from kiosk.domain.errors import ConfigError
from kiosk.ways import EntryConfig


def test_by_default_there_is_no_other_way_in() -> None:
    entry = EntryConfig()
    assert (entry.ways, entry.alone, entry.pins) == (Ways(), [], False)


@pytest.mark.parametrize(
    ("settings", "pins"),
    [
        ({"number": True}, True),
        ({"qr": True}, False),
        ({"card_reader": "08ff:0009"}, False),
        ({"number": True, "pin": False}, False),
        ({"qr": True, "pin": True}, True),
    ],
)
def test_a_pin_opens_where_a_number_is_offered_or_it_is_said(settings: dict[str, Any], pins: bool) -> None:
    assert EntryConfig(**settings).ways.pin is pins


def test_no_code_opens_alone_unless_it_is_said() -> None:
    entry = EntryConfig(number=True, qr=True, card_reader="08ff:0009")
    assert entry.means == set(Means)
    assert entry.alone == ["pin"]
    allowed = EntryConfig(qr=True, card_reader="08ff:0009", qr_alone=True, card_alone=True, passes=True)
    assert allowed.alone == ["qr_alone", "card_alone", "passes"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qr_alone = true", "need qr"),
        ("passes = true", "need qr"),
        ("card_alone = true", "lsusb"),
        ("pin = true", "pin needs"),
        ('verification = "always"', "nobody could say"),
        ('verification = "beyond"', "nobody could say"),
        ('qr = true\nqr_alone = true\nverification = "always"', "neither"),
        ("qr = true\nlook_seconds = 0", "could open nothing"),
        ('card_reader = "8ff:9"', "card_reader"),
        ('card_reader = "08FF:0009"', "card_reader"),
        ("look_seconds = 21", "look_seconds"),
        ("pin_seconds = 4", "pin_seconds"),
        ('number = "maybe"', "number"),
        ("face = true", "unknown key"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        parse(f"[entry]\n{text}", "kiosk.toml", {})
    assert "\n" not in str(error.value)
