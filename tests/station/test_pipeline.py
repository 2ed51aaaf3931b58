"""The pipeline with scripted stages: what is decided, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Rules
from kiosk.domain.decision import Comparison, Decision, Reason
from kiosk.domain.errors import OutdatedError
from kiosk.domain.face import Box, Face, Flaw, Frame, Hint, Quality
from kiosk.domain.lingering import STAYS_SECONDS
from kiosk.domain.people import Embedding, Subject
from kiosk.domain.refusals import HOUR, FaceAlone
from kiosk.domain.updates import FaceStays, Faulted, Finding, Observed, Proposed, Recovered, Waiting
from kiosk.station.pipeline import Pipeline
from kiosk.station.stages import Stages

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FPS = 15.0
OVER = 50
"""Frames after which a fault is told as over."""
DEFAULT = Rules(fresh_frames=0, fresh_seconds=0.0)
"""As at the door, but that the first frame counts."""


def face(x: float = 250.0, width: float = 140.0) -> Face:
    places = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    landmarks = tuple((x + a * width, 180 + b * width) for a, b in places)
    return Face(Box(x, 180, width, width * 1.2), landmarks, 0.9)


@dataclass
class Script:
    """All stages in one, doing as told."""

    faces: list[Face] = field(default_factory=lambda: [face()])
    quality: Quality = field(default_factory=lambda: Quality(0.9))
    pad: float = 0.9
    subject_id: str = "ada"
    mated: bool = True
    subjects: dict[str, Subject] = field(default_factory=lambda: {"ada": Subject("ada", "Ada", NOON)})
    door: bool = True
    stands: bool = True
    hints: tuple[Hint, ...] = ()
    turns: int = 0
    broken: str = ""
    threshold: float = 0.5
    model_id: str = "m-1"

    def _work(self, name: str) -> None:
        if self.broken == name:
            raise RuntimeError(f"{name} is broken")

    def detect(self, image: np.ndarray) -> list[Face]:
        self._work("detect")
        return self.faces

    def assess(self, image: np.ndarray, face: Face) -> Quality:
        self._work("quality")
        return self.quality

    def upright(self, image: np.ndarray, face: Face) -> bool:
        self._work("upright")
        self.turns += 1
        return self.stands

    def score(self, image: np.ndarray, face: Face) -> float:
        self._work("pad")
        return self.pad

    def embed(self, image: np.ndarray, face: Face) -> Embedding | None:
        self._work("embed")
        return Embedding(np.ones(128, np.float32), self.hints)

    def search(self, probe: np.ndarray) -> Comparison:
        self._work("search")
        return Comparison(self.subject_id, 0.8 if self.mated else 0.2, 0.5, self.model_id)

    def subject(self, subject_id: str) -> Subject | None:
        self._work("subject")
        return self.subjects.get(subject_id)

    def ready(self) -> bool:
        self._work("door")
        return self.door


class Scene:
    """Feeds frames to a pipeline and keeps what it says."""

    def __init__(
        self,
        script: Script,
        rules: Rules = DEFAULT,
        largest_badge: int | None = None,
        alike: Callable[[np.ndarray, np.ndarray], bool] = lambda *_: False,
        limit: int | None = None,
    ) -> None:
        self.script = script
        self.pipeline = Pipeline(
            Stages(script, script, script, script, script),
            rules,
            min_face=80,
            door_ready=script.ready,
            largest_badge=largest_badge,
            alike=alike,
            limit=FaceAlone(limit),
        )
        self.number = 0
        self.at = 100.0

    def frames(self, count: int, frozen: bool = False) -> list[Finding]:
        events: list[Finding] = []
        for _ in range(count):
            self.number += 1
            self.at += 1 / FPS
            image = np.full((480, 640, 3), 0 if frozen else self.number % 251, np.uint8)
            image[:40, :40] = 0 if frozen else self.number // 251
            wall = NOON + timedelta(seconds=self.at)
            events += self.pipeline.step(Frame(image, self.number, self.at, wall))
        return events

    def decisions(self, count: int) -> list[Decision]:
        return [e.decision for e in self.frames(count) if isinstance(e, Proposed)]


def test_of_the_frames_that_match_somebody_the_first_is_looked_at_in_all_turns() -> None:
    script = Script()
    (decision,) = Scene(script).decisions(3)
    assert decision.granted
    assert script.turns == 1
    script = Script(mated=False)
    Scene(script).frames(30)
    assert script.turns == 0, "a frame that matches nobody counts for nobody"


def test_a_face_that_does_not_stand_upright_is_nobodys_and_is_told() -> None:
    scene = Scene(Script(stands=False))
    events = scene.frames(20)
    decisions = [e.decision for e in events if isinstance(e, Proposed)]
    assert decisions
    assert not any(d.granted or d.subject_id for d in decisions)
    assert scene.script.turns > 3, "each is asked anew"
    last = decisions[-1].evidence
    assert last.comparison is not None
    assert last.quality is not None
    assert last.comparison.score >= last.comparison.threshold, "the score alone says nothing,"
    assert last.quality.flaw is Flaw.TURNED_OVER, "and why is said beside it"
    assert {e.quality.flaw for e in events if isinstance(e, Observed) and e.quality} >= {Flaw.TURNED_OVER}


def hints_of(events: list[Finding]) -> list[Hint | None]:
    return [e.hint for e in events if isinstance(e, Observed)]


@pytest.mark.parametrize(("mated", "pad"), [(False, 0.9), (True, 0.1)])
def test_a_face_that_no_frame_matches_is_told_what_hides_it(mated: bool, pad: float) -> None:
    """An attack that would match is told what a stranger is told."""
    events = Scene(Script(mated=mated, pad=pad, hints=(Hint.EYES_HIDDEN, Hint.UNEVEN_LIGHT))).frames(5)
    (decision,) = [e.decision for e in events if isinstance(e, Proposed)]
    assert hints_of(events)[:3] == [Hint.EYES_HIDDEN] * 3
    assert not decision.granted
    assert decision.evidence.hint is Hint.EYES_HIDDEN


def test_who_matches_is_let_in_behind_a_mask_and_is_told_nothing() -> None:
    events = Scene(Script(hints=(Hint.MOUTH_COVERED,))).frames(3)
    (decision,) = [e.decision for e in events if isinstance(e, Proposed)]
    assert decision.granted
    assert decision.evidence.hint is None
    assert hints_of(events) == [None] * 3


def test_a_hint_of_few_frames_is_not_told() -> None:
    scene = Scene(Script(mated=False))
    events = scene.frames(2)
    scene.script.hints = (Hint.UNEVEN_LIGHT,)
    events += scene.frames(2)
    assert hints_of(events) == [None] * 4, "half of them are not most of them"


def test_a_hint_is_of_the_face_that_is_there_now() -> None:
    scene = Scene(Script(mated=False, hints=(Hint.MOUTH_COVERED,)))
    assert hints_of(scene.frames(3))[-1] is Hint.MOUTH_COVERED
    scene.script.faces, scene.script.hints = [face(20.0)], ()
    assert hints_of(scene.frames(1)) == [None]


def test_an_upright_frame_of_one_subject_speaks_for_no_other() -> None:
    scene = Scene(Script(subjects={k: Subject(k, k, NOON) for k in ("ada", "ben")}))
    assert scene.decisions(2) == []
    scene.script.subject_id, scene.script.stands = "ben", False
    assert not any(d.subject_id == "ben" for d in scene.decisions(12))
    assert scene.script.turns > 1


def test_an_enrolled_person_is_granted_after_the_needed_frames() -> None:
    (decision,) = Scene(Script()).decisions(3)
    assert decision.granted
    assert decision.reason is Reason.MATCHED
    assert decision.subject_id == "ada"
    assert decision.evidence.frames == 3
    assert decision.evidence.frame_number == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: replace(s, mated=False), Reason.NOT_ENROLLED),
        (lambda s: replace(s, pad=0.1), Reason.PRESENTATION_ATTACK),
        (lambda s: replace(s, door=False), Reason.DOOR_UNAVAILABLE),
        (lambda s: replace(s, broken="door"), Reason.DOOR_UNAVAILABLE),
        (lambda s: replace(s, subjects={}), Reason.NOT_ENROLLED),
        (lambda s: replace(s, subjects={"ada": Subject("ada", "Ada", NOON, disabled=True)}), Reason.SUBJECT_DISABLED),
        (lambda s: replace(s, subjects={"ada": Subject("ada", "Ada", NOON, valid_until=NOON)}), Reason.VALIDITY_ENDED),
        (lambda s: replace(s, broken="detect"), Reason.DETECTOR_FAULT),
        (lambda s: replace(s, broken="quality"), Reason.QUALITY_FAULT),
        (lambda s: replace(s, broken="pad"), Reason.PAD_FAULT),
        (lambda s: replace(s, broken="embed"), Reason.EMBEDDER_FAULT),
        (lambda s: replace(s, broken="search"), Reason.GALLERY_FAULT),
        (lambda s: replace(s, broken="subject"), Reason.GALLERY_FAULT),
    ],
)
def test_everything_else_is_refused_with_its_reason(change: Callable[[Script], Script], reason: Reason) -> None:
    decisions = Scene(change(Script())).decisions(20)
    assert [(d.granted, d.reason) for d in decisions] == [(False, reason)]


@pytest.mark.parametrize(
    ("badge", "largest", "reason", "told"),
    [
        (7, 100, Reason.MATCHED, 7),
        (7, None, Reason.MATCHED, None),
        (None, 100, Reason.NO_BADGE, None),
        (None, None, Reason.MATCHED, None),
    ],
)
def test_a_decision_carries_the_badge_for_a_panel_alone(
    badge: int | None, largest: int | None, reason: Reason, told: int | None
) -> None:
    script = replace(Script(), subjects={"ada": Subject("ada", "Ada", NOON, badge=badge)})
    (decision,) = Scene(script, largest_badge=largest).decisions(3)
    assert (decision.reason, decision.badge) == (reason, told)
    assert "badge" not in repr(decision).replace("no_badge", "")


def test_nobody_is_no_attempt() -> None:
    events = Scene(Script(faces=[])).frames(10)
    assert all(isinstance(e, Waiting) for e in events)


@pytest.mark.parametrize("flaw", [Flaw.TOO_SMALL, Flaw.OUTSIDE_GUIDE])
def test_a_passer_by_is_no_attempt(flaw: Flaw) -> None:
    scene = Scene(Script(quality=Quality(0.0, flaw)))
    assert scene.decisions(100) == []


def test_a_face_that_stays_poor_is_refused_when_time_is_over() -> None:
    scene = Scene(Script(quality=Quality(0.0, Flaw.BLURRED)))
    (decision,) = scene.decisions(int(3.5 * FPS))
    assert decision.reason is Reason.POOR_QUALITY
    assert decision.subject_id is None


def test_a_second_face_restarts_the_attempt() -> None:
    script = Script()
    scene = Scene(script)
    assert scene.decisions(2) == []
    script.faces = [face(), face(50, 100)]
    assert scene.decisions(1) == []
    script.faces = [face()]
    assert scene.decisions(2) == []
    assert [d.granted for d in scene.decisions(1)] == [True]


def test_a_small_face_behind_does_not_disturb() -> None:
    script = Script(faces=[face(), face(50, 50)])
    assert [d.granted for d in Scene(script).decisions(3)] == [True]


def test_two_faces_for_long_are_refused_as_such() -> None:
    script = Script()
    scene = Scene(script)
    scene.frames(1)
    script.faces = [face(), face(50, 100)]
    (decision,) = scene.decisions(int(3.5 * FPS))
    assert decision.reason is Reason.SEVERAL_FACES


def test_another_face_in_another_place_cannot_use_the_votes_of_the_first() -> None:
    script = Script()
    scene = Scene(script)
    scene.frames(2)
    script.faces = [face(20.0)]
    assert scene.decisions(2) == []
    (decision,) = scene.decisions(1)
    assert decision.evidence.frames == 3


def test_a_frozen_camera_never_grants() -> None:
    scene = Scene(Script())
    decisions = [e.decision for e in scene.frames(int(4 * FPS), frozen=True) if isinstance(e, Proposed)]
    assert [(d.granted, d.reason) for d in decisions] == [(False, Reason.CAMERA_UNAVAILABLE)]


def test_who_leaves_in_the_middle_is_recorded() -> None:
    script = Script()
    scene = Scene(script)
    scene.frames(2)
    script.faces = []
    (decision,) = scene.decisions(15)
    assert decision.reason is Reason.INCOMPLETE


def test_after_a_grant_somebody_else_may_come_as_soon_as_the_face_has_gone() -> None:
    script = Script(subjects={s: Subject(s, s, NOON) for s in ("ada", "ben")})
    scene = Scene(script)
    assert len(scene.decisions(3)) == 1
    script.faces = [face(20.0)]
    assert scene.decisions(60) == [], "a jump is not a new person"
    script.faces = []
    assert scene.decisions(9) == []
    script.faces, script.subject_id = [face(20.0)], "ben"
    assert [(d.granted, d.subject_id) for d in scene.decisions(3)] == [(True, "ben")]


def test_who_stays_after_a_grant_is_not_let_in_again_whatever_the_detector_misses() -> None:
    script = Script()
    scene = Scene(script)
    assert len(scene.decisions(3)) == 1
    for _ in range(20):  # 60 s
        script.faces = [face()]
        events = scene.frames(int(2.4 * FPS))
        assert not [e for e in events if isinstance(e, Proposed)]
        assert all(e.let_in for e in events if isinstance(e, Observed) and e.progress == 0), "and is told so"
        script.faces = []
        assert scene.decisions(int(0.6 * FPS)) == [], "its track ends, and it has not gone"


def test_who_was_let_in_and_walks_away_while_looked_at_again_is_not_refused() -> None:
    script = Script()
    scene = Scene(script)
    assert len(scene.decisions(3)) == 1
    assert scene.decisions(int(5 * FPS)) == [], "its rest is over, and it is looked at again"
    script.faces = []
    assert scene.decisions(15) == []


def test_who_has_gone_for_some_seconds_is_let_in_again() -> None:
    script = Script()
    scene = Scene(script)
    assert len(scene.decisions(30)) == 1
    script.faces = []
    assert scene.decisions(int(2.5 * FPS)) == []
    script.faces = [face()]
    assert [d.granted for d in scene.decisions(3)] == [True]


def test_of_two_who_take_turns_nobody_is_let_in_twice_in_a_row() -> None:
    script = Script(subjects={s: Subject(s, s, NOON) for s in ("ada", "ben")})
    scene = Scene(script)
    granted = []
    for turn in range(40):
        script.subject_id, script.faces = ("ada", "ben")[turn % 2], [face(20.0 + 300 * (turn % 2))]
        granted += [d.subject_id for d in scene.decisions(int(1.5 * FPS)) if d.granted]
    assert len(granted) > 2
    assert all(first != second for first, second in pairwise(granted))


def test_where_the_door_did_not_act_one_may_try_again_without_going() -> None:
    scene = Scene(Script())
    (decision,) = scene.decisions(3)
    scene.pipeline.stayed_closed(decision)
    assert scene.decisions(74) == []
    assert [d.granted for d in scene.decisions(4)] == [True]


RNG = np.random.default_rng(0)
BUFFERS = [RNG.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(9)]


def from_buffers(count: int, frames: int, rules: Rules) -> list[Decision]:
    """A driver that shows so many buffers in turns, a clock in the corner of each."""
    scene = Scene(Script(), rules)
    decisions = []
    for number in range(frames):
        image = BUFFERS[number % count].copy()
        image[:8, :60] = number % 251
        scene.at += 1 / FPS
        events = scene.pipeline.step(Frame(image, number, scene.at, NOON))
        decisions += [e.decision for e in events if isinstance(e, Proposed)]
    return decisions


@pytest.mark.parametrize("count", range(1, 9))
def test_buffers_that_are_shown_in_turns_are_no_evidence(count: int) -> None:
    decisions = from_buffers(count, int(12 * FPS), Rules())
    assert decisions
    assert {(d.granted, d.reason) for d in decisions} == {(False, Reason.CAMERA_UNAVAILABLE)}


def test_a_face_is_compared_once_it_has_been_followed_longer_than_buffers_last() -> None:
    (decision,) = from_buffers(9, 9, Rules())
    assert decision.granted
    assert decision.evidence.frame_number == 8
    assert from_buffers(9, 8, Rules()) == []


def test_on_a_slow_machine_a_face_need_not_be_followed_for_as_many_frames() -> None:
    scene = Scene(Script(), Rules())
    granted = []
    for number in range(9):  # three a second
        scene.at += 1 / 3 - 1 / FPS
        granted += [number for d in scene.decisions(1) if d.granted]
    assert granted == [5]


def test_a_frozen_camera_before_an_empty_room_is_a_fault_and_its_end_is_told() -> None:
    scene = Scene(Script(faces=[]))
    events: list[Finding] = []
    for number in range(int(10 * FPS)):
        scene.at += 1 / FPS
        events += scene.pipeline.step(Frame(BUFFERS[0], number, scene.at, NOON))
    told = [e for e in events if isinstance(e, Faulted | Proposed)]
    assert [type(e) for e in told] == [Faulted, Proposed]
    assert isinstance(told[0], Faulted)
    assert told[0].reason is Reason.CAMERA_UNAVAILABLE
    events = []
    for number in range(int(10 * FPS)):
        scene.at += 1 / FPS
        image = RNG.integers(0, 256, (480, 640, 3), np.uint8)
        events += scene.pipeline.step(Frame(image, number, scene.at, NOON))
    assert [e for e in events if isinstance(e, Recovered)] == [Recovered(Reason.CAMERA_UNAVAILABLE)]


def test_after_a_refusal_nobody_is_tried_for_a_while() -> None:
    script = Script(mated=False)
    scene = Scene(script)
    assert len(scene.decisions(5)) == 1
    script.mated = True
    assert scene.decisions(20) == []
    assert [d.granted for d in scene.decisions(6)] == [True]


@dataclass
class Faces(Script):
    """Each person has a template of their own; only ada is enrolled."""

    who: str = "ada"

    def embed(self, image: np.ndarray, face: Face) -> Embedding | None:
        self.mated = self.who == "ada"
        return Embedding(np.full(128, {"ada": 1, "eve": 2}[self.who], np.float32), self.hints)


def test_the_pause_and_the_ten_attempts_belong_to_whoever_was_refused() -> None:
    script = Faces()
    scene = Scene(script, alike=lambda a, b: bool((a == b).all()))
    refused = granted = 0
    for _ in range(13):  # nine minutes: eve tries, ada comes behind her, both go
        script.who, script.faces = "eve", [face()]
        refused += len([d for d in scene.decisions(int(4 * FPS)) if d.reason is Reason.NOT_ENROLLED])
        script.faces = []
        scene.frames(int(0.6 * FPS))
        script.who, script.faces = "ada", [face()]
        let_in = [d for d in scene.decisions(int(2 * FPS)) if d.granted]
        granted += len(let_in)
        script.faces = []
        scene.frames(int(3 * FPS))
        scene.at += 30
    assert granted == 13, "nobody waits for eve's refusals"
    assert refused == 10, "and is compared no more"


def by_face(script: Faces) -> Scene:
    return Scene(script, alike=lambda a, b: bool((a == b).all()))


def step_in(scene: Scene, script: Faces) -> list[Decision]:
    """eve is compared four times, ada steps in beside her, is compared once, and both go."""
    script.who, script.faces = "eve", [face()]
    decisions = scene.decisions(4)
    script.who, script.faces = "ada", [face(20.0)]
    decisions += scene.decisions(1)
    script.faces = []
    return decisions + scene.decisions(int(3 * FPS))


def test_a_refusal_counts_against_whoever_was_compared_and_not_against_who_stepped_in() -> None:
    script = Faces()
    scene = by_face(script)
    for _ in range(10):
        assert [d.reason for d in step_in(scene, script)] == [Reason.INCOMPLETE]
        scene.at += 100
    script.who, script.faces = "eve", [face()]
    assert [d.reason for d in scene.decisions(int(6 * FPS))] == [Reason.TOO_MANY_ATTEMPTS], "eve had her attempts"
    script.faces = []
    scene.frames(int(3 * FPS))
    script.who, script.faces = "ada", [face()]
    assert [d.granted for d in scene.decisions(int(2 * FPS))] == [True]


def test_a_grant_to_who_stepped_in_still_counts_against_who_was_there_before() -> None:
    script = Faces()
    scene = by_face(script)
    for _ in range(10):
        script.who, script.faces = "eve", [face()]
        assert scene.decisions(4) == []
        script.who, script.faces = "ada", [face(20.0)]
        assert [d.granted for d in scene.decisions(3)] == [True]
        script.faces = []
        scene.frames(int(3 * FPS))
        scene.at += 100
    script.who, script.faces = "eve", [face()]
    assert all(d.evidence.comparison is None for d in scene.decisions(int(6 * FPS)))


def test_who_was_let_in_and_steps_in_again_does_not_hide_who_was_there_before() -> None:
    script = Faces()
    scene = by_face(script)
    assert [d.granted for d in scene.decisions(3)] == [True]
    for _ in range(10):
        script.faces = []
        scene.frames(int(0.7 * FPS))
        script.who, script.faces = "eve", [face()]
        scene.frames(4)
        script.who, script.faces = "ada", [face(20.0)]
        scene.frames(3)
        scene.at += 100
    script.faces = []
    scene.frames(int(0.7 * FPS))
    script.who, script.faces = "eve", [face()]
    assert all(d.evidence.comparison is None for d in scene.decisions(int(6 * FPS)))


def test_an_enrolled_person_who_glances_often_is_not_locked_out() -> None:
    script = Faces()
    scene = by_face(script)
    for _ in range(12):
        script.faces = [face()]
        assert scene.decisions(2) == []
        script.faces = []
        assert [d.reason for d in scene.decisions(15)] == [Reason.INCOMPLETE]
        scene.at += 240
    script.faces = [face()]
    assert [d.granted for d in scene.decisions(3)] == [True]


def test_the_refusals_of_others_for_their_pictures_slow_nobody() -> None:
    script = Script()
    scene = Scene(script)
    for _ in range(12):
        script.faces, script.quality = [face()], Quality(0.1, Flaw.TOO_DARK)
        assert [d.reason for d in scene.decisions(int(3.2 * FPS))] == [Reason.POOR_QUALITY]
        script.faces = []
        scene.frames(int(2 * FPS))
    script.faces = [face()]
    assert len(scene.decisions(int(3.2 * FPS))) == 1
    script.quality = Quality(0.9)
    assert [d.granted for d in scene.decisions(int(2 * FPS))] == [True]


def test_who_has_had_the_attempts_and_stands_there_is_recorded_once_a_minute() -> None:
    script = Faces(pad=0.1)
    scene = by_face(script)
    for _ in range(10):
        assert [d.reason for d in scene.decisions(3)] == [Reason.PRESENTATION_ATTACK]
        scene.at += 100
    decisions = scene.decisions(int(170 * FPS))
    assert [d.reason for d in decisions] == [Reason.TOO_MANY_ATTEMPTS] * 3
    assert all(d.evidence.comparison is None for d in decisions)


def test_who_was_let_in_and_left_to_a_stranger_is_let_in_again() -> None:
    script = Faces()
    scene = by_face(script)
    assert [d.granted for d in scene.decisions(3)] == [True]
    script.faces = []
    scene.frames(int(0.8 * FPS))
    script.who, script.faces = "eve", [face(20.0)]
    assert {d.reason for d in scene.decisions(int(20 * FPS))} == {Reason.NOT_ENROLLED}
    script.faces = []
    scene.frames(int(0.8 * FPS))
    script.who, script.faces = "ada", [face()]
    assert [d.granted for d in scene.decisions(int(4 * FPS))] == [True]


def test_who_was_let_in_and_is_not_recognised_for_a_while_has_not_gone() -> None:
    script = Script()
    scene = Scene(script, alike=lambda *_: True)
    assert [d.granted for d in scene.decisions(3)] == [True]
    for _ in range(3):
        script.faces = []
        scene.frames(int(0.8 * FPS))
        script.faces, script.mated = [face()], False
        scene.frames(int(4 * FPS))
    script.mated = True
    assert not [d for d in scene.decisions(int(10 * FPS)) if d.granted]


def test_who_was_let_in_and_left_to_somebody_disabled_is_let_in_again() -> None:
    ada, ben = Subject("ada", "Ada", NOON), Subject("ben", "Ben", NOON, disabled=True)
    script = Script(subjects={"ada": ada, "ben": ben})
    scene = Scene(script)
    assert [d.granted for d in scene.decisions(3)] == [True]
    script.faces = []
    scene.frames(int(0.8 * FPS))
    script.subject_id, script.faces = "ben", [face(20.0)]
    assert {d.reason for d in scene.decisions(int(10 * FPS))} == {Reason.SUBJECT_DISABLED}
    script.faces = []
    scene.frames(int(0.8 * FPS))
    script.subject_id, script.faces = "ada", [face()]
    assert [d.granted for d in scene.decisions(int(4 * FPS))] == [True]


def test_a_fault_in_the_middle_gives_no_attempts_back() -> None:
    script = Faces(who="eve")
    scene = by_face(script)
    for _ in range(10):
        assert scene.decisions(4) == []
        script.broken = "pad"
        assert [d.reason for d in scene.decisions(1)] == [Reason.PAD_FAULT]
        script.broken = ""
        scene.at += 100
    assert [d.reason for d in scene.decisions(int(6 * FPS))] == [Reason.TOO_MANY_ATTEMPTS]


def test_a_frame_without_a_face_does_not_end_the_pause_after_a_fault() -> None:
    script = Script(broken="pad")
    scene = Scene(script)
    assert len(scene.decisions(1)) == 1
    script.broken, script.faces = "", []
    scene.frames(1)
    script.faces = [face()]
    assert scene.decisions(int(1.3 * FPS)) == []
    assert [d.granted for d in scene.decisions(int(1 * FPS))] == [True]


def test_templates_that_cannot_be_compared_are_a_denial() -> None:
    script = Faces(who="eve")
    scene = Scene(script, alike=lambda *_: bool(1 / 0))
    assert [d.reason for d in scene.decisions(5)] == [Reason.INTERNAL_FAULT]
    assert not any(d.granted for d in scene.decisions(int(20 * FPS)))
    scene = Scene(script, alike=lambda *_: bool(1 / 0))
    assert scene.decisions(4) == []
    script.broken = "pad"
    assert [d.reason for d in scene.decisions(1)] == [Reason.PAD_FAULT], "in the middle of an attempt, too"


def test_refusals_long_ago_no_longer_slow_it_down() -> None:
    scene = Scene(Script(mated=False))
    for _ in range(6):
        assert len(scene.decisions(5)) == 1
        scene.at += 31
    scene.at += 120
    assert len(scene.decisions(5)) == 1
    assert scene.decisions(20) == []
    assert len(scene.decisions(7)) == 1, "after the plain pause of a first refusal"


def test_a_mistake_between_the_stages_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Script())
    scene.frames(2)
    with monkeypatch.context() as patch:
        patch.setattr(scene.pipeline._tracker, "follow", lambda *_: 1 / 0)
        (decision,) = scene.decisions(1)
    assert (decision.granted, decision.reason) == (False, Reason.INTERNAL_FAULT)
    assert Recovered(Reason.INTERNAL_FAULT) in scene.frames(OVER)


def test_a_fault_is_told_once_and_its_end_too() -> None:
    script = Script(broken="pad")
    scene = Scene(script)
    told = [e for e in scene.frames(3) if isinstance(e, Faulted | Recovered)]
    assert told == [Faulted(Reason.PAD_FAULT, "RuntimeError: pad is broken")]
    script.broken = ""
    told = [e for e in scene.frames(2 * OVER) if isinstance(e, Faulted | Recovered)]
    assert told == [Recovered(Reason.PAD_FAULT)]


def test_a_fault_that_comes_and_goes_is_one_fault_and_one_decision() -> None:
    script = Script()
    scene = Scene(script, replace(DEFAULT, pause=30.0))
    events: list[Finding] = []
    for number in range(int(20 * FPS)):
        script.broken = "detect" if number % 3 == 0 else ""
        events += scene.frames(1)
    assert [e for e in events if isinstance(e, Faulted | Recovered)] == [
        Faulted(Reason.DETECTOR_FAULT, "RuntimeError: detect is broken")
    ]
    assert len([e for e in events if isinstance(e, Proposed)]) == 1


def test_a_broken_network_refuses_every_later_attempt() -> None:
    scene = Scene(Script(broken="embed"), replace(DEFAULT, pause=0.0))
    decisions = scene.decisions(10)
    assert len(decisions) == 10
    assert {d.reason for d in decisions} == {Reason.EMBEDDER_FAULT}


def test_progress_grows_to_the_grant() -> None:
    events = Scene(Script()).frames(3)
    progress = [e.progress for e in events if isinstance(e, Observed)]
    assert progress == pytest.approx([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize("reason", [Reason.CAMERA_UNAVAILABLE, Reason.STALE_FRAME])
def test_a_fresh_frame_ends_a_fault_of_frames(reason: Reason) -> None:
    scene = Scene(Script(faces=[]))
    scene.frames(1)
    assert Faulted(reason, "why") in scene.pipeline.interrupt(reason, "why", scene.at, NOON)
    assert Recovered(reason) not in scene.frames(int(FPS))
    assert Recovered(reason) in scene.frames(OVER)


def test_an_interruption_ends_an_open_attempt_once() -> None:
    scene = Scene(Script())
    scene.frames(2)
    first = scene.pipeline.interrupt(Reason.CAMERA_UNAVAILABLE, "unplugged", scene.at, NOON)
    assert [type(e) for e in first] == [Faulted, Proposed]
    assert scene.pipeline.interrupt(Reason.CAMERA_UNAVAILABLE, "unplugged", scene.at + 2, NOON) == []
    assert Recovered(Reason.CAMERA_UNAVAILABLE) in scene.frames(int(2 * FPS) + OVER)


SITUATIONS = st.fixed_dictionaries(
    {
        "faces": st.sampled_from(["one", "one", "one", "elsewhere", "two", "none"]),
        "pad": st.sampled_from([0.9, 0.9, 0.1]),
        "subject_id": st.sampled_from(["ada", "ada", "ben"]),
        "mated": st.sampled_from([True, True, True, False]),
        "door": st.sampled_from([True, True, False]),
        "broken": st.sampled_from(["", "", "", "", "detect", "quality", "pad", "embed", "search", "subject", "door"]),
    }
)
HINTS = st.lists(st.sampled_from([(), *((hint,) for hint in Hint), tuple(Hint)]), min_size=40, max_size=40)
FACES = {"one": [face()], "elsewhere": [face(20.0)], "two": [face(), face(50, 100)], "none": []}


class Counted(Script):
    """Counts the searches of each attempt."""

    def __init__(self, **what: Any) -> None:
        super().__init__(**what)
        self.searches: Counter[object] = Counter()
        self.attempt: Callable[[], object] = lambda: None

    def search(self, probe: np.ndarray) -> Comparison:
        self.searches[self.attempt()] += 1
        return super().search(probe)


@given(st.lists(SITUATIONS, min_size=30, max_size=120))
def test_whatever_is_done_before_the_camera_an_attempt_has_its_budget_and_no_denial_is_outvoted(
    story: list[dict[str, Any]],
) -> None:
    script = Counted(subjects={s: Subject(s, s, NOON) for s in ("ada", "ben")})
    scene = Scene(script, replace(DEFAULT, pause=0.0, rest=0.0, again=True))
    script.attempt = lambda: scene.pipeline._attempt
    denied_at = -99
    for i, now in enumerate(story):
        script.faces = FACES[now["faces"]]
        for name in ("pad", "subject_id", "mated"):
            setattr(script, name, now[name])
        before = sum(script.searches.values())
        decisions = scene.decisions(1)
        if sum(script.searches.values()) > before and now["pad"] == 0.1:
            denied_at = i
        for decision in decisions:
            assert not decision.granted or i - denied_at >= DEFAULT.needed
    assert max(script.searches.values(), default=0) <= DEFAULT.budget


@given(st.lists(SITUATIONS, min_size=3, max_size=40), HINTS)
def test_hints_change_no_decision(story: list[dict[str, Any]], hints: list[tuple[Hint, ...]]) -> None:
    decisions = []
    for given_hints in ([()] * len(hints), hints):
        script = Script(subjects={s: Subject(s, s, NOON) for s in ("ada", "ben")})
        scene = Scene(script, replace(DEFAULT, pause=0.0, rest=0.0))
        made = []
        for now, script.hints in zip(story, given_hints, strict=False):
            script.faces = FACES[now["faces"]]
            for name in ("pad", "subject_id", "mated", "door", "broken"):
                setattr(script, name, now[name])
            made += scene.decisions(1)
        decisions.append([replace(d, id="", evidence=replace(d.evidence, hint=None)) for d in made])
    assert decisions[0] == decisions[1]


@given(st.lists(SITUATIONS, min_size=3, max_size=40))
def test_whatever_happens_a_grant_rests_on_enough_good_frames_of_one_face(story: list[dict[str, Any]]) -> None:
    script = Script(subjects={s: Subject(s, s, NOON) for s in ("ada", "ben")})
    scene = Scene(script, replace(DEFAULT, pause=0.0, rest=0.0, again=True))
    for i, now in enumerate(story):
        script.faces = FACES[now["faces"]]
        for name in ("pad", "subject_id", "mated", "door", "broken"):
            setattr(script, name, now[name])
        for decision in scene.decisions(1):
            if not decision.granted:
                continue
            assert now["door"]
            assert now["broken"] == ""
            window = [s for s in story[: i + 1] if s["faces"] != "none"][-DEFAULT.window :]
            good = [
                s
                for s in window
                if s["faces"] == now["faces"] in {"one", "elsewhere"}
                and (s["pad"], s["mated"], s["subject_id"]) == (0.9, True, decision.subject_id)
                and s["broken"] not in {"detect", "quality", "pad", "embed", "search"}
            ]
            assert len(good) >= 3


def test_a_fault_that_was_told_at_start_is_not_told_again_but_its_end_is() -> None:
    class Outdated(Script):
        def search(self, probe: np.ndarray) -> Comparison:
            if self.broken:
                raise OutdatedError("12 references were made with another network: enrol again")
            return super().search(probe)

    scene = Scene(Outdated(broken="all"))
    scene.pipeline.expect(Reason.REFERENCES_OF_ANOTHER_MODEL)
    events = scene.frames(3)
    assert not [e for e in events if isinstance(e, Faulted)]
    (decision,) = [e.decision for e in events if isinstance(e, Proposed)]
    assert (decision.granted, decision.reason) == (False, Reason.REFERENCES_OF_ANOTHER_MODEL)
    assert "enrol again" in decision.detail
    scene.script.broken = ""
    assert Recovered(Reason.REFERENCES_OF_ANOTHER_MODEL) in scene.frames(60)


def test_after_so_many_refusals_no_face_is_compared_for_an_hour() -> None:
    scene = Scene(Script(mated=False), limit=2)
    refused = scene.decisions(200)
    assert [d.reason for d in refused] == [Reason.NOT_ENROLLED] * 2
    scene.script.mated = True
    scene.script.broken = "embed"
    events = scene.frames(100)
    assert all(isinstance(e, Observed) and e.waits for e in events), "no face is even embedded"
    scene.script.broken = ""
    scene.at = refused[-1].evidence.captured_at + HOUR - 5
    assert scene.decisions(60) == []
    scene.at += 5
    (granted,) = scene.decisions(60)
    assert granted.granted


def test_faults_of_the_kiosk_and_grants_turn_face_alone_off_never() -> None:
    scene = Scene(Script(broken="pad"), limit=1)
    assert not scene.decisions(200)[-1].granted
    scene.script.broken = ""
    scene.at += 60
    assert any(d.granted for d in scene.decisions(60))
    scene.script.quality = Quality(0.1, Flaw.TURNED)
    scene.at += 60
    assert {d.reason for d in scene.decisions(200)} == {Reason.POOR_QUALITY}
    scene.script.faces, scene.script.quality = [], Quality(0.9)
    scene.frames(60)
    scene.script.faces = [face()]
    assert any(d.granted for d in scene.decisions(60))


def test_a_poster_beside_the_door_shuts_it_for_three_minutes_and_not_for_ever() -> None:
    """It is told, left out, and lets nobody in itself."""
    poster = face(x=20)
    script = Script(faces=[poster])
    scene = Scene(script, Rules(needed=1, window=1, fresh_frames=0, fresh_seconds=0.0, pause=0.0))
    scene.script.mated = False
    told = [e for e in scene.frames(int((STAYS_SECONDS + 2) * FPS)) if isinstance(e, FaceStays)]
    assert told == [FaceStays(True)]
    script.mated = True
    assert scene.decisions(30) == [], "whom it resembles does not count any more"
    script.faces = [face(), poster]
    (decision,) = [d for d in scene.decisions(5) if d.granted]
    assert decision.subject_id == "ada"
    script.faces = [face(x=270), face(x=500), poster]
    assert not any(d.granted for d in scene.decisions(20)), "two people are two people"
