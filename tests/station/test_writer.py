from __future__ import annotations

import itertools
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.domain.errors import GalleryError
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.records import Row
from tests.storage.conftest import NOON, a_decision, a_reference

LONG = 30.0


class Steps:
    """A clock that moves one second each time it is read."""

    def __init__(self) -> None:
        self._seconds = itertools.count(1.0)

    def __call__(self) -> float:
        return next(self._seconds)


class Gate:
    """Stands in for an Audit on a disk that hangs, fails or works, as the test says."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.errors: list[BaseException] = []
        self.batches: list[list[Row]] = []
        self.closed = False

    def write(self, rows: Sequence[Row]) -> None:
        self.entered.set()
        assert self.go.wait(LONG)
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(list(rows))

    def confirm(self) -> None: ...

    def complete(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def grants(self) -> list[list[str | None]]:
        return [[row[2] for row in batch] for batch in self.batches]


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.go.set()


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise TimeoutError


def _writer(gate: Gate, timeout: float = LONG) -> Writer:
    made = Writer(gate, Steps(), timeout)  # type: ignore[arg-type]
    made.start()
    return made


def test_an_acknowledged_record_is_there_for_another_connection(home: Home, gallery: Gallery) -> None:
    writer = Writer.at(home.database, Steps(), LONG)
    writer.start()
    writer.append([a_decision("g1")])
    assert [replace(r, id=None) for r in Audit(gallery.store).records()] == [a_decision("g1")]
    writer.stop()
    assert not writer.alive


def test_many_threads_lose_nothing(home: Home, gallery: Gallery) -> None:
    writer = Writer.at(home.database, Steps(), LONG)
    writer.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: writer.append([a_decision(f"g{n}")]), range(100)))
    found = [r.grant_id for r in Audit(gallery.store).records()]
    assert sorted(found, key=str) == sorted(f"g{n}" for n in range(100))
    writer.stop()


def test_what_waits_goes_into_one_transaction(gate: Gate) -> None:
    writer = _writer(gate)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(writer.append, [a_decision("g0")])
        assert gate.entered.wait(LONG)
        others = [pool.submit(writer.append, [a_decision(f"g{n}")]) for n in (1, 2)]
        _until(lambda: writer._jobs.qsize() == 2)
        gate.go.set()
        assert [f.result(LONG) for f in (first, *others)] == [None] * 3
    assert [sorted(batch, key=str) for batch in gate.grants()] == [["g0"], ["g1", "g2"]]
    writer.stop()


def test_a_failure_reaches_all_it_concerns_and_the_thread_lives_on(gate: Gate) -> None:
    gate.go.set()
    gate.errors = [GalleryError("the disk is full"), ValueError("no idea")]
    writer = _writer(gate)
    with pytest.raises(GalleryError, match="the disk is full"):
        writer.append([a_decision("g1")])
    with pytest.raises(GalleryError, match="the audit log failed: ValueError: no idea"):
        writer.append([a_decision("g2")])
    assert writer.alive
    writer.append([a_decision("g3")])
    assert gate.grants() == [["g3"]]
    writer.stop()


def test_a_bad_record_fails_its_own_caller_only(gate: Gate) -> None:
    gate.go.set()
    writer = _writer(gate)
    with pytest.raises(GalleryError, match="cannot be written"):
        writer.append([replace(a_decision("g1"), wall_at=NOON.replace(tzinfo=None))])
    assert not gate.entered.is_set()
    writer.append([a_decision("g2")])
    writer.stop()


def test_a_disk_that_hangs_is_reported_in_time_and_what_was_given_up_is_not_written(gate: Gate) -> None:
    writer = _writer(gate, timeout=0.05)
    for grant in ("g1", "g2"):
        with pytest.raises(GalleryError, match=r"did not answer within 0\.05 s"):
            writer.append([a_decision(grant)])
    beat = writer.beat
    assert gate.entered.wait(LONG)
    # A hanging thread does not beat: the watchdog will see it.
    assert writer.beat == beat
    gate.go.set()
    writer.stop()
    # g1 had been begun; g2 was still waiting when its caller gave up.
    assert gate.grants() == [["g1"]]


def test_it_beats_while_there_is_nothing_to_do(gate: Gate) -> None:
    writer = _writer(gate)
    before = writer.beat
    _until(lambda: writer.beat > before + 1)
    assert writer.alive
    writer.stop()


def test_stop_writes_what_waits_and_takes_no_more(gate: Gate) -> None:
    writer = _writer(gate)
    with ThreadPoolExecutor(3) as pool:
        appended = [pool.submit(writer.append, [a_decision("g1")])]
        assert gate.entered.wait(LONG)
        appended.append(pool.submit(writer.append, [a_decision("g2")]))
        _until(lambda: writer._jobs.qsize() == 1)
        stopping = pool.submit(writer.stop)
        gate.go.set()
        stopping.result(LONG)
        assert [f.result(LONG) for f in appended] == [None, None]
    assert gate.grants() == [["g1"], ["g2"]]
    assert gate.closed
    assert not writer.alive
    with pytest.raises(GalleryError, match="the audit log is closed"):
        writer.append([a_decision("g3")])
    writer.stop()


def test_before_start_nothing_is_taken(gate: Gate) -> None:
    writer = Writer(gate, Steps())  # type: ignore[arg-type]
    with pytest.raises(GalleryError, match="closed"):
        writer.append([a_decision("g1")])
    assert not writer.alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_death_of_the_thread_is_an_error_for_those_who_wait(gate: Gate) -> None:
    gate.errors = [SystemExit()]
    writer = _writer(gate)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(writer.append, [a_decision("g1")])
        assert gate.entered.wait(LONG)
        second = pool.submit(writer.append, [a_decision("g2")])
        _until(lambda: writer._jobs.qsize() == 1)
        gate.go.set()
        for waiting in (first, second):
            with pytest.raises(GalleryError):
                waiting.result(LONG)
    writer._thread.join(LONG)
    assert not writer.alive
    assert writer.lost == "the audit log's thread has ended"
    with pytest.raises(GalleryError, match="has ended"):
        writer.append([a_decision("g3")])


def test_another_command_s_long_transaction_is_an_error_and_not_the_end(home: Home, gallery: Gallery) -> None:
    writer = Writer.at(home.database, Steps(), timeout=2.0)
    writer.start()
    with gallery.store.transaction(), pytest.raises(GalleryError, match="another command is writing"):
        writer.append([a_decision("g1")])
    writer.append([a_decision("g2")])
    assert [r.grant_id for r in Audit(gallery.store).records()] == ["g2"]
    writer.stop()


def _started(home: Home) -> Writer:
    writer = Writer.at(home.database, Steps(), LONG)
    writer.start()
    return writer


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_gallery_that_was_moved_is_noticed_while_nobody_comes(home: Home, gallery: Gallery, suffix: str) -> None:
    writer = _started(home)
    name = home.folder / f"gallery.db{suffix}"
    name.rename(home.folder / "away")
    _until(lambda: not writer.alive)
    assert writer.lost is not None
    assert "was moved, removed or replaced in use" in writer.lost
    with pytest.raises(GalleryError, match="removed or replaced in use"):
        writer.append([a_decision("g2")])


def test_a_gallery_that_was_deleted_or_replaced_acknowledges_nothing(home: Home, gallery: Gallery) -> None:
    writer = _started(home)
    writer.append([a_decision("g1")])
    away = home.database.rename(home.folder / "away.db")
    with pytest.raises(GalleryError, match="removed or replaced in use"):
        writer.append([a_decision("g2")])
    shutil.copy(away, home.database)
    with pytest.raises(GalleryError, match="removed or replaced in use"):
        writer.append([a_decision("g3")])
    with pytest.raises(GalleryError, match="removed or replaced in use"):
        gallery.mark_demonstration()
    writer.stop()
    assert not writer.alive


@pytest.mark.parametrize("content", [b"", b"no database at all, but long " * 99])
def test_whatever_is_copied_over_the_gallery_in_use_ends_it_in_order(home: Home, content: bytes) -> None:
    with closing(open_gallery(home)) as gallery:
        Audit(gallery.store).append([a_decision(f"g{n}") for n in range(500)])
    writer = _started(home)
    writer.append([a_decision("h")])
    (home.folder / "copy").write_bytes(content)
    subprocess.run(["cp", home.folder / "copy", home.database], check=True)
    _until(lambda: not writer.alive)
    assert writer.lost is not None
    assert "replaced in use" in writer.lost or "damaged" in writer.lost
    assert (home.folder / "gallery.db-wal").stat().st_size == 0


@pytest.mark.parametrize("waiting", [0, 30, 1500])
def test_an_older_copy_over_the_gallery_in_use_is_whole_afterwards(home: Home, waiting: int) -> None:
    """`cp copy.db gallery.db`: the file stays the same, and the -wal belongs to nothing any more."""
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
    copy = home.folder / "copy.db"
    shutil.copy(home.database, copy)
    with closing(open_gallery(home)) as gallery:
        Audit(gallery.store).append([a_decision(f"g{n}") for n in range(3000)])
    with closing(open_gallery(home)) as gallery:
        writer = _started(home)
        writer.append([a_decision(f"h{n}") for n in range(waiting)])
        subprocess.run(["cp", copy, home.database], check=True)
        with pytest.raises(GalleryError, match=r"replaced in use|damaged"):
            writer.append([a_decision("last")])
        _until(lambda: writer.lost is not None)
        writer.stop()
    with closing(open_gallery(home)) as again:
        assert [s.name for s in again.subjects()] == ["Ada"]
        assert again.store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert _decisions(home.database) == 0


def test_a_gallery_that_was_vacuumed_in_use_goes_on(home: Home, gallery: Gallery) -> None:
    audit = Audit(gallery.store)
    gallery.store.execute("CREATE TABLE ballast AS SELECT zeroblob(500000) AS x")
    gallery.store.conn.commit()
    writer = _started(home)
    writer.append([a_decision("g1")])
    gallery.store.execute("DROP TABLE ballast")
    gallery.store.conn.commit()
    gallery.store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = home.database.stat().st_size
    gallery.store.execute("VACUUM")
    gallery.store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert home.database.stat().st_size < before
    writer.append([a_decision("g2")])
    assert [r.grant_id for r in audit.records()] == ["g1", "g2"]
    writer.stop()


@pytest.mark.parametrize("back", ["the same", "a copy from before"])
def test_a_gallery_that_was_moved_is_whole_and_does_no_harm_to_the_next(home: Home, back: str) -> None:
    """Its -wal would be taken for that of the file which stands there next, and destroy it."""
    with closing(open_gallery(home)) as first:
        first.add_subject("Ada", [a_reference(1)])
    copy = home.folder / "copy.db"
    shutil.copy(home.database, copy)
    gallery = open_gallery(home)
    writer = _started(home)
    for n in range(50):
        writer.append([a_decision(f"g{n}")])
    away = home.database.rename(home.folder / "away.db")
    _until(lambda: not writer.alive)
    gallery.close()
    assert _decisions(away) == 50
    (away if back == "the same" else copy).rename(home.database)
    with closing(open_gallery(home)) as again:
        assert [s.name for s in again.subjects()] == ["Ada"]
        assert again.store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert _decisions(home.database) == (50 if back == "the same" else 0)


def _decisions(path: Path) -> int:
    """Read without a -wal."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM audit WHERE kind = 'decision'").fetchone()[0])
