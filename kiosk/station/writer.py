"""The database writer thread. All audit records of the running kiosk go through its one connection."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from kiosk.domain.audit import AuditRecord
from kiosk.domain.errors import GalleryError, GalleryLostError
from kiosk.storage.audit import Audit, encode
from kiosk.storage.database import open_database
from kiosk.storage.records import Row

IDLE_SECONDS = 0.5
"""Longest time between two beats of the thread while there is nothing to write."""
LARGEST_BATCH = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    rows: list[Row]
    done: Future[None] = field(default_factory=Future)


class Writer:
    """Implements the port AuditTrail for any thread. Owns `audit`: nothing else may use it, and `stop` closes it."""

    def __init__(self, audit: Audit, clock: Callable[[], float], timeout: float = 1.0) -> None:
        self._audit = audit
        self._clock = clock
        self._timeout = timeout
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._open = False
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._beat = clock()
        self.lost: str | None = None
        """Why this process can write no more; None while it can."""

    @classmethod
    def at(cls, path: Path, clock: Callable[[], float], timeout: float = 1.0) -> Self:
        """A writer with its own connection to a gallery that was already opened, checked and migrated.

        It waits for other processes' transactions for less than `timeout`, so that callers still get the reason of a
        failure. Raises GalleryError.
        """
        return cls(Audit(open_database(path, check=False, busy_seconds=0.8 * timeout)), clock, timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def beat(self) -> float:
        """Time of the thread's last turn, for the watchdog."""
        return self._beat

    def start(self) -> None:
        """Starts the thread; call it once."""
        self._thread.start()
        self._open = True

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Writes records in one transaction, together with other waiting records. They are on disk when this returns.

        Raises GalleryError when they are not, or when that is not known after `timeout` seconds. Records that the
        thread has not begun to write by then are never written. Records that are appended again are stored once.
        """
        job = _Job(encode(records))
        with self._guard:
            if not self._open:
                raise GalleryError(self.lost or "the audit log is closed")
            self._jobs.put(job)
        try:
            job.done.result(self._timeout)
        except TimeoutError as error:
            job.done.cancel()
            raise GalleryError(f"the audit log did not answer within {self._timeout:g} s: check the disk") from error
        except CancelledError as error:
            raise GalleryError(self.lost or "the audit log is closed") from error

    def stop(self, timeout: float = 5.0) -> None:
        """Writes the waiting records, closes the connection and accepts no more. May be called again."""
        with self._guard:
            if self._open:
                self._open = False
                self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        lost: str | None = "the audit log's thread has ended"
        try:
            ended = False
            while not ended:
                self._beat = self._clock()
                batch, ended = self._next()
                self._write(batch)
            lost = None
        except GalleryLostError as error:
            lost = str(error)
        finally:
            with self._guard:
                self._open, self.lost = False, lost
            self._abandon()
            if lost is not None:
                self._audit.complete()
            self._audit.close()

    def _next(self) -> tuple[list[_Job], bool]:
        """The waiting jobs, and whether the end marker was among them. Nothing is queued after that marker."""
        batch: list[_Job] = []
        try:
            job = self._jobs.get(timeout=IDLE_SECONDS)
            while job is not None:
                # Skips a job whose caller gave up.
                if job.done.set_running_or_notify_cancel():
                    batch.append(job)
                if len(batch) == LARGEST_BATCH:
                    return batch, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return batch, False
        return batch, True

    def _write(self, batch: list[_Job]) -> None:
        if not batch:
            self._audit.confirm()  # detects a moved gallery also while there is nothing to write
            return
        try:
            self._audit.write([row for job in batch for row in job.rows])
        except GalleryLostError as error:
            _fail(batch, str(error))
            raise
        except GalleryError as error:
            _fail(batch, str(error))
        except Exception as error:  # noqa: BLE001 - the boundary: the callers deny, the thread continues
            _fail(batch, f"the audit log failed: {type(error).__name__}: {error}")
        except BaseException:
            _fail(batch, "the audit log's thread has ended")
            raise
        else:
            for job in batch:
                job.done.set_result(None)

    def _abandon(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.done.cancel()


def _fail(batch: list[_Job], message: str) -> None:
    for job in batch:
        job.done.set_exception(GalleryError(message))
