"""A fault in each stage ends in a denial with its reason and a record of it, never in a grant (rule 1 in
ARCHITECTURE.md).

All parts are the real ones: networks, gallery, audit log, threads, and kiosk-door as a process. The visitor is the
demonstration's, who is let in when nothing is wrong: the first test shows that.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from kiosk.config import Config
from kiosk.demonstration import stage
from kiosk.demonstration.camera import GAP_SECONDS, SimulatedCamera, SimulatedOptions
from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import DoorStatus
from kiosk.domain.errors import CameraError, ConfigError, TamperedError
from kiosk.domain.face import Frame
from kiosk.domain.ids import new_id
from kiosk.domain.people import NewReference
from kiosk.domain.updates import Checkpointed, Decided, DoorAnswered, Faulted, Observed, Recovered, Unexplained, Update
from kiosk.station import assembly
from kiosk.station.access import decision_record
from kiosk.station.door_client import DoorClient
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import boot_name, boottime
from kiosk.vision.models import Models, load

PATIENCE = 60.0


class Visitor(SimulatedCamera):
    """The story over and over, by the clock: a kiosk that idles looks but a few times a second, and would miss a visit
    that a fast machine plays faster. `broken` makes it fail as a camera does."""

    def __init__(self) -> None:
        options = SimulatedOptions(loop=True)
        super().__init__(options, wall=lambda: datetime.now(UTC) - self.set_back)
        self.broken = False
        self.set_back = timedelta()

    def open(self) -> None:
        """Begins where the first visitor comes: nobody needs the empty room before."""
        super().open()
        self._last = int(GAP_SECONDS * self._options.fps) - 2

    def read(self, timeout: float) -> Frame:
        """Raises CameraError while broken."""
        if self.broken:
            raise CameraError("unplugged")
        return super().read(math.inf)  # a machine that is faster than the story is not ahead of it


@dataclass
class Bench:
    """A kiosk to be broken, and what it says."""

    config: Config
    home: Home
    models: Models
    door: int
    camera: Visitor = field(default_factory=Visitor)
    events: queue.SimpleQueue[Update] = field(default_factory=queue.SimpleQueue)
    on_progress: Callable[[], None] = lambda: None

    def publish(self, event: Update) -> None:
        """As the kiosk's threads call it."""
        if isinstance(event, Observed) and event.progress > 0:
            self.on_progress()
        self.events.put(event)

    def next(self, kind: type) -> Update:
        """Waits for the next event of a kind."""
        until = time.monotonic() + PATIENCE
        while True:
            event = self.events.get(timeout=max(0.0, until - time.monotonic()))
            if isinstance(event, kind):
                return event

    def decision(self) -> Decision:
        """The next decision."""
        event = self.next(Decided)
        assert isinstance(event, Decided)
        return event.decision

    def records(self) -> list[AuditRecord]:
        """All decisions and outcomes on disk."""
        with closing(Audit(open_database(self.home.database, read_only=True))) as audit:
            return audit.records(kinds=(AuditKind.DECISION, AuditKind.OUTCOME))

    def valid_until(self, moment: datetime) -> None:
        """Everybody's right ends then."""
        with closing(open_gallery(self.home)) as gallery:
            for subject in gallery.subjects():
                gallery.set_validity(subject.id, None, moment)

    def sql(self, statement: str) -> None:
        """Changes the database behind the kiosk's back."""
        with closing(sqlite3.connect(self.home.database)) as connection, connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def models() -> Models:
    config = stage.settings(Path("unused"))
    return load(config.models, config.policy)


@pytest.fixture(scope="module")
def enrolled(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the story's subjects, of which each test has a copy."""
    folder = tmp_path_factory.mktemp("enrolled") / "home"
    stage.enrol_visitors(stage.settings(Path("unused")), Home(folder), models)
    return folder


@pytest.fixture
def bench(models: Models, enrolled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    started: list[int] = []
    popen = stage.subprocess.Popen

    def remember(*args: object, **options: object) -> object:
        process = popen(*args, **options)  # type: ignore[call-overload]
        started.append(process.pid)
        return process

    monkeypatch.setattr(stage.subprocess, "Popen", remember)
    monkeypatch.setattr(stage, "load", lambda *_: models)
    monkeypatch.setattr(stage, "enrol_visitors", lambda _config, home, _models: copytree(enrolled, home.folder))
    with stage.stage() as (config, home):
        bench = Bench(config, home, models, started[0])
        monkeypatch.setattr(assembly, "load", lambda *_: bench.models)
        yield bench


def run(bench: Bench) -> AbstractContextManager[assembly.Kiosk]:
    return assembly.running(bench.config, bench.home, bench.publish, lambda _: None, bench.camera)


class Broken:
    """Stands where a stage was, and fails."""

    threshold = 0.5

    def __init__(self, model_id: str = "") -> None:
        self.model_id = model_id

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object) -> object:
            raise RuntimeError(f"{name} is broken")

        return fail


def break_detector(bench: Bench) -> None:
    bench.models = replace(bench.models, detector=Broken())  # type: ignore[arg-type]


def break_pad(bench: Bench) -> None:
    bench.models = replace(bench.models, pad=Broken())  # type: ignore[arg-type]


def break_embedder(bench: Bench) -> None:
    bench.models = replace(bench.models, embedder=Broken(bench.models.embedder.model_id))  # type: ignore[arg-type]


def break_gallery(bench: Bench) -> None:
    """A row altered behind the kiosk's back is found when the gallery is read again: at the next change of it."""

    def damage() -> None:
        bench.on_progress = lambda: None
        bench.sql("UPDATE reference SET sealed = zeroblob(200)")
        bench.valid_until(datetime(2098, 1, 1, tzinfo=UTC))

    bench.on_progress = damage


def break_audit(bench: Bench) -> None:
    bench.sql(
        "CREATE TRIGGER broken BEFORE INSERT ON audit WHEN NEW.outcome = 'granted' "
        "BEGIN SELECT RAISE(ABORT, 'injected'); END"
    )


def break_camera(bench: Bench) -> None:
    def unplug() -> None:
        bench.camera.broken = True

    bench.on_progress = unplug


def kill_door(bench: Bench) -> None:
    def kill() -> None:
        bench.on_progress = lambda: None
        os.kill(bench.door, signal.SIGKILL)

    bench.on_progress = kill


def freeze_door(bench: Bench) -> None:
    def freeze() -> None:
        bench.on_progress = lambda: None
        os.kill(bench.door, signal.SIGSTOP)

    bench.on_progress = freeze


def test_without_a_fault_the_visitor_is_let_in(bench: Bench) -> None:
    with run(bench):
        decision = bench.decision()
        answer = bench.next(DoorAnswered)
    assert decision.granted
    assert isinstance(answer, DoorAnswered)
    assert answer.reply.result is DoorResult.RELEASED
    assert [(r.kind, r.outcome, r.grant_id) for r in bench.records()] == [
        ("decision", "granted", decision.id),
        ("outcome", "released", decision.id),
    ]
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        (start,) = audit.records(kinds=(AuditKind.START,))
    assert start.detail["threshold"] == round(decision.evidence.comparison.threshold, 4)  # type: ignore[union-attr]
    assert start.detail["freefacenet_model"] == bench.models.embedder.model_id
    assert {"needed", "window", "fpir", "pad_threshold", "pad-2.7_sha256", "version"} < start.detail.keys()


class RealDoor(DoorClient):
    """kiosk-door, which says that its lock is real."""

    def status(self, timeout: float = 0.1) -> DoorStatus:
        return replace(super().status(timeout), simulated=False)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"attempt": {"needed": 1}}, "needed 1 is below 3"),
        ({"policy": {"threshold": 0.001, "pad_threshold": 1e-9, "fpir": 0.1}}, "threshold 0.001 is below"),
    ],
)
def test_unsafe_settings_do_not_start_before_a_lock_that_is_real(
    bench: Bench, changed: dict[str, dict[str, float]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the configuration says of the lock: the door itself is asked. Before the simulated one they may run."""
    bench.config = Config.model_validate({**bench.config.model_dump(exclude_unset=True), **changed})
    bench.models = replace(bench.models, policy=bench.config.policy)
    with run(bench):
        pass
    monkeypatch.setattr(assembly, "DoorClient", RealDoor)
    monkeypatch.setattr(assembly, "refuse_make_believe", lambda *_: None)
    with pytest.raises(ConfigError, match=words), run(bench):
        pass
    assert not any(r.outcome == "granted" for r in bench.records())


def test_a_gallery_that_outgrows_its_fixed_threshold_grants_nothing_before_a_lock_that_is_real(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safe at the start; unsafe when enough others have been enrolled beside it; said, and nobody is let in."""
    score = bench.models.thresholds.for_gallery({1: 10}).score
    policy = bench.config.policy.model_copy(update={"threshold": score})
    bench.config = bench.config.model_copy(update={"policy": policy})
    bench.models = replace(bench.models, policy=policy)
    monkeypatch.setattr(assembly, "DoorClient", RealDoor)
    monkeypatch.setattr(assembly, "refuse_make_believe", lambda *_: None)

    def grow() -> None:
        bench.on_progress = lambda: None
        with closing(open_gallery(bench.home)) as gallery:
            vector = gallery.references(bench.models.embedder.model_id)[0].template.astype(np.float32)
            for number in range(12):
                new = NewReference(np.roll(vector, number + 1), bench.models.embedder.model_id, 1.0)
                gallery.add_subject(f"n{number}", [new])

    bench.on_progress = grow
    with run(bench):
        told = bench.next(Faulted)
        decision = bench.decision()
    assert isinstance(told, Faulted)
    assert told.reason is Reason.UNSAFE_POLICY
    assert "is too low for" in told.message
    assert (decision.granted, decision.reason) == (False, Reason.UNSAFE_POLICY)
    assert not any(r.outcome == "granted" for r in bench.records())


def test_a_real_lock_never_takes_the_place_of_a_simulated_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a simulated lock allowed, unsafe settings too, must not reach a real one without a new start."""
    made: list[bool] = []

    class Watched(DoorClient):
        def __init__(self, path: Path, *, only_simulated: bool = False) -> None:
            made.append(only_simulated)
            super().__init__(path, only_simulated=only_simulated)

    monkeypatch.setattr(assembly, "DoorClient", Watched)
    with run(bench):
        assert made[-1] is True


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (break_camera, Reason.CAMERA_UNAVAILABLE),
        (break_detector, Reason.DETECTOR_FAULT),
        (break_pad, Reason.PAD_FAULT),
        (break_embedder, Reason.EMBEDDER_FAULT),
        (break_gallery, Reason.GALLERY_FAULT),
        (break_audit, Reason.AUDIT_UNAVAILABLE),
        (kill_door, Reason.DOOR_UNAVAILABLE),
        (freeze_door, Reason.DOOR_UNAVAILABLE),
    ],
)
def test_a_fault_is_a_denial_and_is_recorded(bench: Bench, break_it: Callable[[Bench], None], reason: Reason) -> None:
    bench.config = bench.config.model_copy(
        update={"attempt": bench.config.attempt.model_copy(update={"needed": 5, "window": 5})}
    )
    break_it(bench)
    try:
        with run(bench):
            decision = bench.decision()
    finally:
        if break_it is freeze_door:
            os.kill(bench.door, signal.SIGCONT)
    assert (decision.granted, decision.reason) == (False, reason)
    assert (decision.id, "refused", reason.value) in {(r.grant_id, r.outcome, r.reason) for r in bench.records()}
    assert not any(r.outcome in {"granted", "released"} for r in bench.records())


def test_somebody_else_s_long_transaction_refuses_in_time_is_recorded_later_and_holds_nothing_up(bench: Bench) -> None:
    """A backup script, say: it stands in the way of the record, and so of the grant; of nothing else."""
    with closing(sqlite3.connect(bench.home.database, isolation_level=None, check_same_thread=False)) as other:

        def begin() -> None:
            bench.on_progress = lambda: None
            other.execute("BEGIN IMMEDIATE")

        bench.on_progress = begin
        with run(bench) as kiosk:
            refused = bench.decision()
            silent = kiosk.health.silent()
            other.execute("ROLLBACK")
            bench.next(Recovered)
            assert not kiosk.died
    assert (refused.granted, refused.reason) == (False, Reason.AUDIT_UNAVAILABLE)
    assert silent == []
    of_it = [(r.kind, r.outcome, r.reason) for r in bench.records() if r.grant_id == refused.id]
    assert of_it == [("decision", "refused", Reason.AUDIT_UNAVAILABLE.value)]


def test_references_of_another_network_are_a_fault_from_the_start_on(bench: Bench) -> None:
    """Said before anybody has come; whoever comes is refused for that reason; nobody is compared."""
    with closing(open_gallery(bench.home)) as gallery:
        for subject in gallery.subjects():
            vector = np.arange(128, dtype=np.float32)
            gallery.renew(subject.id, [NewReference(vector, "another", 1.0)])
    with run(bench):
        said = [bench.events.get_nowait()]
        while isinstance(said[-1], Checkpointed):
            said.append(bench.events.get_nowait())
        told, decision = said[-1], bench.decision()
    assert isinstance(told, Faulted)
    assert told.reason is Reason.REFERENCES_OF_ANOTHER_MODEL
    assert "made with another network: enrol again" in told.message
    assert (decision.granted, decision.reason) == (False, Reason.REFERENCES_OF_ANOTHER_MODEL)
    assert decision.evidence.comparison is None
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        assert [r.reason for r in audit.records(kinds=(AuditKind.FAULT,))] == [Reason.REFERENCES_OF_ANOTHER_MODEL.value]


def test_a_clock_behind_the_log_refuses_whoever_has_a_validity_until_root_accepts_it(bench: Bench) -> None:
    """The record of 2099 is of a clock that once stood ahead."""
    bench.valid_until(datetime(2098, 1, 1, tzinfo=UTC))
    with closing(Audit(open_database(bench.home.database, check=False))) as audit:
        audit.append([AuditRecord(AuditKind.STOP, datetime(2099, 1, 1, tzinfo=UTC))])
    bench.config = bench.config.model_copy(
        update={"attempt": bench.config.attempt.model_copy(update={"pause": 0.0, "rest": 0.0})}
    )
    with run(bench):
        told = bench.next(Faulted)
        decision = bench.decision()
        with closing(Audit(open_database(bench.home.database, check=False))) as audit:
            audit.append([AuditRecord(AuditKind.CLOCK, datetime.now(UTC), outcome="accepted")])
        bench.next(Recovered)
        decisions = [bench.decision()]
        while decisions[-1].reason is Reason.CLOCK_BEHIND:
            decisions.append(bench.decision())
    assert isinstance(told, Faulted)
    assert told.reason is Reason.CLOCK_BEHIND
    assert (decision.granted, decision.reason) == (False, Reason.CLOCK_BEHIND)
    assert decisions[-1].granted


def test_a_clock_set_back_while_it_runs_revives_no_right(bench: Bench) -> None:
    """The validity ended a minute ago; the clock is set back by an hour."""
    bench.valid_until(datetime.now(UTC) - timedelta(minutes=1))
    bench.camera.set_back = timedelta(hours=1)
    with run(bench):
        decision = bench.decision()
    assert (decision.granted, decision.reason) == (False, Reason.CLOCK_BEHIND)


def test_without_a_validity_a_wrong_clock_keeps_nobody_out(bench: Bench) -> None:
    bench.camera.set_back = timedelta(hours=1)
    with run(bench):
        assert bench.decision().granted


BACK, FORWARD = timedelta(hours=5), timedelta(hours=-5)


@pytest.mark.parametrize(
    "set_back",
    [timedelta(), pytest.param(BACK, marks=pytest.mark.prove), pytest.param(FORWARD, marks=pytest.mark.prove)],
)
def test_after_too_many_refusals_nobody_is_compared_until_that_is_reset(bench: Bench, set_back: timedelta) -> None:
    """Refused by a kiosk that was killed then. What the wall clock says changes nothing."""
    stranger = Decision(
        new_id(), Outcome.REFUSED, Reason.NOT_ENROLLED, None, Evidence(1, boottime(), datetime.now(UTC))
    )
    with closing(Audit(open_database(bench.home.database, check=False))) as audit:
        for _ in range(3):
            audit.append([decision_record(replace(stranger, id=new_id()), boot_name())])
    policy = bench.config.policy.model_copy(update={"refusals_an_hour": 3})
    bench.config = bench.config.model_copy(update={"policy": policy})
    bench.camera.set_back = set_back
    with run(bench):
        told = bench.next(Faulted)
        seen = [bench.events.get(timeout=PATIENCE) for _ in range(80)]
        with closing(Audit(open_database(bench.home.database, check=False))) as audit:
            audit.append([AuditRecord(AuditKind.ATTEMPTS, datetime.now(UTC), reason=AuditReason.RESET)])
        while seen[-1] != Recovered(Reason.FACE_OFF):
            seen.append(bench.events.get(timeout=PATIENCE))
        decision = bench.decision()
        while not decision.granted:
            decision = bench.decision()
    assert isinstance(told, Faulted)
    assert told.reason is Reason.FACE_OFF
    assert sum(isinstance(e, Observed) and len(e.faces) == 1 for e in seen) > 30, "somebody stood there"
    assert not any(isinstance(e, Decided) for e in seen)
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        assert [r.reason for r in audit.records(kinds=(AuditKind.ATTEMPTS,))] == ["face_off", "reset", "face_on"]


@pytest.mark.parametrize("network", ["detector", "pad", "embedder"])
def test_a_network_that_gives_no_numbers_grants_nothing(
    bench: Bench, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = getattr(bench.models, network)
    if network == "detector":
        stage = stage._finder
    part = stage._networks[0][0] if network == "pad" else stage._network
    if network == "embedder":
        every = part.run_all
        monkeypatch.setattr(part, "run_all", lambda *faces: [np.full_like(o, np.nan) for o in every(*faces)])
    else:
        real = part.run_batch
        monkeypatch.setattr(part, "run_batch", lambda batch: np.full_like(real(batch), np.nan))
    with run(bench):
        decision = bench.decision()
    assert not decision.granted
    assert decision.reason.value == f"{network}_fault"


def test_a_gallery_that_was_put_back_starts_no_kiosk(bench: Bench) -> None:
    with run(bench) as kiosk:
        assert kiosk.lost is None
    copy = bench.home.database.read_bytes()
    bench.valid_until(datetime(2026, 1, 1, tzinfo=UTC))
    with run(bench):
        pass
    bench.home.database.write_bytes(copy)
    with pytest.raises(TamperedError, match="forget-gallery"), run(bench):
        pytest.fail("it began")


def test_a_door_that_comes_back_is_used_again(bench: Bench) -> None:
    with DoorClient(bench.config.door.socket) as client:
        assert client.ready()
        os.kill(bench.door, signal.SIGSTOP)
        assert not client.ready()
        os.kill(bench.door, signal.SIGCONT)
        deadline = time.monotonic() + PATIENCE
        while not client.ready():
            assert time.monotonic() < deadline


def test_a_release_that_nothing_was_recorded_for_is_an_alarm(bench: Bench) -> None:
    """Somebody with the right to speak to the door, beside the kiosk: its own grants are no alarm, this one is."""
    with run(bench), DoorClient(bench.config.door.socket) as other:
        bench.next(DoorAnswered)
        now = boottime()
        assert other.release(Grant(new_id(), now, now + 1.5)).result is DoorResult.RELEASED
        alarm = bench.next(Unexplained)
    assert isinstance(alarm, Unexplained)
    with closing(Audit(open_database(bench.home.database, read_only=True))) as audit:
        faults = [r for r in audit.records(kinds=(AuditKind.FAULT,)) if r.reason == "release_without_decision"]
    assert [(r.grant_id, r.detail["uid"]) for r in faults] == [(alarm.grant_id, os.getuid())]
