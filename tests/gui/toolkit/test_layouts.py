"""The keyboard has the letters of each language, and one key for each of them."""

from __future__ import annotations

import pytest

from kiosk.gui.toolkit import layouts

ALPHABETS = {
    "en": "abcdefghijklmnopqrstuvwxyz",
    "de": "abcdefghijklmnopqrstuvwxyzäöüß",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءأؤئةى",
}
NAMES = "Łukasz Çağlar Bjørn Żółć Šárka Ñuñez Ștefan Æsa Þór"


@pytest.mark.parametrize("language", sorted(layouts.LETTERS))
def test_each_letter_has_one_key(language: str) -> None:
    keys = "".join(layouts.LETTERS[language])
    assert len(set(keys)) == len(keys)
    assert set(ALPHABETS[language]) - set(keys) == set()


def test_rows_are_short_enough_for_a_finger_on_seven_inches() -> None:
    rows = [row for rows in layouts.LETTERS.values() for row in rows]
    assert max(map(len, [*rows, *layouts.ACCENTS, *layouts.SIGNS])) <= 12


def test_names_of_other_languages_can_be_typed() -> None:
    keys = set("".join((*layouts.LETTERS["en"], *layouts.ACCENTS, *layouts.SIGNS)))
    assert {c for c in NAMES.lower() if c != " "} - keys == set()


def test_capitals() -> None:
    assert [layouts.capital(c) for c in "aßñ"] == ["A", "ẞ", "Ñ"]
    assert layouts.letters("xx") == layouts.LETTERS["en"]
