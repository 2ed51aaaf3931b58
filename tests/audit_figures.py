"""Measures the audit log: `python -m tests.audit_figures [RECORDS]`.

Makes a log of so many records (a million if nothing is said) with checkpoints, and prints as JSON lines: how long one
record takes to append with the chain and without it, in turns; how long `kiosk audit verify` and the look of `kiosk
doctor` take, and the memory of the former; how long a writer beside `audit cut` waits at most.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import numpy as np

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.storage import retention
from kiosk.storage.audit import Audit, encode, insert
from kiosk.storage.checkpoints import checkpoint_record, open_signer, tail
from kiosk.storage.database import Store, open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify, verify_end

TOGETHER = 10_000
EACH = 200
"""Records between two checkpoints, as `[audit]` has it."""
TURNS = 500
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_BARE = (
    "INSERT INTO audit (kind, wall_at, grant_id, subject_id, outcome, reason, detail, record_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def decision(number: int) -> AuditRecord:
    """As the kiosk records one."""
    detail: dict[str, str | int | float | bool | None] = {
        "score": 0.6123, "threshold": 0.4820, "pad": 0.93, "quality": 0.88, "captured_at": 12345.678901,
        "frame": number, "model": "0f" * 32, "rule": "matched", "age_ms": 143,
    }  # fmt: skip
    at = BEGIN + timedelta(seconds=number)
    return AuditRecord(AuditKind.DECISION, at, f"{number:032x}", f"{number % 50:016x}", "granted", "matched", detail)


def made(home: Home, count: int) -> None:
    """A log of at least so many records."""
    with closing(open_gallery(home)) as gallery:
        store, signer = gallery.store, open_signer(gallery.store, gallery.vault)
        store.execute("PRAGMA synchronous=OFF")
        for start in range(0, count, TOGETHER):
            with store.transaction():
                for first in range(start, start + TOGETHER, EACH):
                    insert(store, encode([decision(n) for n in range(first, first + EACH - 1)]))
                    at = BEGIN + timedelta(seconds=first + EACH)
                    insert(store, encode([checkpoint_record(signer.sign(*tail(store), at), at)]))
        store.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def show(**row: object) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def bare(store: Store, number: int) -> None:
    """Appends a record without a chain, in a transaction of its own."""
    with store.transaction():
        store.conn.execute(_BARE, encode([decision(number)])[0])


def append(home: Home, folder: Path) -> None:
    """One record at a time, with the chain and without it, in turns."""
    other = folder / "other"
    shutil.copytree(home.folder, other)
    with (
        closing(open_database(home.database, check=False)) as chained,
        closing(open_database(other / "gallery.db", check=False)) as unchained,
    ):
        unchained.execute("DROP TRIGGER audit_chained")
        audit, took = Audit(chained), np.zeros((TURNS, 2))
        for turn in range(TURNS):
            record = decision(10_000_000 + turn)
            took[turn, 0] = timed(lambda: audit.append([record]))  # noqa: B023 - called at once
            took[turn, 1] = timed(lambda: bare(unchained, 10_000_000 + turn))  # noqa: B023
    p50, p99 = np.percentile(1e3 * took, (50, 99), axis=0).round(3).tolist()
    show(what="append", chain_ms={"p50": p50[0], "p99": p99[0]}, without_ms={"p50": p50[1], "p99": p99[1]})
    shutil.rmtree(other)


def walk(home: Home) -> None:
    """The whole log, in a process of its own, and its end."""
    command = [sys.executable, "-m", "kiosk", "--home", str(home.folder), "audit", "verify", "--json"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        row = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    peak = round(used.ru_maxrss / 1024)
    show(what="audit verify", records=row["records"], good=row["good"], seconds=round(seconds, 1), peak_mib=peak)
    with closing(open_database(home.database, read_only=True, check=False)) as store:
        begin = time.perf_counter()
        verdict = verify_end(store)
        show(what="doctor", records=verdict.records, ms=round(1e3 * (time.perf_counter() - begin), 1))


def cut(home: Home) -> None:
    """All that can be cut, beside somebody who writes a record every tenth of a second."""
    waited: list[float] = []
    over = Event()

    def write() -> None:
        with closing(Audit(open_database(home.database, check=False))) as audit:
            while not over.wait(0.1):
                record = AuditRecord(AuditKind.DOOR, datetime.now(UTC), outcome="opened")
                waited.append(timed(lambda: audit.append([record])))  # noqa: B023 - called at once

    writer = Thread(target=write)
    with closing(open_gallery(home)) as gallery:
        planned = retention.plan(gallery.store, datetime.now(UTC))
        assert planned is not None
        signer = open_signer(gallery.store, gallery.vault)
        writer.start()
        seconds = timed(lambda: retention.cut(gallery.store, signer, planned, datetime.now(UTC), datetime.now(UTC)))
        over.set()
        writer.join()
        good = verify(gallery.store).good
    worst = round(max(waited), 3)
    show(what="audit cut", records=planned.records, seconds=round(seconds, 1), longest_wait_s=worst, good=good)


def main(count: int) -> None:
    """Measures a log of so many records."""
    with tempfile.TemporaryDirectory(prefix="kiosk-audit-") as name:
        home = Home(Path(name) / "home")
        made(home, count)
        show(what="log", mib=round(home.database.stat().st_size / 2**20))
        append(home, Path(name))
        walk(home)
        cut(home)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
