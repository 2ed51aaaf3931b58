"""Silent renewals at the door: what must hold before anything is written, and that nothing half is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.audit import AuditOutcome, AuditReason, AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Box, Face, Hint, Image, Quality, Vector
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Consent, Embedding, NewReference, Subject
from kiosk.domain.renewal import Measure
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.domain.transition import Kept, strict
from kiosk.station import renewals as module
from kiosk.station.matcher import GalleryMatcher
from kiosk.station.renewals import Renewals
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, empty_gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.switching import held

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
TABLE = Thresholds([OperatingPoint(10.0**-k, k / 10) for k in range(3, 8)], 1e-3)
OLD, NEW = Measure("old", 128, TABLE, Cohort()), Measure("new", 128, TABLE, Cohort())
LANDMARKS = ((1.0, 1.0), (2.0, 1.0), (1.5, 1.5), (1.0, 2.0), (2.0, 2.0))


def axis(i: int) -> Vector:
    found: Vector = np.zeros(128, np.float32)
    found[i] = 300
    return found


def towards(first: Vector, second: Vector, cosine: float) -> Vector:
    """Between two axes: so alike to the first."""
    found: Vector = (first * cosine + second * (1 - cosine**2) ** 0.5).astype(np.float32)
    return found


def jittered(i: int, seed: int) -> Vector:
    """A frame of that person, a little unlike the others."""
    noise = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return (axis(i) + 12 * noise).astype(np.float32)


class Upright:
    def __init__(self) -> None:
        self.answer = True

    def assess(self, image: Image, face: Face) -> Quality:
        raise AssertionError

    def upright(self, image: Image, face: Face) -> bool:
        return self.answer


class Site:
    """A gallery in which Ada and Ben have references of the old network: axes 0 and 1."""

    def __init__(self, gallery: Gallery | None = None, consent: bool = False, named: bool = True) -> None:
        self.gallery = gallery or empty_gallery()
        self.ada, self.ben = (
            self.gallery.add_subject(name, [NewReference(axis(i), "old", 0.9)]) for i, name in enumerate(("Ada", "Ben"))
        )
        self.gate = Upright()
        self.noted: list[AuditRecord] = []
        self.renewals = Renewals(self.gallery, NEW, OLD, self.gate, self.noted.append, consent, named)

    def decision(self, who: Subject | None = None) -> Decision:
        of = (who or self.ada).id
        evidence = Evidence(1, 1.0, NOW, comparison=Comparison(of, 0.9, 0.5, "old"))
        return Decision("d1", Outcome.GRANTED, Reason.MATCHED, of, evidence)

    def visit(self, kept: list[Kept] | None = None, who: Subject | None = None) -> dict[str, int]:
        """Comes to the door, and returns who has how many references of the new network."""
        self.renewals.offer(self.decision(who), frames() if kept is None else kept)
        self.renewals.turn()
        return dict(held(self.gallery.store, "new"))


def frames(
    old: Vector | None = None, new: int = 10, number: int = 3, hints: tuple[Hint, ...] = (), second: float = 0.0
) -> list[Kept]:
    """Frames of one visit, like Ada's reference of the old network; `second`: width of another face."""
    image = np.zeros((4, 4, 3), np.uint8)
    faces = [Face(Box(0, 0, 100, 100), LANDMARKS, 0.9)]
    faces += [Face(Box(0, 0, second, second), LANDMARKS, 0.9)] if second else []
    earlier = axis(0) if old is None else old
    return [
        Kept(
            image, tuple(faces), Quality(0.5 + i / 10, None, 120.0), Embedding(jittered(new, i), hints, lambda: earlier)
        )
        for i in range(number)
    ]


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.0)


def test_a_good_visit_makes_references_with_one_record_and_without_a_vector() -> None:
    site = Site()
    assert site.visit() == {site.ada.id: 3}
    record = Audit(site.gallery.store).records()[-1]
    assert (record.outcome, record.subject_id) == (AuditOutcome.REFERENCES_ADDED, site.ada.id)
    assert record.detail == {"references": 3, "source": "renewed", "decision": "d1", "from": "old", "to": "new"}
    assert held(site.gallery.store, "old") == {site.ada.id: 1, site.ben.id: 1}, "the old ones stay: one can go back"
    assert site.noted == []
    assert site.visit() == {site.ada.id: 3}, "it learns no more"


@pytest.mark.parametrize("score", [0.0, -0.02])
def test_an_impostor_near_the_threshold_renews_nobody(score: float) -> None:
    """The door lets in from its threshold on; a renewal asks for more, and just less than that is not enough."""
    site = Site()
    wanted = strict(TABLE, {1: 2})
    near = towards(axis(0), axis(5), wanted + score - 0.01)
    assert near @ axis(0) / 300**2 > TABLE.for_gallery({1: 2}).score, "the door would have let them in"
    assert site.visit(frames(near)) == {}
    assert site.visit(frames(towards(axis(0), axis(5), wanted + 0.02))) == {site.ada.id: 3}


def test_one_frame_that_is_not_good_enough_spoils_the_visit() -> None:
    site = Site()
    weak = frames(towards(axis(0), axis(5), 0.45), number=1)
    assert site.visit([*frames(), *weak]) == {}


@pytest.mark.parametrize(
    "kept",
    [
        frames(number=2),
        frames(hints=(Hint.UNEVEN_LIGHT,)),
        frames(second=60.0),
        [replace(f, made=replace(f.made, earlier=None)) for f in frames()],
        [replace(f, made=replace(f.made, earlier=lambda: None)) for f in frames()],
        [*frames(new=10, number=2), *frames(new=11, number=1)],
    ],
    ids=["few", "hint", "second face", "no vector", "unnatural", "unlike each other"],
)
def test_what_enrolment_would_not_take_is_not_taken(kept: list[Kept]) -> None:
    assert Site().visit(kept) == {}


def test_a_face_that_is_not_upright_is_not_taken() -> None:
    site = Site()
    site.gate.answer = False
    assert site.visit() == {}


def test_whom_somebody_else_resembles_is_not_renewed_by_either_network() -> None:
    site = Site()
    site.gallery.add_subject("Twin", [NewReference(towards(axis(0), axis(7), 0.6), "old", 0.9)])
    assert site.visit() == {}
    site = Site()
    twin = site.gallery.add_subject("Twin", [NewReference(towards(axis(10), axis(7), 0.6), "new", 0.9)])
    assert site.visit() == {twin.id: 1}


def test_who_may_not_pass_any_more_or_has_not_consented_is_not_renewed() -> None:
    site = Site()
    site.gallery.set_disabled(site.ada.id, True)
    assert site.visit() == {}
    site = Site()
    site.gallery.set_validity(site.ada.id, None, NOW - timedelta(days=1))
    assert site.visit() == {}
    site = Site()
    site.gallery.remove(site.ada.id)
    assert site.visit() == {}
    site = Site(consent=True)
    assert site.visit() == {}
    site.gallery.set_consent(site.ada.id, Consent("v1", "en", NOW, "root", "a card"))
    assert site.visit() == {site.ada.id: 3}


def test_a_record_says_nobody_where_the_log_does_not_say_who_it_was() -> None:
    site = Site(named=False)
    site.visit()
    assert Audit(site.gallery.store).records()[-1].subject_id is None


def test_a_gallery_that_changes_meanwhile_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()
    add = module.add_current

    def later(*given: object, **named: object) -> None:
        site.gallery.set_disabled(site.ben.id, True)
        add(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "add_current", later)
    assert site.visit() == {}
    assert site.noted == []


def test_a_fault_is_recorded_and_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()

    def broken(*_: object, **__: object) -> None:
        raise GalleryError("the disk is full")

    monkeypatch.setattr(module, "add_current", broken)
    assert site.visit() == {}
    assert [record.reason for record in site.noted] == [AuditReason.RENEWAL_FAILED]
    bad = [replace(f, made=replace(f.made, earlier=lambda: 1 / 0)) for f in frames()]  # type: ignore[arg-type,return-value]
    site.renewals.offer(site.decision(), bad)
    assert len(site.noted) == 2


def test_who_has_one_current_reference_gets_others_only_if_they_are_alike() -> None:
    site = Site()
    site.visit(frames(number=3))
    with site.gallery.changing() as rows:
        rows.exchange(site.ada.id, [r.id for r in rows.of(site.ada.id) if r.model_id == "new"][1:], (), NOW)
    assert site.visit(frames(new=20)) == {site.ada.id: 1}, "somebody who looks different by the new network"
    assert site.visit() == {site.ada.id: 3}


KILLED = """
import os, signal, sys
from pathlib import Path
from kiosk.station import renewals as module
from kiosk.station.matcher import GalleryMatcher
from tests.station.test_renewals import Site, open_gallery, Home
gallery = open_gallery(Home(Path(sys.argv[1])))
site = Site(gallery)
insert = module.add_current.__globals__["insert"]
def dying(*given):
    insert(*given)
    os.kill(os.getpid(), signal.SIGKILL)
module.add_current.__globals__["insert"] = dying
site.visit()
"""


def test_a_kill_between_the_grant_and_the_end_of_the_renewal_leaves_nothing_half(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run([sys.executable, "-c", KILLED, home], check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    with closing(open_gallery(Home(home))) as gallery:
        assert held(gallery.store, "new") == {}
        assert len(gallery.references("old")) == 2
        outcomes = [record.outcome for record in Audit(gallery.store).records()]
        assert AuditOutcome.REFERENCES_ADDED not in outcomes


@pytest.mark.parametrize(("narrow", "fpir", "then"), [("old", 2.05e-4, 3), ("new", 3.1e-4, 1)])
def test_a_renewal_never_takes_the_rate_from_those_who_are_not_renewed_yet(narrow: str, fpir: float, then: int) -> None:
    """A table that carries just those who are there: with more references in the other search, or in its own, nobody at
    all would be let in by it."""
    few = Thresholds([OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4)], fpir)
    wide = Thresholds([OperatingPoint(10.0**-k, k / 20) for k in range(3, 8)], fpir)
    old, new = (Measure(name, 128, few if name == narrow else wide, Cohort()) for name in ("old", "new"))
    site = Site()
    site.renewals = Renewals(site.gallery, new, old, site.gate, site.noted.append)
    door = GalleryMatcher(site.gallery, "new", 128, new.thresholds, Cohort(), real_lock=True, earlier=old)
    same = [replace(f, made=replace(f.made, vector=axis(10))) for f in frames()]
    for kept in (same, frames(), frames()):
        made = site.visit(kept)
        door.search(axis(1))  # raises UnsafeError where nobody may be let in
        assert door.search_earlier(axis(1)).mated, "Ben, who was not there"
    assert made == {site.ada.id: then}, "as many as both searches carry"
