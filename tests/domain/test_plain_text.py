"""Foreign text on a line cannot move the cursor, start a line or change the reading direction."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.plain_text import escaped, one_line

ANY_TEXT = st.text(st.characters(codec=None))
"""Lone surrogates too."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Łukasz", "Łukasz"),
        ("a\ngranted matched Ada", "a\\x0agranted matched Ada"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("Bj\udcf6rk.png", "Bj\\udcf6rk.png"),
        ("\u200bx\ufeffy\U000e0041", "\\u200bx\\ufeffy\\U000e0041"),
        ("علی\u200cرضا", "علی\u200cرضا"),
    ],
)
def test_what_could_deceive_is_escaped_and_names_are_not(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("case", ["latin-1 \\u0141ó", "ascii \\u0141\\xf3", "gone \\u0141\\xf3"])
def test_what_an_encoding_lacks_is_escaped(case: str) -> None:
    encoding, shown = case.split()
    assert escaped("Łó", encoding) == shown


def test_a_message_is_one_line() -> None:
    assert one_line("a\r\n  b\tc\x1b") == "a b c\\x1b"


@given(ANY_TEXT, st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "iso2022_jp", "gone"]))
def test_nothing_but_printable_characters_and_joiners_comes_through(text: str, encoding: str) -> None:
    shown = escaped(text, encoding)
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert all(c.isprintable() or c in "\u200c\u200d" for c in shown)
    if encoding != "gone":
        shown.encode(encoding)
