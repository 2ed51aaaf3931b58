"""Names as people write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.naming import LONGEST_NAME, cleaned


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada\u00a0 Lovelace\t", "Ada Lovelace"),
        ("山田\u3000太郎", "山田 太郎"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("ශ්\u200dරී", "ශ්\u200dරී"),
        ("क्\u200dष", "क्\u200dष"),
        ("Jose\u0301", "José"),
        ("O’Brien-Łukasiewicz, Jr.", "O’Brien-Łukasiewicz, Jr."),
        ("X Æ A-12", "X Æ A-12"),
        ("?", "?"),
        ("நிரஞ்சன்", "நிரஞ்சன்"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
    ],
)
def test_names_are_taken_as_they_are_written(written: str, kept: str) -> None:
    assert cleaned(written) == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "empty"),
        ("\u3000\u00a0", "empty"),
        ("\u3164", "U[+]3164 HANGUL FILLER"),
        ("Ada\u2800", "U[+]2800 BRAILLE PATTERN BLANK"),
        ("\u0301", "U[+]0301 COMBINING ACUTE ACCENT"),
        ("Ada \u0301", "U[+]0301"),
        ("Ada\u202eeva", "U[+]202E RIGHT-TO-LEFT OVERRIDE"),
        ("Ada\u200d", "U[+]200D ZERO WIDTH JOINER"),
        ("A \u200c b", "U[+]200C"),
        ("Ada\nBen", "U[+]000A"),
        ("Ada\x1b[2J", "U[+]001B"),
        ("Bj\udcf6rk", "the byte 0xf6, which is no UTF-8"),
        ("\ud800", "U[+]D800"),
        ("x" * (LONGEST_NAME + 1), "101 are too many"),
    ],
)
def test_a_bad_name_is_refused_and_its_character_named(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        cleaned(written)
    assert all(c.isprintable() or c in "\u200c\u200d" for c in str(error.value))


@given(st.text(st.characters(codec=None), max_size=120))
def test_an_accepted_name_is_accepted_again_and_visible(written: str) -> None:
    try:
        name = cleaned(written)
    except ValueError:
        return
    assert cleaned(name) == name
    assert 0 < len(name) <= LONGEST_NAME
    assert name == unicodedata.normalize("NFC", name).strip()
    name.encode("utf-8")
