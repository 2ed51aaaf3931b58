"""A study of visits at the whole kiosk: real gallery, networks, log and threads, kiosk-door as a process, and the
demonstration's visitor before the camera."""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest

from kiosk.demonstration.story import STORY
from kiosk.domain.audit import AuditKind, AuditReason
from kiosk.domain.decision import Outcome, Proof
from kiosk.domain.entry import Claim, Claimed, GaveUp, Means, Step
from kiosk.domain.updates import Decided, EntryChanged, Observed
from kiosk.station.assembly import Kiosk
from kiosk.storage.audit import Audit
from kiosk.storage.claims import set_number
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.visits import FILE, Visits
from kiosk.ways import EntryConfig
from tests.faults.test_faults import PATIENCE, Bench, bench, enrolled, models, run

__all__ = ["bench", "enrolled", "models"]
NUMBER = "4711"
pytestmark = pytest.mark.prove


def prepared(bench: Bench) -> str:
    """Ada has a number, a face alone opens nothing, and nobody else comes; her id."""
    bench.camera._story = STORY[:1]
    entry = EntryConfig(number=True, look_seconds=20.0, verification="always")
    bench.config = bench.config.model_copy(update={"entry": entry})
    with closing(open_gallery(bench.home)) as gallery:
        ada = gallery.subjects()[0].id
        set_number(gallery, ada, NUMBER)
        Visits(gallery).begin(1, None)
    return ada


def let_in(bench: Bench, kiosk: Kiosk) -> None:
    """Ada claims whenever the kiosk asks for it, until her face lets her in. Once for each run: on a fast machine the
    story's gaps are so short that she has never left."""
    claimed = False
    while True:
        match bench.events.get(timeout=PATIENCE):
            case Observed(claim_first=True) if not claimed:
                kiosk.entrance.ask(Claimed(Claim(Means.NUMBER, NUMBER)))
                claimed = True
            case EntryChanged(Step.PIN):
                kiosk.entrance.ask(GaveUp())
            case EntryChanged(Step.OVER | Step.WAIT):
                claimed = False
            case Decided(decision) if decision.proof is Proof.VERIFICATION and decision.granted:
                return


def count(bench: Bench, wanted: int) -> None:
    """Waits until so many visits are kept."""
    until = time.monotonic() + PATIENCE
    with closing(open_gallery(bench.home)) as gallery:
        while Visits(gallery).count() < wanted:
            assert time.monotonic() < until, "they were not kept in time"
            os.sched_yield()


def test_two_visits_with_claims_are_two_mated_trials_and_gone_when_stopped(bench: Bench) -> None:
    ada = prepared(bench)
    for number in (1, 2):
        with run(bench) as kiosk:
            let_in(bench, kiosk)
            count(bench, number)
    with closing(open_gallery(bench.home)) as gallery:
        visits = Visits(gallery)
        assert [(v.subject_id, v.proof, v.granted) for v in visits.kept()] == [(ada, Proof.VERIFICATION, True)] * 2
        templates = [visit.template.tobytes() for visit in visits.kept()]
        assert visits.end(AuditReason.ASKED) == 2
        assert visits.count() == 0
    content = b"".join(path.read_bytes() for path in bench.home.folder.rglob("*") if path.is_file())
    assert not [template for template in templates if template in content]


def test_where_nothing_can_be_kept_people_are_let_in_all_the_same(bench: Bench) -> None:
    prepared(bench)
    (bench.home.folder / FILE).unlink()
    (bench.home.folder / FILE).mkdir()
    for _ in range(2):
        with run(bench) as kiosk:
            let_in(bench, kiosk)
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        faults = [r for r in audit.records(kinds=(AuditKind.FAULT,)) if r.reason == AuditReason.VISITS_NOT_KEPT]
    assert len(faults) == 2, "once for each run"
    assert [r.outcome for r in bench.records() if r.outcome == Outcome.GRANTED]
