"""kill -9 at random points of enrolment, erasure, rotation, renewal, backup and restore: every acknowledged change is
there, no half change is, whoever was erased never comes back, the log verifies, and each backup is whole.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kiosk.storage import backups, restoring
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import opened
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify
from tests.storage.conftest import MODEL

KILLS = max(20, 500 * int(os.environ.get("PROVE_ROUNDS", "1000")) // 1000)
LONGEST = 0.8
"""Seconds of a child's life."""


@dataclass(frozen=True)
class State:
    """Who is enrolled, and which grants are in the log."""

    people: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset()


@dataclass
class Known:
    """What the children said is done, and what the last one was at."""

    state: State = State()
    erased: set[str] = field(default_factory=set)
    saved: dict[str, State] = field(default_factory=dict)
    """What each backup holds."""
    newest: str = ""
    """The last backup that was acknowledged, if no other one, no erasure and no change of the key came after it."""
    under_way: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        word, what, *rest = line.split()
        if word == "begin":
            self.under_way = [what, *rest]
            if what in {"backup", "erase", "rotate"}:  # each may replace it, or take its key away
                self.newest = ""
        else:
            assert word == "done", line
            self.under_way = []
            self.apply(what, *rest)

    def apply(self, what: str, value: str = "", made: str = "none") -> None:
        people, grants = self.state.people, self.state.grants
        match what:
            case "enrol":
                self.state = State(people | {value}, grants)
            case "erase":
                self.erased.add(value)
                self.newest = ""
                self.state = State(people - {value}, grants)
                if made != "none":
                    self.saved.setdefault(made, self.state)
            case "decide":
                self.state = State(people, grants | {value})
            case "backup" if value != "none":
                self.saved[value] = self.state
                self.newest = value
            case "restore":
                self.state = self.of_backup(value)

    def of_backup(self, path: str) -> State:
        saved = self.saved[path]
        return State(saved.people - self.erased, saved.grants)

    def possible(self, found: State) -> bool:
        """Whether a gallery may be like this: as acknowledged, or with all of what was under way."""
        if found == self.state:
            return True
        match self.under_way:
            case ["enrol"]:
                return found.grants == self.state.grants and len(found.people ^ self.state.people) == 1
            case ["erase", who]:
                return found == State(self.state.people - {who}, self.state.grants)
            case ["decide", grant]:
                return found == State(self.state.people, self.state.grants | {grant})
            case ["restore", path]:
                return found == self.of_backup(path)
        return False


class Ring:
    """A home and a folder of backups that children work in."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        folder.mkdir()
        self.known = Known()
        self.cut: Counter[str] = Counter()
        command = [sys.executable, "-m", "tests.storage.killed", str(home.folder), str(folder)]
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)

    def kill_one(self, seed: int, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seed} {seconds}\n")
        self.process.stdin.flush()
        for line in self._lines():
            self.known.hear(line)
        self.cut[self.known.under_way[0] if self.known.under_way else "nothing"] += 1

    def _lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        while not (line := self.process.stdout.readline()).startswith("dead"):
            assert line.startswith(("begin", "done")), line
            yield line
        assert line == "dead -9\n", line

    def judge(self) -> None:
        known = self.known
        with closing(open_gallery(self.home)) as gallery:
            assert verify(gallery.store).faults == []
            people = frozenset(subject.id for subject in gallery.subjects())
            owners = Counter(reference.subject_id for reference in gallery.references(MODEL))
            assert owners == dict.fromkeys(people, 2), "a half enrolment"
            assert all(subject.consent is not None for subject in gallery.subjects())
            log = Audit(gallery.store)
            grants = frozenset(str(record.grant_id) for record in log.records(kinds=["decision"]))
            found = State(people, grants)
            assert known.possible(found), f"{known.under_way}: {found} after {known.state}"
            assert not people & known.erased, "somebody who was erased is there again"
            if known.under_way[:1] == ["erase"] and known.under_way[1] not in people:
                known.erased.add(known.under_way[1])
            known.state = found
            self._judge_backups(gallery.vault)
        known.under_way = []
        with closing(sqlite3.connect(self.home.database)) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for folder in restoring.set_aside(self.home):
            shutil.rmtree(folder)

    def _judge_backups(self, vault: object) -> None:
        known = self.known
        assert not known.newest or Path(known.newest).exists(), "an acknowledged backup is gone"
        for path in self.folder.glob("kiosk-*.backup"):
            with opened(path) as backup:
                key = backups.opens_with(self.home, vault, backup.header)  # type: ignore[arg-type]
                assert key is not None or str(path) != known.newest
                if key is not None:
                    restoring.check(backup, key)
                    # Renamed into its place, and killed before it could say so.
                    known.saved.setdefault(str(path), known.state)

    def close(self) -> None:
        self.process.communicate()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(5, id="few"),
        pytest.param(KILLS, id="many", marks=[pytest.mark.prove, pytest.mark.timeout(0)]),
    ],
)
def test_what_was_acknowledged_survives_a_kill_at_any_point(home: Home, tmp_path: Path, kills: int) -> None:
    chance = random.Random(20261201)
    ring = Ring(home, tmp_path / "stick")
    try:
        for seed in range(kills):
            ring.kill_one(seed, chance.uniform(0.0, LONGEST))
            ring.judge()
    finally:
        ring.close()
    sys.stderr.write(f"{kills} kills: {dict(ring.cut)}; {len(ring.known.erased)} erased\n")
    wanted = {"enrol", "erase", "backup", "restore", "rotate", "renew"}
    assert kills < 200 or wanted <= set(ring.cut)
