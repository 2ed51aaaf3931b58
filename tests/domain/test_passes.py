"""What a visitor pass says, and texts that are none."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.entry import LONGEST_CLAIM
from kiosk.domain.errors import PassError
from kiosk.domain.passes import LONGEST, MARK, MOST_USES, Issued, Pass, PassWord, judged, read
from kiosk.domain.people import Subject

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADA = Subject("00000000000000ad", "Ada", NOON - timedelta(days=99))
TOLD = Pass("00112233aabbccdd", ADA.id, NOON, NOON + timedelta(hours=8), ("main",), 2)
SIGNATURE = bytes(range(64))

hexes = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")
doors = st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True), min_size=1, max_size=3, unique=True)
minutes = st.integers(0, 60 * 24 * 365 * 50)


@st.composite
def passes(draw: st.DrawFn) -> Pass:
    begins = datetime(1980, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(minutes))
    ends = begins + timedelta(minutes=draw(st.integers(1, LONGEST // timedelta(minutes=1))))
    return Pass(draw(hexes), draw(hexes), begins, ends, tuple(draw(doors)), draw(st.integers(1, MOST_USES)))


@given(passes(), st.binary(min_size=64, max_size=64))
def test_a_pass_comes_back_from_its_text(told: Pass, signature: bytes) -> None:
    text = told.text(signature)
    assert read(text) == (told, signature)
    assert len(text) <= LONGEST_CLAIM
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), "what a QR code holds most densely"


@given(passes(), passes())
def test_no_two_passes_are_signed_alike(one: Pass, other: Pass) -> None:
    assert (one.signed_bytes() == other.signed_bytes()) == (one == other)


@given(passes(), st.data())
def test_no_other_text_is_the_same_pass(told: Pass, data: st.DataObject) -> None:
    """So nobody makes a second code of a pass that looks like another one in a log."""
    text = told.text(SIGNATURE)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("A2Z7=a19 \n")) + text[at + 1 :]
    for other in (changed, text + data.draw(st.sampled_from("A=2 \n")), text[:-1], text.lower()):
        if other == text:
            continue
        try:
            assert read(other) != (told, SIGNATURE)
        except PassError:
            continue


@pytest.mark.parametrize("door", ["a", "ab", "abc", "abcd"])
def test_bits_that_mean_nothing_must_be_zero(door: str) -> None:
    """Base32 has some behind the last byte, unless the bytes fill the letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = replace(TOLD, doors=(door,)).text(SIGNATURE)
    data = base64.b32decode(text[3:] + "=" * (-len(text[3:]) % 8))
    same = [text[:-1] + letter for letter in letters if letter != text[-1]]
    same = [other for other in same if base64.b32decode(other[3:] + "=" * (-len(other[3:]) % 8)) == data]
    assert same
    for other in same:
        with pytest.raises(PassError, match="damaged"):
            read(other)


@given(st.one_of(st.text(), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").map(MARK.__add__)))
def test_any_text_is_a_pass_or_one_error(text: str) -> None:
    with suppress(PassError):
        assert read(text)[0].text(read(text)[1]) == text


@given(st.binary(max_size=140))
def test_any_bytes_are_a_pass_or_one_error(data: bytes) -> None:
    try:
        told, signature = read(MARK + base64.b32encode(data).decode().rstrip("="))
    except PassError:
        return
    assert told.signed_bytes().endswith(data[:-64])
    assert signature == data[-64:]


@pytest.mark.parametrize(
    "wrong",
    [
        {"uses": 0},
        {"uses": MOST_USES + 1},
        {"doors": ()},
        {"doors": ("main", "main")},
        {"doors": ("Main",)},
        {"doors": ("a,b",)},
        {"doors": ("main\n",)},
        {"doors": tuple(f"door-number-{n}" for n in range(8))},
        {"doors": tuple("abcdefghi")},
        {"ends": NOON},
        {"ends": NOON - timedelta(minutes=1)},
        {"ends": NOON + LONGEST + timedelta(minutes=1)},
        {"begins": NOON + timedelta(seconds=1)},
        {"begins": NOON.replace(tzinfo=None)},
        {"begins": NOON.replace(year=2101), "ends": NOON.replace(year=2101, hour=13)},
        {"id": "0011"},
        {"sponsor": "ada"},
    ],
)
def test_a_pass_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(PassError):
        replace(TOLD, **wrong)  # type: ignore[arg-type]


FRESH = Issued(TOLD, {})


def word(
    issued: Issued = FRESH, door: str = "main", now: datetime | None = NOON, sponsor: Subject | None = ADA
) -> PassWord:
    return judged(issued, door, now, sponsor)


def test_a_pass_is_good_from_its_first_minute_until_its_last() -> None:
    assert word() is PassWord.GOOD
    assert word(now=NOON - timedelta(microseconds=1)) is PassWord.NOT_BEGUN
    assert word(now=TOLD.ends - timedelta(microseconds=1)) is PassWord.GOOD
    assert word(now=TOLD.ends) is PassWord.ENDED


def test_each_reason_alone_is_enough_to_refuse() -> None:
    assert word(now=None) is PassWord.CLOCK
    assert word(door="back") is PassWord.OTHER_DOOR
    assert word(Issued(TOLD, {"main": 2})) is PassWord.USED_UP
    assert word(Issued(TOLD, {"back": 2})) is PassWord.GOOD, "uses count at each door"
    assert word(Issued(TOLD, {}, NOON)) is PassWord.REVOKED
    for sponsor in (
        None,
        replace(ADA, disabled=True),
        replace(ADA, id="00000000000000be"),
        replace(ADA, valid_until=NOON),
        replace(ADA, valid_from=NOON + timedelta(minutes=1)),
    ):
        assert word(sponsor=sponsor) is PassWord.SPONSOR
