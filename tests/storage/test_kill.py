"""kill -9 of a process that writes: what it had acknowledged is there afterwards."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys

from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import MODEL, NOON

KILLS = 20

WRITING = """
import sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from kiosk.domain.types import AuditRecord
from kiosk.service.writer import Writer
from kiosk.storage.gallery import NewReference, open_gallery
from kiosk.storage.home import Home

home, round_ = Home(Path(sys.argv[1])), sys.argv[2]
say = threading.Lock()

def acknowledge(line):
    with say:
        sys.stdout.write(line + "\\n")
        sys.stdout.flush()

def decisions(writer, thread):
    for n in range(1_000_000):
        grant = f"{round_}-{thread}-{n}"
        decision = AuditRecord("decision", datetime.now(UTC), grant, "s", "granted", "matched", {"score": 0.5})
        writer.append([decision])
        acknowledge(f"grant {grant}")

gallery = open_gallery(home)
writer = Writer.at(home.database, time.monotonic, timeout=30.0)
writer.start()
for thread in range(2):
    threading.Thread(target=decisions, args=(writer, thread), daemon=True).start()
for n in range(1_000_000):
    template = np.full(128, n % 100, np.int8)
    subject = gallery.add_subject(f"Subject {n}", [NewReference(template, "model-a", 0.5)] * 3)
    acknowledge(f"enrolled {subject.id}")
    if n % 3 == 2:
        gallery.remove(subject.id)
        acknowledge(f"removed {subject.id}")
"""


def test_what_was_acknowledged_survives_kill_9(home: Home) -> None:
    chance = random.Random(20260301)
    grants: set[str] = set()
    subjects: set[str] = set()
    touched: set[str] = set()
    for round_ in range(KILLS):
        for line in _killed_after(home, round_, chance.randrange(1, 60)):
            what, identity = line.split()
            if what == "grant":
                grants.add(identity)
            elif what == "enrolled":
                subjects.add(identity)
            else:
                subjects.discard(identity)
                touched.add(identity)
        _whole(home)
        gallery = open_gallery(home)
        audit = Audit(gallery.store)
        assert grants <= {str(r.grant_id) for r in audit.records(kinds=["decision"])}
        there = {s.id for s in gallery.subjects()}
        # One enrolment or removal may be done and not yet acknowledged, the last of its round.
        assert not touched & there
        missing = subjects - there
        assert missing <= {str(r.subject_id) for r in audit.records(kinds=["subject"])}
        assert len(missing) <= 1
        subjects -= missing
        references = gallery.references(MODEL)
        assert {r.subject_id for r in references} == there
        assert len(references) == 3 * len(there)
        enrolled = [r.subject_id for r in audit.records(kinds=["enrolment"])]
        removed = {r.subject_id for r in audit.records(kinds=["subject"])}
        assert set(enrolled) - removed == there
        audit.settle_pending(NOON)
        assert audit.pending_grants() == []
        gallery.close()
    assert len(grants) > KILLS


def _killed_after(home: Home, round_: int, lines: int) -> list[str]:
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(home.folder), str(round_)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        heard = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        heard += process.stdout.readlines()
    assert process.returncode == -9
    return [line for line in heard if line.endswith("\n")]


def _whole(home: Home) -> None:
    plain = sqlite3.connect(home.database)
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    plain.close()
