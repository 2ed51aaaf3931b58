"""What notifiers are told, what is urgent, and what goes first when there is no room."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.domain.door.events import ALARMS, DoorEvent, DoorEventKind
from kiosk.domain.notices import (
    KINDS,
    LONGEST_NAME,
    KioskEvent,
    KioskEventKind,
    of_door,
    of_kiosk,
    overflow,
    plain_name,
)

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40))
def test_what_goes_when_there_is_no_room(urgent: list[bool], capacity: int) -> None:
    gone = overflow(urgent, capacity)
    kept = [place for place in range(len(urgent)) if place not in gone]
    assert len(kept) == min(len(urgent), capacity)
    assert gone == sorted(set(gone))
    for is_urgent in (False, True):
        # Of equals the oldest go.
        mine = [place for place in gone if urgent[place] is is_urgent]
        assert all(place < other for place in mine for other in kept if urgent[other] is is_urgent)
    if any(urgent[place] for place in gone):
        assert all(urgent[place] for place in kept)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 10))
def test_one_at_a_time_it_comes_to_the_same_as_long_as_alarms_have_room(urgent: list[bool], capacity: int) -> None:
    """Notices come one by one; each that comes may push one out."""
    held: list[int] = []
    for place in range(len(urgent)):
        held.append(place)
        gone = overflow([urgent[p] for p in held], capacity)
        held = [p for i, p in enumerate(held) if i not in gone]
    alarms = [place for place, is_urgent in enumerate(urgent) if is_urgent]
    assert [p for p in held if urgent[p]] == alarms[-capacity:]


def test_every_alarm_is_urgent_and_so_is_what_ends_it() -> None:
    def urgent(kind: DoorEventKind) -> bool:
        return of_door(DoorEvent(1, "e", kind, "main", NOW, 0.0)).urgent

    assert all(urgent(kind) for kind in ALARMS)
    assert urgent(DoorEventKind.ALARM_ENDED)
    assert not urgent(DoorEventKind.OPENED)


@pytest.mark.parametrize("kind", DoorEventKind)
def test_each_event_of_the_door_is_a_notice_of_a_known_kind(kind: DoorEventKind) -> None:
    notice = of_door(DoorEvent(1, "e", kind, "main", NOW, 0.0, "g"))
    assert notice.kind in KINDS
    assert (notice.id, notice.door, notice.wall_at, notice.grant_id) == ("e", "main", NOW, "g")


URGENT = {
    *(KioskEventKind.FAULT, KioskEventKind.RECOVERED, KioskEventKind.UNEXPLAINED),
    *(KioskEventKind.MANY_REFUSALS, KioskEventKind.DURESS),
}


@pytest.mark.parametrize("kind", KioskEventKind)
def test_each_event_of_the_kiosk_is_a_notice_and_a_decision_is_never_urgent(kind: KioskEventKind) -> None:
    notice = of_kiosk(KioskEvent("r", 1, "e", kind, "main", NOW, "g", "s", "Ada", Reason.PAD_FAULT))
    assert notice.kind in KINDS
    assert (notice.grant_id, notice.subject_id, notice.name, notice.reason) == ("g", "s", "Ada", "pad_fault")
    assert notice.urgent is (kind in URGENT)


def test_a_name_is_one_line_of_bounded_length() -> None:
    assert plain_name("Ada\nLove\x1b[2Jlace") == "AdaLove[2Jlace"
    assert plain_name("\u202eAda ") == "Ada"
    assert plain_name("\u0646\u200c\u0627") == "\u0646\u200c\u0627", "some scripts need a joiner inside a word"
    assert len(plain_name("x" * 1000)) == LONGEST_NAME
    assert plain_name("\n\t") == ""
