"""After a power cut at any moment everything that was acknowledged is there, nothing is there in half, and all goes on.

The programs are the real ones; what a cut leaves is made from a log of what they did to their files (disk.py), and is
opened by the real code.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from kiosk.cli.audit import audit as audit_commands
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.audit import AuditKind
from kiosk.domain.door.events import DoorEventKind, DoorNews
from kiosk.domain.errors import KioskError
from kiosk.domain.matching import cosine
from kiosk.domain.notices import Notice
from kiosk.domain.people import NewReference
from kiosk.door.lockdown import LockdownFile
from kiosk.door.spool import Spool
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox
from kiosk.station.refusal_limit import KINDS, remembered
from kiosk.storage.audit import Audit
from kiosk.storage.backups import MADE
from kiosk.storage.checkpoints import KEY_MADE
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes
from tests.ids import id_of
from tests.power.conftest import PROVE_ROUNDS
from tests.power.deeds import BOOT
from tests.storage.conftest import MODEL, a_vector
from tests.storage.old_galleries import ADA, BEN

if TYPE_CHECKING:
    from tests.power.conftest import Scene

FEW, MANY = 1, max(1, PROVE_ROUNDS // 10)
"""Random states for each cut, beside the four plain ones."""
TRIES = [
    pytest.param(FEW, id="few", marks=pytest.mark.timeout(600)),
    pytest.param(MANY, id="many", marks=[pytest.mark.prove, pytest.mark.timeout(0)]),
]


@dataclass(frozen=True)
class Contents:
    """All that a home holds, as the real code reads it."""

    subjects: tuple[object, ...]
    references: tuple[object, ...]
    records: tuple[object, ...]


def contents(home: Home) -> Contents:
    """What is in a home. Opens it as a command does that writes: it makes what is missing. Raises KioskError.

    Two records are left out, which are made in a step of their own: that of the log's signing key, before the first
    checkpoint, and that of a backup, after it is there.
    """
    with closing(open_gallery(home)) as gallery:
        references = [r for model in sorted(gallery.counts()) for r in gallery.references(model)]
        records = Audit(gallery.store).records()
        return Contents(
            tuple(gallery.subjects()),
            tuple((r.id, r.subject_id, r.model_id, r.template.tobytes(), r.quality) for r in references),
            tuple(
                (r.kind, r.wall_at, r.subject_id, r.outcome, r.reason)
                for r in records
                if r.outcome not in {KEY_MADE, MADE}
            ),
        )


def whole(home: Home) -> None:
    """SQLite finds nothing wrong, and neither does `kiosk audit verify`."""
    with closing(sqlite3.connect(home.database)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    if (verify := audit_commands.commands.get("verify")) is not None:
        with redirect_stdout(io.StringIO()) as said:
            status = verify.main([], prog_name="verify", standalone_mode=False, obj=home.folder)
        assert status == 0, said.getvalue()


def goes_on(home: Home) -> None:
    """Somebody can be enrolled, and is there afterwards."""
    before = contents(home)
    with closing(open_gallery(home)) as gallery:
        vector = np.full(128, 28, np.float32)
        subject = gallery.add_subject("After The Cut", [NewReference(vector, "model-a", 0.5)])
    after = contents(home)
    assert after.subjects == (*before.subjects, subject)
    assert len(after.references) == len(before.references) + 1


def look(home: Home) -> None:
    """A command that only reads works or says in one line why it does not."""
    with suppress(KioskError), closing(open_gallery(home, read_only=True)) as gallery:
        gallery.subjects()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for visitor in VISITORS:
        cv2.imwrite(str(folder / f"{visitor.key}.png"), SimulatedCamera.enrolment_picture(visitor))
    return {v.key: folder / f"{v.key}.png" for v in VISITORS}


@pytest.fixture(autouse=True)
def _nothing_is_left(place: Path) -> Iterator[None]:
    yield
    shutil.rmtree(place, ignore_errors=True)


class Judge:
    """Judges what is left of the home after a cut in one of the programs, by what it held between them."""

    def __init__(self, scene: Scene, spare: Path) -> None:
        self._scene = scene
        self._spare = spare
        self.states: list[Contents] = []
        self.remember()

    def remember(self) -> None:
        """What the home holds now, read from a copy."""
        shutil.rmtree(self._spare, ignore_errors=True)
        if (self._scene.root / "home").exists():
            shutil.copytree(self._scene.root / "home", self._spare)
        self.states.append(contents(Home(self._spare)))

    def __call__(self, left: Path, program: int, said: list[str]) -> None:
        home = Home(left / "home")
        look(home)
        found = contents(home)
        before, after = self.states[program : program + 2]
        assert found == after or (not said and found == before), f"program {program}, said {said}"
        whole(home)
        goes_on(home)


@pytest.mark.parametrize("tries", TRIES[1:])
def test_commands(scene: Scene, place: Path, tmp_path: Path, pictures: dict[str, Path], tries: int) -> None:
    """The first enrolment, which makes home, key and database; one more; again; badge, disable, enable, remove; what
    the refusal limit keeps; a checkpoint; another master key, and another one for all; another matrix."""
    judge = Judge(scene, tmp_path / "spare")
    for arguments in (
        ["enrol", "--name", "Ada", pictures["ada"]],
        ["enrol", "--name", "Ben", pictures["ben"], "--badge", "7"],
        ["enrol", "--again", "Ada", pictures["ada"]],
        ["subjects", "badge", "Ada", "8"],
        ["subjects", "disable", "Ben"],
        ["subjects", "enable", "Ben"],
        ["subjects", "erase", "--yes", "Ben"],
        ["attempts", "reset"],
        ["audit", "checkpoint"],
        ["keys", "rotate", "--yes"],
        ["keys", "rotate", "--yes", "--everything"],
        ["keys", "renew-templates", "--yes"],
    ):
        scene.kiosk(*arguments)
        judge.remember()
    assert [len(state.subjects) for state in judge.states] == [0, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1]
    cuts, judged = scene.cut_everywhere(judge, tries, place)
    assert cuts > 300
    assert judged > 300


@pytest.mark.parametrize("tries", TRIES[1:])
def test_records_of_a_running_kiosk(scene: Scene, place: Path, tries: int) -> None:
    scene.deed("audit", "home")

    def check(left: Path, _program: int, said: list[str]) -> None:
        home = Home(left / "home")
        look(home)
        with closing(open_gallery(home)) as gallery:
            log = Audit(gallery.store)
            decisions = [str(r.grant_id) for r in log.records(kinds=(AuditKind.DECISION,))]
            outcomes = [str(r.grant_id) for r in log.records(kinds=(AuditKind.OUTCOME,))]
            told = [id_of(line) for line in said if line.startswith("grant")]
            ends = [id_of(line.removeprefix("outcome of ")) for line in said if line.startswith("outcome")]
            assert told == decisions[: len(told)]
            assert ends == outcomes[: len(ends)]
            assert len(decisions) <= len(told) + 1
            assert set(outcomes) <= set(decisions)
            refused = len([r for r in log.records() if r.outcome == "refused"])
            assert len(remembered(log.newest_first(KINDS), 100, BOOT, 200.0)) == refused
            log.settle_pending(datetime.now(UTC))
            assert log.pending_grants() == []
        whole(home)

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 80
    assert judged > 80


@pytest.mark.prove
@pytest.mark.parametrize("tries", TRIES)
def test_the_renewal_of_templates(scene: Scene, place: Path, tries: int) -> None:
    """A gallery of before is turned, and twice renewed: matrix and templates always fit, and nobody is missing."""
    scene.deed("renewal", "home")

    def check(left: Path, _program: int, said: list[str]) -> None:
        home = Home(left / "home")
        look(home)
        if "made" not in said:
            return
        with closing(open_gallery(home)) as gallery:
            found = gallery.enrolled(MODEL)
            assert [r.subject_id for r in found.references] == [ADA, ADA, BEN]
            for reference, seed in zip(found.references, (1, 2, 3), strict=True):
                assert cosine(reference.template, found.turning.template(a_vector(seed))) > 0.999
            renewals = [r for r in Audit(gallery.store).records() if r.outcome == "templates_renewed"]
            told = len([line for line in said if line.startswith("renewal")])
            assert told <= len(renewals) <= told + 1
        whole(home)
        goes_on(home)

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 50
    assert judged > 50


@pytest.mark.parametrize("tries", TRIES[1:])
def test_the_uses_of_a_pass(scene: Scene, place: Path, tries: int) -> None:
    """Whoever was let in was counted; a use that nobody was told of may be lost to the visitor."""
    scene.deed("passes", "home")

    def check(left: Path, _program: int, said: list[str]) -> None:
        home = Home(left / "home")
        look(home)
        with closing(open_gallery(home)) as gallery:
            passes = Passes(gallery).issued()
            outcomes = [r.outcome for r in Audit(gallery.store).records(kinds=(AuditKind.VISIT,))]
        let_in, used = said.count("let in: good"), sum(sum(one.used.values()) for one in passes)
        assert len(passes) == 1 or "issued" not in said
        assert let_in <= used <= let_in + 1
        assert outcomes.count("used") == used, "with its record, or not at all"
        assert "revoked" not in said or passes[0].revoked is not None
        whole(home)
        goes_on(home)

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 30
    assert judged > 30


@pytest.mark.parametrize("tries", TRIES)
def test_the_events_of_the_door(scene: Scene, place: Path, tries: int) -> None:
    scene.deed("events", "state")

    def check(left: Path, _program: int, said: list[str]) -> None:
        told = {int(n): identity for _, n, identity in (s.split() for s in said if s.startswith("event"))}
        spool = Spool(left / "state", "main")
        try:
            acknowledged = spool.subscribe("other", None)
            event = spool.append(DoorNews(DoorEventKind.SECURED, 1.0))
            there = {e.sequence: e.id for e in spool._events.values()}
            for number, identity in told.items():
                assert number <= acknowledged or there.get(number) == identity
            assert acknowledged <= max(told, default=0)
            assert event.sequence > max(told, default=0), "a number is given twice"
        finally:
            spool.close()

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 30
    assert judged > 30


@pytest.mark.parametrize("tries", TRIES)
def test_a_lockdown(scene: Scene, place: Path, tries: int) -> None:
    scene.deed("lockdown", "state")

    def check(left: Path, _program: int, said: list[str]) -> None:
        words = [line.split() for line in said]
        done = [on == "True" for what, on in words if what == "lockdown"]
        asked = [on == "True" for what, on in words if what == "asked"]
        before = done[-1] if done else False
        assert LockdownFile(left / "state").on in ({before} if len(asked) == len(done) else {before, asked[-1]})

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 15
    assert judged > 15


@pytest.mark.parametrize("tries", TRIES)
def test_the_outbox(scene: Scene, place: Path, tries: int) -> None:
    scene.deed("notices", "state")

    def check(left: Path, _program: int, said: list[str]) -> None:
        words = [line.split() for line in said]
        put = [identity for what, identity in words if what == "put"]
        delivered = {identity for what, identity in words if what == "delivered"}
        done = [identity for what, identity in words if what == "done"]
        path = left / "state" / "outbox.db"
        with claimed(path):
            outbox = Outbox(path, "main", 100, {"webhook": False})
            try:
                outbox.forget_removed_notifiers()
                waiting: list[str] = []
                while (head := outbox.head("webhook")) is not None:
                    waiting.append(head.notice.id)
                    outbox.done(head)
                assert [i for i in waiting if i in put] == [i for i in put if i in waiting], "the order has changed"
                assert len(set(waiting)) == len(waiting)
                assert set(put) - delivered <= set(waiting)
                assert not set(done) & set(waiting)
                assert outbox.standing()["webhook"].dropped == 0
                again = Notice(put[-1], "door.released", "main", datetime.now(UTC)) if put else None
                assert again is None or not outbox.put(again), "a repetition is not recognised"
            finally:
                outbox.close()
        assert not list(path.parent.glob("*damaged*"))

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 80
    assert judged > 80
