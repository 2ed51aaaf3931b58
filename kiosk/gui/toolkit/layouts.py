"""What is on the keys of the on-screen keyboard: rows of letters for each language, and two layers for all. No Qt."""

from __future__ import annotations

LETTERS: dict[str, tuple[str, ...]] = {
    "en": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "de": ("qwertzuiopü", "asdfghjklöä", "yxcvbnmß"),
    "ar": ("ضصثقفغعهخحج", "شسيبلاتنمكطأ", "ئءؤرىةوزظدذ"),
}
"""The rows of each language that there are texts in."""

ACCENTS = ("áàâãåäăąæ", "çćčďđéèêëęěğ", "íìîïłñńňóòô", "õöøőœřšśșťț", "úùûüůűýžźżßþ")
"""Letters of the other languages that are written with Latin ones."""

SIGNS = ("1234567890", "-'.,&/()", "@_+")

UPPER = {"ß": "ẞ"}
"""Capitals that are not what Python makes of the letter."""

CASELESS = frozenset({"ar", "fa", "he", "ur"})
"""Languages without capitals."""


def capital(letter: str) -> str:
    """One letter as a capital."""
    return UPPER.get(letter) or letter.upper()


def letters(language: str) -> tuple[str, ...]:
    """The rows of a language; English ones if there are none of its own."""
    return LETTERS.get(language, LETTERS["en"])
