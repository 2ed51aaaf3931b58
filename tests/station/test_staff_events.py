"""Staff mode's page of events: the true reason, and what the door did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.decision import Outcome, Reason
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.staff_views import MOST_SHOWN, Events, Home, Person
from kiosk.domain.staffing import NotMe, Open, Place, SetVerify
from kiosk.storage.audit import Audit
from tests.station.staff_site import Site, site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "home") as made:
        made.signed_in()
        yield made


def decided(here: Site, grant: str, outcome: Outcome, reason: Reason, who: str | None, door: DoorResult | None) -> None:
    audit = Audit(here.gallery.store)
    audit.append([AuditRecord(AuditKind.DECISION, NOON, grant, who, outcome, reason)])
    if door is not None:
        audit.append([AuditRecord(AuditKind.OUTCOME, NOON + timedelta(seconds=1), grant, who, door)])


def test_events_have_their_true_reason_and_what_the_door_did(here: Site) -> None:
    ada = here.person("Ada", 1, number="7711", pin="739182")
    decided(here, "g1", Outcome.GRANTED, Reason.MATCHED, ada.id, DoorResult.RELEASED)
    decided(here, "g2", Outcome.REFUSED, Reason.PRESENTATION_ATTACK, None, None)
    decided(here, "g3", Outcome.REFUSED, Reason.SUBJECT_DISABLED, ada.id, None)
    shown = here.ask(Open(Place.EVENTS))
    assert isinstance(shown, Events)
    said = [(r.granted, r.reason, r.outcome, r.name) for r in shown.rows if r.granted is not None]
    assert said == [
        (False, "subject_disabled", None, "Ada"),
        (False, "presentation_attack", None, None),
        (True, "matched", "released", "Ada"),
    ]


def test_a_face_that_stays_and_faults_are_among_them(here: Site) -> None:
    Audit(here.gallery.store).append(
        [
            AuditRecord(AuditKind.STAFF, NOON, outcome=AuditOutcome.FACE_STAYS),
            AuditRecord(AuditKind.FAULT, NOON, reason=Reason.CAMERA_UNAVAILABLE),
        ]
    )
    here.ask(Open(Place.EVENTS))
    reasons = [row.reason for row in here.last(Events).rows]
    assert reasons[:2] == ["camera_unavailable", "face_stays"]


def test_only_the_newest_are_shown(here: Site) -> None:
    for i in range(MOST_SHOWN + 5):
        decided(here, f"g{i}", Outcome.REFUSED, Reason.NOT_ENROLLED, None, None)
    here.ask(Open(Place.EVENTS))
    rows = here.last(Events).rows
    assert len(rows) == MOST_SHOWN
    assert [r.id for r in rows] == sorted((r.id for r in rows), reverse=True)


def test_that_is_not_me_is_recorded_and_face_alone_can_be_taken_away(here: Site) -> None:
    ada = here.person("Ada", 1, number="7711", pin="739182")
    decided(here, "g1", Outcome.GRANTED, Reason.MATCHED, ada.id, DoorResult.RELEASED)
    here.ask(Open(Place.EVENTS))
    event = next(row.id for row in here.last(Events).rows if row.reason == "matched")
    here.ask(NotMe(event))
    assert here.last(Events).noted == event
    record = here.records()[-1]
    assert (record.kind, record.outcome, record.subject_id) == (AuditKind.SUBJECT, AuditOutcome.NOT_ME, ada.id)
    assert record.detail["event"] == event
    here.ask(SetVerify(ada.id, True))
    assert here.last(Person).verify


def test_an_event_that_is_not_there_changes_nothing(here: Site) -> None:
    before = len(here.records())
    here.ask(NotMe(12345))
    assert isinstance(here.shown[-1], Home)
    assert len(here.records()) == before
    assert AuditReason.ASKED
