"""Which visits are kept, and what showed whose they are; that a failure is told once; who may begin a study."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.attempt import Attempt, Rules, Sample
from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Comparison, Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.entry import Means
from kiosk.domain.errors import GalleryError, NotAllowedError
from kiosk.domain.face import Frame, Quality, Vector
from kiosk.domain.people import Subject
from kiosk.domain.rights import Role
from kiosk.domain.updates import Decided, Waiting
from kiosk.ipc.client import Connection
from kiosk.ipc.control_messages import BeginStudyRequest, EndStudyRequest
from kiosk.station.control_client import RemoteRegister
from kiosk.station.visits import CHECK_SECONDS, PIN_SECONDS, StudyDesk, VisitWatch
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.visits import Visits
from tests.station.registers import desk_of, served
from tests.station.test_control import users
from tests.storage.conftest import MODEL, a_reference, a_vector, turned

NOW = datetime.now(UTC)


@dataclass
class World:
    """A watch, a clock that is set by hand, and the log's records."""

    gallery: Gallery
    ada: Subject
    at: float = 100.0
    records: list[AuditRecord] = field(default_factory=list)
    log_fails: bool = False
    wall: datetime = NOW

    def __post_init__(self) -> None:
        self.visits = Visits(self.gallery)
        self.watch = VisitWatch(self.visits, MODEL, self, lambda: self.at, lambda: self.wall)

    def append(self, records: Sequence[AuditRecord]) -> None:
        if self.log_fails:
            raise GalleryError("the disk is full")
        self.records += records

    def begin(self) -> None:
        self.wall = self.visits.begin(7, None).begun
        self.watch.turn()

    def decide(self, decision: Decision, *seeds: int, settled: Decision | None = None, live: bool = True) -> None:
        """An attempt with these faces is decided, then settled."""
        self.watch.seen(decision, attempt(*seeds, live=live) if seeds else None)
        self.watch.heard(Decided(settled or decision))
        self.watch.turn()

    def kept(self) -> list[tuple[str, bool]]:
        return sorted((visit.proof.value, visit.granted) for visit in self.visits.kept())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(open_gallery(Home(tmp_path / "home"))) as gallery:
        yield World(gallery, gallery.add_subject("Ada", [a_reference(1)]))


def attempt(*seeds: int, live: bool = True) -> Attempt:
    made = Attempt(Rules(needed=9, window=9), 1, FRAME)
    for seed in seeds:
        vector: Vector = a_vector(seed)
        sample = Sample(1, 1.0, Quality(1.0), 1.0, live, Comparison(None, 0.1, 0.5, MODEL), vector)
        made.add(sample, FRAME)
    return made


FRAME = Frame(image=a_vector(1), number=1, captured_at=1.0, wall_at=NOW)  # type: ignore[arg-type]


def decided(who: Subject | None, proof: Proof, reason: Reason = Reason.MATCHED, claim: str | None = "c1") -> Decision:
    outcome = Outcome.GRANTED if reason is Reason.MATCHED else Outcome.REFUSED
    means = None if proof is Proof.SEARCH else Means.NUMBER
    made = Decision(f"{proof}{reason}{claim}", outcome, reason, None if who is None else who.id, Evidence(1, 1.0, NOW))
    return replace(made, proof=proof, means=means, claim_id=None if proof is Proof.SEARCH else claim)


def test_a_claim_that_the_face_proves_is_kept_by_its_first_frame(world: World) -> None:
    world.begin()
    world.decide(decided(world.ada, Proof.VERIFICATION), 7, 8, 9)
    assert world.kept() == [("1:1", True)]
    assert [visit.template.tobytes() for visit in world.visits.kept()] == turned(world.gallery, 7)


def test_a_refused_claim_is_kept_only_after_the_right_pin(world: World) -> None:
    world.begin()
    refused = decided(world.ada, Proof.VERIFICATION, Reason.NOT_VERIFIED)
    world.decide(refused, 7)
    assert world.kept() == []
    world.decide(decided(world.ada, Proof.PIN, Reason.WRONG_PIN))
    assert world.kept() == []
    world.decide(decided(world.ada, Proof.PIN))
    assert world.kept() == [("pin", False)]
    assert world.visits.counted() == 0


def test_another_claims_pin_proves_nothing_and_the_refused_one_is_counted(world: World) -> None:
    world.begin()
    world.decide(decided(world.ada, Proof.VERIFICATION, Reason.NOT_VERIFIED), 7)
    world.decide(decided(world.ada, Proof.PIN, claim="c2"))
    assert (world.kept(), world.visits.counted()) == ([], 0)
    world.at += PIN_SECONDS
    world.watch.turn()
    assert (world.kept(), world.visits.counted()) == ([], 1)
    for claim in ("c3", "c4"):
        world.decide(decided(world.ada, Proof.VERIFICATION, Reason.NOT_VERIFIED, claim), 7)
    assert world.visits.counted() == 2


def test_a_face_alone_is_kept_apart_and_what_is_refused_without_a_claim_never(world: World) -> None:
    world.begin()
    world.decide(decided(world.ada, Proof.SEARCH), 7)
    world.decide(decided(None, Proof.SEARCH, Reason.NOT_ENROLLED), 8)
    assert world.kept() == [("1:N", True)]


@pytest.mark.parametrize("reason", [Reason.PRESENTATION_ATTACK, Reason.SUBJECT_DISABLED, Reason.DOOR_UNAVAILABLE])
def test_an_attack_or_a_refusal_for_another_cause_is_no_false_non_match(world: World, reason: Reason) -> None:
    world.begin()
    world.decide(decided(world.ada, Proof.VERIFICATION, reason), 7)
    world.decide(decided(world.ada, Proof.PIN))
    assert (world.kept(), world.visits.counted()) == ([], 0)


def test_what_the_door_did_not_act_on_is_not_kept(world: World) -> None:
    world.begin()
    proposed = decided(world.ada, Proof.VERIFICATION)
    late = replace(proposed, outcome=Outcome.REFUSED, reason=Reason.STALE_FRAME)
    world.decide(proposed, 7, settled=late)
    assert world.kept() == []


def test_without_a_study_no_vector_is_held(world: World) -> None:
    world.watch.turn()
    world.decide(decided(world.ada, Proof.VERIFICATION), 7)
    assert (len(world.watch._vectors), len(world.watch._decided), world.kept()) == (0, 0, [])
    world.watch.heard(Waiting(1))


def test_faces_that_pad_denied_and_decisions_without_a_face_are_none(world: World) -> None:
    world.begin()
    world.decide(decided(world.ada, Proof.VERIFICATION), 7, live=False)
    world.decide(decided(world.ada, Proof.VERIFICATION, claim="c2"))
    assert world.kept() == []


def test_a_study_is_over_by_the_machines_own_time_too(world: World) -> None:
    """The clock on the wall stands still."""
    world.begin()
    world.decide(decided(world.ada, Proof.VERIFICATION), 7)
    world.at += timedelta(days=7).total_seconds() - CHECK_SECONDS
    world.watch.turn()
    assert world.visits.count() == 1
    world.at += 2 * CHECK_SECONDS
    world.watch.turn()
    assert (world.visits.study(), world.visits.count()) == (None, 0)
    world.visits.begin(7, None)
    world.at += CHECK_SECONDS
    world.watch.turn()
    assert world.visits.study() is not None, "the end of the one before ends no later one"


def test_a_wall_clock_that_is_years_behind_makes_no_study_longer(world: World) -> None:
    world.visits.begin(7, None)
    world.wall = NOW - timedelta(days=3650)
    world.watch.turn()
    world.at += timedelta(days=7).total_seconds() + CHECK_SECONDS
    world.watch.turn()
    assert world.visits.study() is None


def test_a_failure_is_recorded_once_and_stops_nothing(world: World) -> None:
    world.begin()
    world.visits.path.write_bytes(b"no database" * 999)
    world.log_fails = True
    world.decide(decided(world.ada, Proof.VERIFICATION), 7)
    world.log_fails = False
    for claim in ("c2", "c3"):
        world.decide(decided(world.ada, Proof.VERIFICATION, claim=claim), 7)
    assert [(str(r.kind), str(r.reason)) for r in world.records] == [("fault", "visits_not_kept")]
    assert world.records[0].subject_id is None


def asked(gallery: Gallery, folder: Path, role: Role, request: BeginStudyRequest | EndStudyRequest) -> int:
    """How many visits the kiosk says were erased."""
    desk = StudyDesk(desk_of(gallery, folder), gallery)
    with (
        served(desk, folder, users(role)) as path,
        closing(RemoteRegister(Connection(path, "the kiosk"), MODEL)) as register,
    ):
        assert register.everybody()[0].subject.name == "Ada", "all other requests go on to the other desk"
        return register.study(request).visits


BEGIN = BeginStudyRequest(days=3, text=None)


def test_an_admin_begins_and_ends_a_study_over_the_control_socket(world: World, tmp_path: Path) -> None:
    asked(world.gallery, tmp_path, Role.ADMIN, BEGIN)
    world.watch.turn()
    world.decide(decided(world.ada, Proof.VERIFICATION), 7)
    assert world.visits.count() == 1
    assert asked(world.gallery, tmp_path, Role.ADMIN, EndStudyRequest()) == 1
    assert world.visits.study() is None
    said = [r.detail.get("by") for r in Audit(world.gallery.store).records() if r.kind == "study"]
    assert said == [f"uid {os.getuid()}"] * 2


@pytest.mark.parametrize("role", [Role.STAFF, Role.AUDITOR])
@pytest.mark.parametrize("request_", [BEGIN, EndStudyRequest()])
def test_nobody_else_does(
    world: World, tmp_path: Path, role: Role, request_: BeginStudyRequest | EndStudyRequest
) -> None:
    if isinstance(request_, EndStudyRequest):
        world.visits.begin(3, None)
    before = world.visits.study()
    with pytest.raises(NotAllowedError, match="may not do this"):
        asked(world.gallery, tmp_path, role, request_)
    assert world.visits.study() == before


def test_a_visit_that_an_earlier_networks_reference_has_matched_is_not_kept(world: World) -> None:
    """References may have been made of its very frames: compared with them it would be recognised always."""
    world.begin()
    for model_id in ("old", f"{MODEL}>old"):
        made = decided(world.ada, Proof.SEARCH)
        compared = Comparison(world.ada.id, 0.9, 0.5, model_id)
        world.decide(replace(made, evidence=replace(made.evidence, comparison=compared)), 7)
    assert world.kept() == []
    own = decided(world.ada, Proof.SEARCH)
    world.decide(replace(own, evidence=replace(own.evidence, comparison=Comparison(world.ada.id, 0.9, 0.5, MODEL))), 7)
    assert world.kept() == [("1:N", True)]
