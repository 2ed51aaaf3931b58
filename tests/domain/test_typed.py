"""What a badge reader types: one bounded line of letters and digits, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.typed import EV_KEY, EV_SYN, KEYS, LONGEST_GAP, LONGEST_LINE, SHORTEST_PAUSE, SYN_DROPPED, TypedLine

CODES = {letter: code for code, letter in KEYS.items() if code < 64}
ENTER, SHIFT, SEMICOLON = 28, 42, 39


class Reader:
    """Types at so many seconds a key."""

    def __init__(self, gap: float = 0.01) -> None:
        self.line = TypedLine()
        self.gap = gap
        self.at = 100.0
        self.lines: list[str] = []

    def event(self, kind: int, code: int, value: int = 1) -> None:
        line = self.line.take(kind, code, value, self.at)
        if line is not None:
            self.lines.append(line)

    def key(self, code: int) -> None:
        self.at += self.gap
        for value in (1, 0):
            self.event(EV_KEY, code, value)
            self.event(EV_SYN, 0, 0)

    def type(self, text: str, enter: int | None = ENTER) -> None:
        for letter in text:
            if letter.isupper():
                self.event(EV_KEY, SHIFT, 1)
            self.key(CODES[letter.lower()])
            self.event(EV_KEY, SHIFT, 0)
        if enter is not None:
            self.key(enter)

    def rest(self) -> None:
        self.at += SHORTEST_PAUSE


@given(st.text("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=LONGEST_LINE))
def test_letters_and_digits_up_to_enter_are_a_line(text: str) -> None:
    reader = Reader()
    reader.type(text)
    reader.rest()
    reader.type(text, enter=96)
    assert reader.lines == [text, text]


def test_the_keypad_types_digits_too() -> None:
    reader = Reader()
    for code in (79, 80, 81, 75, 76, 77, 71, 72, 73, 82):
        reader.key(code)
    reader.key(ENTER)
    assert reader.lines == ["1234567890"]


@pytest.mark.parametrize("spoil", [SEMICOLON, 57, 15, 105, 59, 1])
def test_a_line_with_any_other_key_is_none_and_the_next_one_is_whole(spoil: int) -> None:
    reader = Reader()
    reader.type("0042", enter=None)
    reader.key(spoil)
    reader.type("42")
    reader.type("0077")
    assert reader.lines == ["0077"]


def test_a_digit_with_shift_is_another_character_and_no_digit() -> None:
    reader = Reader()
    reader.event(EV_KEY, SHIFT, 1)
    reader.key(CODES["4"])
    reader.event(EV_KEY, SHIFT, 0)
    reader.type("2")
    assert reader.lines == []


def test_a_line_that_is_too_long_is_dropped_whole() -> None:
    reader = Reader()
    reader.type("4" * (LONGEST_LINE + 1))
    reader.type("42")
    assert reader.lines == ["42"]


def test_an_empty_line_is_none() -> None:
    reader = Reader()
    reader.type("")
    assert reader.lines == []


def test_nobody_types_a_badge_by_hand() -> None:
    reader = Reader(gap=LONGEST_GAP + 0.1)
    reader.type("004711")
    assert reader.lines == []


def test_what_was_typed_before_a_pause_does_not_count() -> None:
    reader = Reader()
    reader.type("99", enter=None)
    reader.at += LONGEST_GAP + 0.1
    reader.type("42")
    assert reader.lines == ["42"]


def test_lines_that_come_too_fast_are_dropped() -> None:
    reader = Reader()
    for number in range(1000, 3000):
        reader.type(str(number))
    assert 0 < len(reader.lines) <= (reader.at - 100) / SHORTEST_PAUSE + 1


def test_a_key_that_is_held_down_counts_once() -> None:
    reader = Reader()
    reader.type("4", enter=None)
    for _ in range(20):
        reader.event(EV_KEY, CODES["4"], 2)
    reader.type("2")
    assert reader.lines == ["42"]


def test_after_events_were_lost_the_line_is_none() -> None:
    reader = Reader()
    reader.type("00", enter=None)
    reader.event(EV_SYN, SYN_DROPPED)
    reader.type("42")
    reader.type("77")
    assert reader.lines == ["77"]


EVENTS = st.tuples(st.integers(0, 20), st.integers(0, 700), st.integers(-3, 3), st.floats(0, 0.2))


@given(st.lists(EVENTS, max_size=300))
def test_whatever_comes_a_line_is_bounded_in_length_and_rate(events: list[tuple[int, int, int, float]]) -> None:
    line, at, told = TypedLine(), 0.0, -SHORTEST_PAUSE
    for kind, code, value, gap in events:
        at += gap
        text = line.take(kind, code, value, at)
        if text is not None:
            assert text.isascii()
            assert text.isalnum()
            assert len(text) <= LONGEST_LINE
            assert at - told >= SHORTEST_PAUSE
            told = at
