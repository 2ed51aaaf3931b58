"""1:1 in the pipeline: who is claimed, how often somebody may guess, and what a face alone is refused for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Comparison, Decision, Proof, Reason
from kiosk.domain.entry import Means
from kiosk.domain.face import Flaw, Frame, Quality
from kiosk.domain.patience import ATTEMPTS_AN_HOUR
from kiosk.domain.people import Embedding, Subject
from kiosk.domain.updates import Finding, Observed, Proposed
from kiosk.domain.verification import ClaimOver, Expected, LetIn
from kiosk.station.pipeline import Pipeline
from kiosk.station.stages import Stages
from tests.station.test_pipeline import DEFAULT, FPS, NOON, Scene, Script, face

PEOPLE = {name: Subject(name, name.title(), NOON) for name in ("ada", "ben", "eve")}


@dataclass
class Standing(Script):
    """`subject_id` stands before the camera. Writes down what was compared."""

    subjects: dict[str, Subject] = field(default_factory=lambda: dict(PEOPLE))
    asked: list[str] = field(default_factory=list)
    worked: set[str] = field(default_factory=set)
    looks: float = 1.0
    """What the vector of the present face looks like."""

    def _work(self, name: str) -> None:
        self.worked.add(name)
        super()._work(name)

    def embed(self, image: np.ndarray, face: object) -> Embedding | None:
        self._work("embed")
        return Embedding(np.full(128, self.looks, np.float32))

    def search(self, probe: np.ndarray) -> Comparison:
        self.asked.append("*")
        return super().search(probe)

    def verify(self, probe: np.ndarray, subject_id: str | None) -> Comparison:
        self._work("search")
        self.asked.append(str(subject_id))
        own = subject_id == self.subject_id and self.mated
        return Comparison(subject_id, 0.8 if own else 0.2, 0.4, self.model_id)


class Booth(Scene):
    """A scene with claims. Vectors that are equal are of one face."""

    def __init__(
        self, script: Standing, *, face_alone: bool = True, rules: object = None, searches: bool = True
    ) -> None:
        super().__init__(script)
        self.standing = script
        self.pipeline = Pipeline(
            Stages(script, script, script, script, script),
            rules or DEFAULT,  # type: ignore[arg-type]
            min_face=80,
            door_ready=script.ready,
            alike=lambda a, b: bool((a == b).all()),
            face_alone=lambda: face_alone,
            searches=searches,
        )
        self.claims = 0

    def frames(self, count: int, frozen: bool = False) -> list[Finding]:
        """Small pictures, because there are many of them."""
        events: list[Finding] = []
        for _ in range(count):
            self.number += 1
            self.at += 1 / FPS
            image = np.full((48, 64, 3), self.number % 251, np.uint8)
            image[:8, :8] = self.number // 251
            events += self.pipeline.step(Frame(image, self.number, self.at, NOON + timedelta(seconds=self.at)))
        return events

    def claim(self, subject_id: str | None, looks: float = 8.0, until: float = 30.0) -> str:
        self.claims += 1
        name = f"c{self.claims}"
        self.pipeline.tell(Expected(name, Means.NUMBER, subject_id, self.at + looks, self.at + until))
        return name


def test_a_claim_and_its_face_are_granted_and_compared_with_nobody_else() -> None:
    booth = Booth(Standing())
    name = booth.claim("ada")
    (decision,) = booth.decisions(3)
    assert (decision.granted, decision.subject_id) == (True, "ada")
    assert (decision.proof, decision.means, decision.claim_id) == (Proof.VERIFICATION, Means.NUMBER, name)
    assert decision.evidence.comparison is not None
    assert decision.evidence.comparison.threshold == 0.4
    assert booth.standing.asked == ["ada"] * 3


@pytest.mark.parametrize("claimed", ["ben", None])
def test_the_face_of_somebody_else_is_refused_whether_the_claim_is_known_or_not(claimed: str | None) -> None:
    booth = Booth(Standing())
    booth.claim(claimed)
    (decision,) = booth.decisions(20)
    assert (decision.granted, decision.reason) == (False, Reason.NOT_VERIFIED)
    assert decision.subject_id == claimed
    assert booth.standing.asked == [str(claimed)] * 5
    assert booth.decisions(int(20 * FPS)) == [], "one attempt for one claim, and no face alone while it is open"


def test_what_is_seen_and_told_of_a_known_and_an_unknown_claim_is_the_same() -> None:
    told = []
    for claimed in ("ben", None):
        booth = Booth(Standing())
        booth.claim(claimed)
        told.append(
            [
                e if isinstance(e, Observed) else (type(e), isinstance(e, Proposed) and e.decision.reason)
                for e in booth.frames(int(40 * FPS))
            ]
        )
    assert told[0] == told[1]


def test_a_claim_drops_the_attempt_that_was_open_and_what_that_compared_counts() -> None:
    booth = Booth(Standing(subject_id="zoe", mated=False))
    booth.frames(4)
    booth.claim("ada")
    (dropped,) = booth.decisions(1)
    assert (dropped.granted, dropped.reason, dropped.proof) == (False, Reason.INCOMPLETE, Proof.SEARCH)
    assert booth.standing.asked == ["*"] * 4
    (refused,) = booth.decisions(int(3 * FPS))
    assert refused.proof is Proof.VERIFICATION
    assert refused.started_at is not None
    assert refused.started_at - dropped.evidence.captured_at >= DEFAULT.pause


def test_frames_before_the_claim_are_no_evidence_for_it() -> None:
    booth = Booth(Standing())
    booth.frames(2)
    booth.claim("ada")
    assert not any(d.granted for d in booth.decisions(2))


def test_a_claim_whose_time_is_over_ends_its_attempt_and_faces_alone_count_again() -> None:
    booth = Booth(Standing())
    booth.claim("ada", looks=2.5 / FPS, until=10.0)
    (dropped,) = booth.decisions(4)
    assert (dropped.reason, dropped.proof) == (Reason.INCOMPLETE, Proof.VERIFICATION)
    assert booth.decisions(int(9 * FPS)) == []
    (alone,) = booth.decisions(int(3 * FPS))
    assert (alone.granted, alone.proof) == (True, Proof.SEARCH)


def test_the_end_of_a_claim_lets_faces_alone_count_at_once() -> None:
    booth = Booth(Standing(subject_id="ada"))
    name = booth.claim("ben")
    booth.frames(int(4 * FPS))
    booth.pipeline.tell(ClaimOver(name))
    (alone,) = booth.decisions(int(2 * FPS))
    assert (alone.granted, alone.proof) == (True, Proof.SEARCH)


def test_who_was_let_in_by_a_pin_is_not_let_in_again_by_standing_there() -> None:
    booth = Booth(Standing())
    name = booth.claim("ada", looks=0.0)
    booth.frames(5)
    booth.pipeline.tell(LetIn("ada", booth.at))
    booth.pipeline.tell(ClaimOver(name))
    assert booth.decisions(int(30 * FPS)) == []
    booth.script.faces = []
    booth.frames(int(3 * FPS))
    booth.script.faces = [face()]
    assert booth.decisions(3)[0].granted, "who has left may come back"


def test_a_disabled_subject_is_refused_with_the_true_reason() -> None:
    booth = Booth(Standing(subjects={"ada": replace(PEOPLE["ada"], disabled=True)}))
    booth.claim("ada")
    (decision,) = booth.decisions(3)
    assert (decision.granted, decision.reason, decision.subject_id) == (False, Reason.SUBJECT_DISABLED, "ada")


def test_a_subject_that_is_gone_is_no_face_of_somebody_else() -> None:
    booth = Booth(Standing(subjects={}))
    booth.claim("ada")
    (decision,) = booth.decisions(3)
    assert (decision.granted, decision.reason) == (False, Reason.NOT_ENROLLED)


def test_a_matcher_that_finds_somebody_else_than_was_claimed_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    booth = Booth(Standing())
    monkeypatch.setattr(booth.standing, "verify", lambda *_: Comparison("eve", 0.9, 0.4, "m-1"))
    booth.claim("ada")
    (decision,) = booth.decisions(3)
    assert (decision.granted, decision.reason) == (False, Reason.INTERNAL_FAULT)


@pytest.mark.parametrize("broken", ["detect", "quality", "pad", "embed", "search", "subject", "door", "upright"])
def test_whatever_breaks_during_a_claim_refuses_it(broken: str) -> None:
    booth = Booth(Standing())
    name = booth.claim("ada")
    booth.frames(2 if broken in {"subject", "door"} else 0)
    booth.script.broken = broken
    decisions = booth.decisions(int(2 * FPS))
    assert decisions
    assert not any(d.granted for d in decisions)
    if broken in {"embed", "pad", "search", "subject", "door", "upright"}:  # the attempt was open
        assert decisions[0].claim_id == name
        assert decisions[0].proof is Proof.VERIFICATION


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pad": 0.1}, Reason.PRESENTATION_ATTACK),
        ({"quality": Quality(0.2, Flaw.BLURRED)}, Reason.POOR_QUALITY),
        ({"stands": False}, Reason.NOT_VERIFIED),
    ],
)
def test_a_claim_needs_as_much_evidence_as_a_face_alone(change: dict[str, object], reason: Reason) -> None:
    booth = Booth(Standing())
    for name, value in change.items():
        setattr(booth.script, name, value)
    booth.claim("ada")
    (decision,) = booth.decisions(int(4 * FPS))
    assert (decision.granted, decision.reason) == (False, reason)


# Who guesses: somebody unknown stands there with other people's numbers.


def guesses(booth: Booth, numbers: int, seconds: float, give_up: float | None = None) -> list[Decision]:
    """Claims one number after another."""
    decisions = []
    for number in range(numbers):
        booth.claim(f"s{number}")
        decisions += booth.decisions(int((give_up or seconds) * FPS))
    return decisions


def test_a_stranger_with_fifty_numbers_has_no_more_attempts_than_one_without_any() -> None:
    booth = Booth(Standing(subject_id="zoe", mated=False))
    decisions = guesses(booth, 50, 9.0)
    compared = [d for d in decisions if d.reason is Reason.NOT_VERIFIED]
    assert len(compared) == ATTEMPTS_AN_HOUR
    assert len(booth.standing.asked) == ATTEMPTS_AN_HOUR * DEFAULT.window


@pytest.mark.parametrize("give_up", [1.5 / FPS, 2.5 / FPS, 4.5 / FPS])
def test_claiming_again_in_the_middle_of_an_attempt_refills_nothing(give_up: float) -> None:
    booth = Booth(Standing(subject_id="zoe", mated=False))
    guesses(booth, 1500, 40.0, give_up)
    assert len(set(booth.standing.asked)) <= ATTEMPTS_AN_HOUR
    assert len(booth.standing.asked) <= ATTEMPTS_AN_HOUR * DEFAULT.window


def test_who_is_let_in_by_the_own_number_in_between_has_no_more_guesses_for_it() -> None:
    booth = Booth(Standing(subject_id="eve"))
    refused = 0
    for number in range(40):
        booth.claim("eve" if number % 2 else "ada")
        refused += sum(d.reason is Reason.NOT_VERIFIED for d in booth.decisions(int(20 * FPS)))
        booth.script.faces = []
        booth.frames(int(3 * FPS))
        booth.script.faces = [face()]
    assert refused == ATTEMPTS_AN_HOUR


@given(
    st.lists(
        st.tuples(st.sampled_from(["ada", None, ""]), st.integers(1, 40), st.sampled_from(["", "pad", "search"])),
        max_size=40,
    )
)
def test_whatever_is_claimed_a_stranger_is_compared_as_often_as_the_budget_allows(
    story: list[tuple[str | None, int, str]],
) -> None:
    booth = Booth(Standing(subject_id="zoe", mated=False))
    for claimed, frames, broken in story:
        booth.script.broken = broken
        if claimed != "":
            booth.claim(claimed)
        assert not any(d.granted for d in booth.decisions(frames))
    assert len(booth.standing.asked) <= ATTEMPTS_AN_HOUR * DEFAULT.budget


# A face alone is not enough.


def alone(booth: Booth) -> list[Decision]:
    return booth.decisions(int(12 * FPS))


@pytest.mark.parametrize("why", ["subject", "gallery"])
def test_a_face_alone_is_refused_where_a_claim_is_required(why: str) -> None:
    who = replace(PEOPLE["ada"], verify=why == "subject")
    booth = Booth(Standing(subjects={"ada": who}), face_alone=why != "gallery")
    decisions = alone(booth)
    assert {d.reason for d in decisions} == {Reason.VERIFICATION_REQUIRED}
    assert {d.subject_id for d in decisions} == {"ada"}
    assert 1 < len(decisions) <= 3
    booth.claim("ada")
    (decision,) = booth.decisions(int(2 * FPS))
    assert decision.granted, "it is no guess, and whoever claims need not wait for it"


def test_who_is_not_marked_needs_no_claim() -> None:
    booth = Booth(Standing(subjects={"ada": replace(PEOPLE["ada"], verify=False)}))
    assert booth.decisions(3)[0].granted


def test_more_time_is_for_who_needs_it_by_every_way() -> None:
    who = replace(PEOPLE["ada"], extended=True)
    for claimed in (None, "ada"):
        booth = Booth(Standing(subjects={"ada": who}))
        if claimed:
            booth.claim(claimed)
        assert booth.decisions(3)[0].extended
    assert not Booth(Standing()).decisions(3)[0].extended


def test_where_everybody_must_claim_a_face_alone_is_looked_for_nowhere_and_told_so() -> None:
    """Not embedded either (rule 4): who passes by is no sample, and there is nothing to decide or to record."""
    booth = Booth(Standing(), searches=False)
    seen = booth.frames(int(20 * FPS))
    assert booth.standing.asked == []
    assert {"embed", "pad", "search"}.isdisjoint(booth.standing.worked)
    assert all(isinstance(f, Observed) and f.claim_first for f in seen)
    booth.claim("ada")
    (decision,) = booth.decisions(int(2 * FPS))
    assert decision.granted
    assert set(booth.standing.asked) == {"ada"}
    after = [f for f in booth.frames(int(40 * FPS)) if isinstance(f, Observed)]
    assert not any(f.claim_first for f in after), "who was let in is not asked again"


def test_a_face_that_does_not_present_itself_is_not_asked_who_it_is() -> None:
    booth = Booth(Standing(quality=Quality(0.2, Flaw.TOO_SMALL)), searches=False)
    assert not any(isinstance(f, Observed) and f.claim_first for f in booth.frames(20))


def taken(booth: Booth) -> list[Decision]:
    """The next frame is staff's."""
    booth.number += 1
    booth.at += 1 / FPS
    frame = Frame(np.zeros((48, 64, 3), np.uint8), booth.number, booth.at, NOON + timedelta(seconds=booth.at))
    return [f.decision for f in booth.pipeline.put_aside(frame) if isinstance(f, Proposed)]


@pytest.mark.parametrize("claimed", [None, "ben"])
def test_staff_who_take_the_camera_end_the_open_attempt_at_that_moment(claimed: str | None) -> None:
    booth = Booth(Standing(subject_id="nobody", mated=False))
    name = booth.claim(claimed) if claimed else None
    booth.frames(3)
    assert booth.pipeline.busy
    compared = len(booth.standing.asked)
    assert 0 < compared < 5
    (decision,) = taken(booth)
    assert (decision.granted, decision.reason) == (False, Reason.CAMERA_TAKEN)
    assert (decision.claim_id, decision.evidence.captured_at) == (name, booth.at)
    assert not booth.pipeline.busy
    assert taken(booth) == [], "once"
    before = len(booth.standing.asked)
    for _ in range(3 * ATTEMPTS_AN_HOUR):
        booth.frames(3)
        taken(booth)
        booth.at += 40
    assert len(booth.standing.asked) - before <= 5 * ATTEMPTS_AN_HOUR, "it refills no budget"


def test_who_was_let_in_and_still_stands_there_is_not_refused_when_staff_come() -> None:
    booth = Booth(Standing())
    (decision,) = booth.decisions(20)
    assert decision.granted
    booth.at += DEFAULT.rest
    while not booth.pipeline.busy:
        booth.frames(1)
    booth.frames(8)
    assert taken(booth) == []
    assert not booth.pipeline.busy


def test_an_attempt_that_has_compared_nothing_leaves_no_refusal() -> None:
    booth = Booth(Standing(quality=Quality(0.1, Flaw.BLURRED)))
    while not booth.pipeline.busy:
        booth.frames(1)
    assert booth.standing.asked == []
    assert taken(booth) == []
    assert not booth.pipeline.busy


def test_a_fault_while_staff_take_the_camera_is_a_refusal_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    booth = Booth(Standing(subject_id="nobody", mated=False))
    booth.frames(3)
    monkeypatch.setattr(booth.pipeline._decider, "decide", lambda *_: 1 / 0)
    assert [d.reason for d in taken(booth)] == [Reason.INTERNAL_FAULT]
    assert not booth.pipeline.busy
