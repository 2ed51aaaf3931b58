"""Who is let in in other light than they were enrolled in is told once, and staff can read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditOutcome
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.face import Quality
from kiosk.domain.people import NewReference
from kiosk.domain.staffing import SignOut
from kiosk.domain.updates import Decided
from kiosk.station import light_watch
from kiosk.station.light_watch import LightWatch
from kiosk.storage import enrolling
from tests.station.booths import NOON, vector
from tests.station.staff_site import Site, site


class Watch:
    def __init__(self, here: Site, recorded: bool = True) -> None:
        self.here = here
        self.told: list[str] = []
        self.watch = LightWatch(here.office, self.told.append, recorded)
        self.ada = here.gallery.add_subject("Ada", [NewReference(vector(1), "m", 0.9, 120.0)]).id

    def enters(self, decision_id: str, light: float | None, granted: bool = True) -> list[str]:
        outcome, reason = (Outcome.GRANTED, Reason.MATCHED) if granted else (Outcome.REFUSED, Reason.NOT_ENROLLED)
        evidence = Evidence(1, 0.0, NOON, quality=Quality(0.9, light=light))
        self.watch.let_in(Decision(decision_id, outcome, reason, self.ada, evidence))
        self.watch.turn()
        return self.told

    @property
    def recorded(self) -> list[str | None]:
        return [r.subject_id for r in self.here.records() if r.outcome == AuditOutcome.OTHER_LIGHT]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "home") as made:
        yield made


def test_no_fault_of_it_ends_the_staffs_thread_or_keeps_an_alarm_back(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(here)

    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(light_watch, "is_other", broken)
        assert watch.enters("g1", 40.0) == []
    assert watch.enters("g2", 40.0) == ["g2"]
    told: list[str] = []
    here.watch(watch.watch)
    monkeypatch.setattr(watch.watch, "turn", broken)
    monkeypatch.setattr(here.desk._sign_ins, "tell_of_force", lambda: told.append("alarm"))
    with pytest.raises(ZeroDivisionError):
        here.desk.turn()
    assert told == ["alarm"]


def test_other_light_is_told_once_also_after_a_restart(here: Site) -> None:
    watch = Watch(here)
    assert watch.enters("g1", 125.0) == []
    assert watch.enters("g2", None) == []
    assert watch.enters("g3", 40.0, granted=False) == []
    assert watch.enters("g4", 40.0) == ["g4"]
    assert watch.enters("g5", 40.0) == ["g4"]
    assert watch.recorded == [watch.ada]
    again = LightWatch(here.office, watch.told.append)
    watch.watch = again
    assert watch.enters("g6", 40.0) == ["g4"]


def test_with_pictures_in_that_light_it_is_silent_and_in_a_third_it_tells(here: Site) -> None:
    watch = Watch(here)
    watch.enters("g1", 40.0)
    enrolling.add(here.gallery, watch.ada, [NewReference(vector(1), "m", 0.9, 40.0)], None, {}, lambda: None)
    assert watch.enters("g2", 45.0) == ["g1"]
    assert watch.enters("g3", 210.0) == ["g1", "g3"]


def test_where_the_log_does_not_say_who_this_does_not_either(here: Site) -> None:
    watch = Watch(here, recorded=False)
    assert watch.enters("g1", 40.0) == ["g1"]
    assert watch.enters("g2", 40.0) == ["g1"]
    assert watch.recorded == []


def test_somebody_who_is_gone_and_a_gallery_that_cannot_be_read_end_nothing(here: Site) -> None:
    watch = Watch(here)
    here.gallery.remove(watch.ada)
    assert watch.enters("g1", 40.0) == []
    here.gallery.close()
    assert watch.enters("g2", 40.0) == []


def test_the_desk_hears_decisions(here: Site) -> None:
    watch = Watch(here)
    here.watch(watch.watch)
    evidence = Evidence(1, 0.0, NOON, quality=Quality(0.9, light=40.0))
    decision = Decision("g1", Outcome.GRANTED, Reason.MATCHED, watch.ada, evidence)
    here.desk.heard(Decided(replace(decision, outcome=Outcome.REFUSED)))
    here.desk.turn()
    assert watch.told == []
    here.signed_in()
    here.desk.heard(Decided(decision))
    here.desk.turn()
    assert watch.told == [], "a record would name who is signed in"
    here.ask(SignOut())
    here.desk.turn()
    assert watch.told == ["g1"]
    assert "by" not in next(r for r in here.records() if r.outcome == AuditOutcome.OTHER_LIGHT).detail
