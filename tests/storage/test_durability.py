"""After kill -9 of a writing process, or a power cut, everything that it acknowledged is still there."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.matching import cosine
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify
from tests.storage.conftest import MODEL, NOON

KILLS = 20
CUTS = 5

WRITING = """
import sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.station.writer import Writer
from kiosk.storage.gallery import open_gallery
from kiosk.domain.people import NewReference
from kiosk.storage.home import Home
from kiosk.storage.rotation import renew_templates

home, round_ = Home(Path(sys.argv[1])), sys.argv[2]
say = threading.Lock()

def acknowledge(line):
    with say:
        sys.stdout.write(line + "\\n")
        sys.stdout.flush()

def decisions(writer, thread):
    for n in range(1_000_000):
        grant = f"{round_}-{thread}-{n}"
        decision = AuditRecord(AuditKind.DECISION, datetime.now(UTC), grant, "s", "granted", "matched", {"score": 0.5})
        writer.append([decision])
        acknowledge(f"grant {grant}")

gallery = open_gallery(home)
writer = Writer.at(home.database, time.monotonic, timeout=30.0)
writer.start()
for thread in range(2):
    threading.Thread(target=decisions, args=(writer, thread), daemon=True).start()
for n in range(1_000_000):
    vector = np.full(128, 20 + n % 80, np.float32)
    subject = gallery.add_subject(f"Subject {n}", [NewReference(vector, "model-a", 0.5)] * 3)
    acknowledge(f"enrolled {subject.id}")
    if n % 3 == 2:
        gallery.remove(subject.id)
        acknowledge(f"removed {subject.id}")
    if n % 4 == 3:
        acknowledge(f"renewed {renew_templates(gallery.store, gallery.vault)}")
"""


@dataclass
class Acknowledged:
    """What the writing processes said was done."""

    grants: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    renewals: int = 0

    def hear(self, lines: Iterable[str]) -> None:
        for line in lines:
            what, identity = line.split()
            if what == "grant":
                self.grants.add(identity)
            elif what == "enrolled":
                self.subjects.add(identity)
            elif what == "renewed":
                self.renewals += 1
            else:
                self.subjects.discard(identity)
                self.removed.add(identity)

    def check(self, home: Home) -> None:
        """All of it is there, and the rest is consistent."""
        _whole(home)
        with closing(open_gallery(home)) as gallery:
            audit = Audit(gallery.store)
            assert verify(gallery.store).faults == []
            assert self.grants <= {str(r.grant_id) for r in audit.records(kinds=["decision"])}
            there = {s.id for s in gallery.subjects()}
            assert not self.removed & there
            # At most one removal was done and not yet heard of.
            missing = self.subjects - there
            assert len(missing) <= 1
            assert missing <= {str(r.subject_id) for r in audit.records(kinds=["subject"])}
            self.subjects -= missing
            # No enrolment or removal is there in part.
            found = gallery.enrolled(MODEL)
            assert {r.subject_id for r in found.references} == there
            assert len(found.references) == 3 * len(there)
            # Each template is of the matrix that is there: no renewal is there in part.
            everybody = found.turning.template(np.full(128, 28, np.float32))
            assert all(cosine(r.template, everybody) > 0.99 for r in found.references)
            assert len([r for r in audit.records(kinds=["key"]) if r.outcome == "templates_renewed"]) >= self.renewals
            enrolled = {str(r.subject_id) for r in audit.records(kinds=["enrolment"])}
            assert enrolled - {str(r.subject_id) for r in audit.records(kinds=["subject"])} == there
            audit.settle_pending(NOON)
            assert audit.pending_grants() == []


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_what_was_acknowledged_survives_kill_9(home: Home) -> None:
    chance = random.Random(20260301)
    acknowledged = Acknowledged()
    for round_ in range(KILLS):
        with _writing(home, round_) as process:
            heard = _lines(process, chance.randrange(1, 40))
            process.kill()
            heard += [line for line in _lines(process, None) if line.endswith("\n")]
        assert process.returncode == -9
        acknowledged.hear(heard)
        acknowledged.check(home)
    assert len(acknowledged.grants) > KILLS
    assert acknowledged.renewals > 0


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    """The image of a mounted file system, copied while a process writes to it, is the card as the cut leaves it:
    it holds what was sent to the device, and nothing that only the page cache knew."""
    image, folder = tmp_path / "card.img", tmp_path / "card"
    folder.mkdir()
    _card(image, folder)
    chance = random.Random(20260302)
    acknowledged = Acknowledged()
    home = Home(folder / "home")
    try:
        for round_ in range(CUTS):
            with _writing(home, round_) as process:
                acknowledged.hear(_lines(process, chance.randrange(5, 60)))
                process.send_signal(signal.SIGSTOP)
                after = image.with_name(f"after-{round_}.img")
                shutil.copyfile(image, after)
                process.kill()
            _unmount(folder)
            image.unlink()
            image = after
            _mount(image, folder)
            acknowledged.check(home)
    finally:
        _unmount(folder, "--lazy")
    assert len(acknowledged.grants) > CUTS


def _writing(home: Home, round_: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITING, str(home.folder), str(round_)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _lines(process: subprocess.Popen[str], number: int | None) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readlines() if number is None else [process.stdout.readline() for _ in range(number)]


def _whole(home: Home) -> None:
    plain = sqlite3.connect(home.database)
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    plain.close()


def _card(image: Path, folder: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("a card of our own needs root and mkfs.ext4")
    with image.open("wb") as file:
        file.truncate(48 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
    try:
        _mount(image, folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr.decode().strip()}")


def _mount(image: Path, folder: Path) -> None:
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True, capture_output=True)


def _unmount(folder: Path, *options: str) -> None:
    subprocess.run(["umount", *options, str(folder)], check=True, capture_output=True)
