"""Another way in: from the first touch to the station's answer, and what happens when nobody goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.entry import Claim, Claimed, GaveUp, Means, PinTyped, Step
from kiosk.domain.updates import EntryChanged
from kiosk.gui.entry import ANSWER_SECONDS, LEFT_SECONDS, WAIT_SECONDS, Entry, Place


def begun(*steps: tuple[float, EntryChanged]) -> Entry:
    made = Entry()
    for at, event in steps:
        made.changed(event, at)
    return made


def test_what_nobody_goes_on_with_is_given_up() -> None:
    made = begun((0, EntryChanged(Step.PIN)))
    assert made.late(LEFT_SECONDS - 0.1) is None
    made.touched(10)
    assert made.late(LEFT_SECONDS + 5) is None
    assert made.late(LEFT_SECONDS + 10) == GaveUp()
    assert made.place is Place.NONE
    assert made.late(1000) is None


def test_the_station_is_told_only_of_what_it_knows() -> None:
    made = Entry()
    made.choose(Means.NUMBER, 0)
    assert made.end() is None
    made.choose(Means.NUMBER, 0)
    assert made.typed("4711", 1) == Claimed(Claim(Means.NUMBER, "4711"))
    assert made.end() == GaveUp()


def test_an_answer_that_never_comes_ends_it() -> None:
    made = Entry()
    made.choose(Means.NUMBER, 0)
    made.typed("4711", 1)
    assert made.place is Place.CHECKING
    assert made.late(1 + ANSWER_SECONDS) == GaveUp()


@pytest.mark.parametrize("seconds", [2.0, 60.0, 3600.0])
def test_whoever_waits_is_told_so_and_then_the_screen_is_the_next_persons(seconds: float) -> None:
    """However often it is touched: the claim is over, and no PIN is asked for that nobody looks at."""
    made = begun((0, EntryChanged(Step.PIN)), (1, EntryChanged(Step.WAIT, seconds)))
    assert (made.wait(1), made.place) == (seconds, Place.PIN)
    assert made.typed("204060", 1.5) is None
    made.touched(2)
    told = 1 + min(seconds, WAIT_SECONDS)
    assert made.late(told - 0.1) is None
    assert made.place is Place.PIN
    assert made.late(told) is None, "the reception knows of no claim any more"
    assert made.place is Place.NONE
    assert made.typed("204060", told + seconds) is None


def test_a_badge_or_code_begins_without_a_touch() -> None:
    assert begun((0, EntryChanged(Step.FACE))).place is Place.FACE
    assert begun((0, EntryChanged(Step.PIN))).place is Place.PIN


def test_a_code_is_waited_for_and_given_up() -> None:
    made = Entry()
    made.choose(Means.QR, 0)
    assert made.place is Place.SCAN
    assert made.typed("204060", 1) is None
    made.late(LEFT_SECONDS)
    assert made.place is Place.NONE


@pytest.mark.parametrize("place", [Step.FACE, Step.CHECKING, Step.OVER])
def test_a_pin_is_taken_on_its_page_only(place: Step) -> None:
    assert begun((0, EntryChanged(place))).typed("204060", 1) is None


@given(
    st.lists(st.sampled_from(["choose", "type", "touch", "pin", "wait", "face", "over", "late", "end"]), max_size=40),
    st.floats(0.1, 30),
)
def test_no_story_types_a_pin_before_it_is_asked_for_or_during_a_pause(story: list[str], step: float) -> None:
    made, now, asked, pause = Entry(), 0.0, False, 0.0
    for deed in story:
        now += step
        match deed:
            case "choose":
                made.choose(Means.NUMBER, now)
            case "type":
                told = made.typed("204060", now)
                if isinstance(told, PinTyped):
                    assert asked
                    assert now >= pause
                asked = False
            case "touch":
                made.touched(now)
            case "late":
                made.late(now)
            case "end":
                made.end()
            case _:
                made.changed(EntryChanged(Step(deed), 30.0 if deed == "wait" else 0.0), now)
                asked, pause = deed in {"pin", "wait"}, now + 30 if deed == "wait" else 0.0
