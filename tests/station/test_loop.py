"""The threads around the pipeline: a camera that comes, fails, hangs and comes back."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Box, Face, Frame, Quality
from kiosk.domain.people import Embedding
from kiosk.domain.transition import Kept
from kiosk.domain.updates import FaceStays, Faulted, Finding, Observed, Proposed, Update, Waiting
from kiosk.station import attention, loop
from kiosk.station.access import Access
from kiosk.station.loop import Aside, Station, unfailing
from kiosk.station.pipeline import Pipeline
from kiosk.system.clock import boottime
from kiosk.system.health import Health

PATIENCE = 30.0


class Seen(Pipeline):
    """Stands for the pipeline: tells which frames came. What it decides is tested elsewhere."""

    busy = False

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.findings: list[Finding] = []
        self.news: list[Finding] = []
        self.aside: list[int] = []

    def step(self, frame: Frame) -> list[Finding]:
        self.numbers.append(frame.number)
        return self.findings or [Waiting(frame.number)]

    def stayed_closed(self, decision: Decision) -> None:
        pass

    def put_aside(self, frame: Frame) -> list[Finding]:
        self.aside.append(frame.number)
        news, self.news = self.news, []
        return news

    def interrupt(self, reason: Reason, message: str, at: float, wall_at: datetime, number: int = -1) -> list[Finding]:
        return [Faulted(reason, message)]


class Paper:
    """Audit log and door of a test without either."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.result = DoorResult.UNAVAILABLE

    def append(self, records: Sequence[AuditRecord]) -> None:
        self.records += records

    def ready(self) -> bool:
        return True

    def release(self, grant: Grant) -> DoorReply:
        return DoorReply(grant.id, self.result)


class ScriptedCamera:
    """Reads its script: a number is a frame of that age in seconds, an exception is raised."""

    live = True

    def __init__(self, script: Sequence[float | Exception]) -> None:
        self.script = list(script)
        self.opened = 0
        self.number = 0

    def open(self) -> None:
        self.opened += 1

    def read(self, timeout: float) -> Frame:
        if not self.script:
            raise EOFError
        what = self.script.pop(0)
        if isinstance(what, Exception):
            raise what
        self.number += 1
        picture = np.zeros((4, 4, 3), np.uint8)
        return Frame(picture, self.number, boottime() - what, datetime.now(UTC))

    def close(self) -> None:
        pass


class Recorded(ScriptedCamera):
    """Its frames say when they were taken, so many a second, from 7 s ago on."""

    rate = 100.0

    def __init__(self, script: Sequence[float | Exception]) -> None:
        super().__init__(script)
        self.begin = boottime() - 7.0

    def read(self, timeout: float) -> Frame:
        frame = super().read(timeout)
        return replace(frame, captured_at=self.begin + frame.number / self.rate)


class Usual(Recorded):
    rate = 15.0


class World:
    """A station and what it says."""

    def __init__(
        self,
        script: Sequence[float | Exception],
        camera: type[ScriptedCamera] = ScriptedCamera,
        max_age: float = 1.5,
        aside: Aside | None = None,
    ) -> None:
        self.scanned: list[int] = []
        self.renewed: list[tuple[str, int, int]] = []
        """Decision, number of frames, and how many updates were published before."""
        self.camera = camera(script)
        self.camera.live = False  # each frame of the script is waited for
        self.pipeline = Seen()
        self.paper = Paper()
        self.events: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self.shown: list[int] = []
        self.health = Health(time.monotonic)
        self.station = Station(
            self.camera,
            self.pipeline,
            Access(self.paper, self.paper, 1.5, boottime),
            self.health,
            boottime,
            self.events.put,
            lambda frame: self.shown.append(frame.number),
            max_age=max_age,
            aside=aside,
            scan=lambda frame: self.scanned.append(frame.number),
            renew=lambda decision, kept: self.renewed.append((decision.id, len(kept), self.events.qsize())),
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        self.station.start()
        try:
            yield
        finally:
            self.station.stop(PATIENCE)

    def fault(self) -> Faulted:
        while True:
            event = self.events.get(timeout=PATIENCE)
            if isinstance(event, Faulted):
                return event


def test_frames_go_through_and_the_end_is_told() -> None:
    world = World([0.0, 0.0, 0.0], camera=Usual, max_age=60.0)
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.pipeline.numbers == world.shown == [1, 2, 3]
    assert not world.station.died
    assert [r.kind for r in world.paper.records] == ["start", "stop"]


@pytest.mark.parametrize("error", [CameraError("unplugged"), OSError("driver's surprise")])
def test_a_camera_that_fails_is_told_and_opened_again(error: Exception) -> None:
    world = World([0.0, error, 0.0])
    with world.running():
        fault = world.fault()
        assert world.station.finished.wait(PATIENCE)
    assert fault.reason is Reason.CAMERA_UNAVAILABLE
    assert str(error) in fault.message
    assert world.camera.opened == 2
    assert world.pipeline.numbers == [1, 2]
    assert ("fault", "camera_unavailable") in [(r.kind, r.reason) for r in world.paper.records]


@pytest.mark.parametrize("age", [1.6, 3600.0, -5.0])
def test_an_old_frame_or_one_of_the_future_is_no_evidence(age: float) -> None:
    world = World([age, 0.0])
    with world.running():
        assert world.fault().reason is Reason.STALE_FRAME
        assert world.station.finished.wait(PATIENCE)
    assert world.pipeline.numbers == [2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_pipeline_that_dies_is_seen() -> None:
    world = World([0.0] * 5)

    def die(frame: Frame) -> list[Finding]:
        raise RuntimeError("a mistake of ours")

    world.pipeline.step = die  # type: ignore[method-assign]
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.station.died


def test_silence_is_noticed_and_leaving_is_not_silence() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    for name in ("camera", "pipeline"):
        health.beat(name)
    now[0] = 5.0
    health.beat("camera")
    assert health.silent() == []
    now[0] = 9.0
    assert health.silent() == ["pipeline"]
    health.leave("pipeline")
    assert health.silent() == []


def test_who_looks_on_cannot_stop_who_decides() -> None:
    def fail(_event: Update) -> None:
        raise BrokenPipeError

    world = World([0.0, 0.0, 0.0])
    world.station._publish = unfailing(fail)
    world.station._show = unfailing(lambda _: 1 / 0)
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.pipeline.numbers == [1, 2, 3]
    assert not world.station.died


def test_of_an_empty_room_fewer_frames_are_searched_and_all_of_one_that_is_not() -> None:
    """Frames of a camera of 100 a second, which say when they were taken: 6 s of nobody."""

    world = World([0.0] * 600, max_age=60.0, camera=Recorded)
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    numbers = world.pipeline.numbers
    assert numbers[:500] == list(range(1, 501))
    assert {b - a for a, b in pairwise(numbers[499:])} <= {9, 10}
    assert len(numbers) > 500
    assert {b - a for a, b in pairwise(n for n in world.shown if n <= 500)} <= {5}
    assert {b - a for a, b in pairwise(n for n in world.shown if n > 500)} <= {18, 19}


@pytest.mark.parametrize("finding", [Waiting(0), Observed(0, (), None, 0.0)])
def test_a_live_camera_rests_while_nobody_is_there_and_only_then(
    finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World([0.0] * 120, camera=Usual, max_age=60.0)
    world.camera.live = True
    world.pipeline.findings = [finding]
    rests: list[float] = []
    rest = world.station._attention.rest

    def noted(frame: Frame) -> float:
        world.station._latest.wait_taken(PATIENCE)  # as a camera that waits for its next frame
        rests.append(rest(frame))
        return 0.0

    monkeypatch.setattr(world.station._attention, "rest", noted)
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert len(rests) == 120
    assert any(rests) is isinstance(finding, Waiting)
    assert not any(rests[:70])


class Staff:
    """Keeps frames from the door as long as it is told to, and hears of the camera's faults."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.kept: list[int] = []
        self.heard: list[str] = []

    def take(self, frame: Frame) -> bool:
        if frame.number > self.until:
            return False
        self.kept.append(frame.number)
        return True

    def lost(self, message: str) -> None:
        self.heard.append(message)


def test_a_frame_that_staff_use_is_shown_and_the_door_never_sees_it() -> None:
    staff = Staff(until=2)
    world = World([0.0, 0.0, 0.0, 0.0], aside=staff, camera=Usual, max_age=60.0)
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert staff.kept == [1, 2]
    assert (world.pipeline.aside, world.pipeline.numbers) == ([1, 2], [3, 4])
    assert world.shown == [1, 2, 3, 4]


def test_a_face_against_the_light_is_told_to_a_camera_that_can_brighten_it() -> None:
    told: list[float] = []

    class Bright(ScriptedCamera):
        def read(self, timeout: float) -> Frame:
            frame = super().read(timeout)
            picture = np.full((480, 640, 3), 220, np.uint8)
            picture[100:300, 200:400] = 40
            return replace(frame, image=picture)

        def brighten(self, stops: float) -> None:
            told.append(stops)

    world = World([0.0], camera=Bright)
    world.pipeline.findings = [Observed(1, (Face(Box(200, 100, 200, 200), ((0.0, 0.0),) * 5, 1.0),), None, 0.0)]
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert told == [0.5]


def test_a_face_that_stays_is_told_while_staff_use_the_camera_too() -> None:
    world = World([0.0, 0.0], aside=Staff(until=2))
    world.pipeline.news = [FaceStays(there=True)]
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.events.get(timeout=PATIENCE) == FaceStays(there=True)
    assert [r.outcome for r in world.paper.records if r.kind is AuditKind.STAFF] == [AuditOutcome.FACE_STAYS]


def test_staff_hear_of_a_camera_that_fails_and_get_no_old_frame() -> None:
    staff = Staff(until=9)
    world = World([0.0, 60.0, CameraError("unplugged"), 0.0], aside=staff, max_age=1.5)
    with world.running():
        assert world.fault().reason is Reason.STALE_FRAME
        assert world.fault().reason is Reason.CAMERA_UNAVAILABLE
        assert world.station.finished.wait(PATIENCE)
    assert staff.heard == ["unplugged"]
    assert staff.kept == [1, 3]
    assert world.pipeline.numbers == []


@pytest.mark.parametrize(
    ("findings", "busy", "scanned"),
    [
        ([Observed(1, (), None, 0.0)], False, [1, 2]),
        ([Observed(1, (), None, 0.0)], True, []),
    ],
)
def test_codes_are_looked_for_while_somebody_is_there_and_no_attempt_is_open(
    findings: list[Finding], busy: bool, scanned: list[int]
) -> None:
    world = World([0.0, 0.0])
    world.pipeline.findings, world.pipeline.busy = findings, busy
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.scanned == scanned


def test_in_an_empty_room_no_code_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was there last has left long ago: that is not the first frame's five seconds after the start."""
    monkeypatch.setattr(attention, "NOBODY_SECONDS", 0.0)
    world = World([0.0, 0.0, 0.0])
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.scanned == []


@pytest.mark.parametrize(("result", "renewed"), [(DoorResult.RELEASED, [("d", 1, 2)]), (DoorResult.UNAVAILABLE, [])])
def test_frames_behind_a_grant_are_handed_on_when_the_door_has_acted_and_that_was_published(
    result: DoorResult, renewed: list[tuple[str, int, int]]
) -> None:
    world = World([0.0])
    world.paper.result = result
    kept = Kept(np.zeros((4, 4, 3), np.uint8), (), Quality(1.0), Embedding(np.ones(128, np.float32)))
    decision = Decision("d", Outcome.GRANTED, Reason.MATCHED, "ada", Evidence(1, boottime(), datetime.now(UTC)))
    world.pipeline.findings = [Proposed(decision, (kept,))]
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert world.renewed == renewed


def test_after_each_decision_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then: on each frame it would cost a third of the frame's time."""
    given: list[bool] = []
    monkeypatch.setattr(loop, "give_back", lambda: given.append(True))
    world = World([0.0, 0.0])
    refused = Decision("d", Outcome.REFUSED, Reason.NOT_ENROLLED, None, Evidence(1, boottime(), datetime.now(UTC)))
    world.pipeline.findings = [Waiting(1), Proposed(refused, ())]
    with world.running():
        assert world.station.finished.wait(PATIENCE)
    assert len(given) == len(world.pipeline.numbers)
