"""What a program of ours does while its power may be cut: `python -m tests.power.deeds WHAT FOLDER`.

Each line that is printed says that something is done: it must survive from then on.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Reason
from kiosk.domain.door.events import DoorEventKind, DoorNews
from kiosk.domain.door.roles import AUDIT
from kiosk.domain.notices import Notice
from kiosk.domain.people import NewReference
from kiosk.door import spool
from kiosk.door.lockdown import LockdownFile
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox, Place
from kiosk.station.writer import Writer
from kiosk.storage import backups, recovery
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes
from kiosk.storage.rotation import renew_templates
from kiosk.system.files import make_folder, sync
from tests.ids import id_of
from tests.storage import old_galleries

BOOT = "this-boot"


def done(line: str) -> None:
    """Tells that it is done, in one write."""
    os.write(1, f"{line}\n".encode())


def write_audit(folder: Path) -> None:
    """Decisions and outcomes as the running kiosk writes them: refusals that count for the limit, and grants."""
    home = Home(folder)
    open_gallery(home).close()
    writer = Writer.at(home.database, time.monotonic, timeout=30.0)
    writer.start()
    for n in range(6):
        name = f"grant-{n}"
        granted = n % 3 == 2
        outcome, reason = ("granted", Reason.MATCHED) if granted else ("refused", Reason.NOT_ENROLLED)
        detail = {"captured_at": 100.0 + n, "boot": BOOT, "score": 0.1}
        record = AuditRecord(
            AuditKind.DECISION, datetime.now(UTC), id_of(name), None, outcome, reason.value, detail, record_id=name
        )
        writer.append([record])
        done(name)
        if granted:
            writer.append([AuditRecord(AuditKind.OUTCOME, datetime.now(UTC), id_of(name), None, "released")])
            done(f"outcome of {name}")
    writer.stop()


def keep_events(folder: Path) -> None:
    """The door's events, acknowledged now and then, and a rewrite of the file in between."""
    spool.LINES_BEFORE_REWRITE = 12
    kept = spool.Spool(folder, "main")
    kept.subscribe("other", None)
    for n in range(8):
        event = kept.append(DoorNews(DoorEventKind.RELEASED, float(n), id_of(f"event-{n}")))
        while kept.last < event.sequence:
            select.select([kept], [], [], 30.0)
            kept.take_progress()
        done(f"event {event.sequence} {event.id}")  # a subscriber may have seen it
        if n % 3 == 1:
            for name in (AUDIT, "other"):
                kept.acknowledge(name, event.sequence)
            done(f"acknowledged {event.sequence}")
    kept.close()


def lock_down(folder: Path) -> None:
    """Lockdowns begin and end."""
    spool.Spool(folder, "main").close()  # as kiosk-door begins: it makes the folder
    file = LockdownFile(folder)
    for on in (True, False, True, True, False):
        os.write(1, b"asked " + str(on).encode() + b"\n")
        file.set(on)
        done(f"lockdown {on}")


def keep_notices(folder: Path) -> None:
    """Notices come in; some are delivered."""
    path = folder / "outbox.db"
    with claimed(path):
        outbox = Outbox(path, "main", 100, {"webhook": False})
        outbox.forget_removed_notifiers()
        for n in range(5):
            notice = Notice(id_of(f"notice-{n}"), "door.released", "main", datetime.now(UTC), urgent=False)
            outbox.put(notice, Place("door", "", n + 1))
            done(f"put {notice.id}")
            if n % 2:
                waiting = outbox.head("webhook")
                assert waiting is not None
                os.write(1, f"delivered {waiting.notice.id}\n".encode())
                outbox.done(waiting)
                done(f"done {waiting.notice.id}")
        outbox.close()


def make_backups(folder: Path) -> None:
    """A backup into the folder beside the home; more people; another backup."""
    home, stick = Home(folder), folder.with_name("stick")
    make_folder(stick)
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [NewReference(np.full(128, 1, np.float32), "model-a", 0.5)])
        recovery.make(gallery.store, home.keys.read() or b"")
        for name in ("Ben", "Cleo"):
            done(f"made {backups.to_folder(home, gallery, stick, 7, 4).name}")
            subject = gallery.add_subject(name, [NewReference(np.full(128, 2, np.float32), "model-a", 0.5)])
            done(f"enrolled {subject.id}")


def renew(folder: Path) -> None:
    """A gallery of before, whose templates are turned when it is opened, and turned again twice."""
    old_galleries.make_sealed(Home(folder))
    for path in (*folder.iterdir(), folder, folder.parent):
        sync(path)
    done("made")
    with closing(open_gallery(Home(folder))) as gallery:
        done("turned")
        for n in range(2):
            renew_templates(gallery.store, gallery.vault)
            done(f"renewal {n}")


def let_visitors_in(folder: Path) -> None:
    """A pass is issued, used three times and revoked."""
    now = datetime.now(UTC)
    with closing(open_gallery(Home(folder))) as gallery:
        ada = gallery.add_subject("Ada", [NewReference(np.full(128, 1, np.float32), "model-a", 0.5)])
        seconds = iter(range(0, 1000, 60))
        passes = Passes(gallery, lambda: next(seconds))
        told, text = passes.issue(ada.id, now, now + timedelta(hours=9), ["main"], 5)
        done("issued")
        for _ in range(3):
            done(f"let in: {passes.use(text, 'main', now).word}")
        passes.revoke(told.id)
        done("revoked")


DEEDS: dict[str, Callable[[Path], None]] = {
    "audit": write_audit,
    "backups": make_backups,
    "events": keep_events,
    "lockdown": lock_down,
    "notices": keep_notices,
    "passes": let_visitors_in,
    "renewal": renew,
}

if __name__ == "__main__":
    DEEDS[sys.argv[1]](Path(sys.argv[2]))
