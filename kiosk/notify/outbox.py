"""The outbox of kiosk-notify: one SQLite file in which notices wait until each notifier has delivered them.

When `put` returns, the notice is on disk (WAL, synchronous=FULL); only then is the event acknowledged to the door. Each
notice is delivered at least once and, for each notifier, in the order of arrival. Each notifier has room for `capacity`
notices. When there is no room, domain.notices.overflow says which are dropped, and a notice of its own reports their
number before all others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from kiosk.domain.errors import OutboxError, OutboxLostError
from kiosk.domain.ids import new_id
from kiosk.domain.notices import DROPPED, Notice, overflow
from kiosk.notifiers.conditions import Change, Conditions
from kiosk.notify.file import BUSY_SECONDS, UNUSABLE, open_outbox
from kiosk.system.sqlite_file import Anchor, Look

REMEMBERED = 256
"""Number of notice ids kept to recognise repetitions; far more than a source sends again (its window)."""

_NOTICE: TypeAdapter[Notice] = TypeAdapter(Notice)


@dataclass(frozen=True, slots=True)
class Place:
    """The number of an event at its source: `sequence` grows by one within a `run`."""

    source: str
    run: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The oldest notice of a notifier, and its position in the outbox."""

    position: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class Standing:
    """State of a notifier: notices waiting, notices ever dropped, and its present trouble ("" for none)."""

    waiting: int
    dropped: int
    trouble: str


class Outbox:
    """An open outbox, usable by any thread. Every method raises OutboxError when the file cannot be used."""

    def __init__(self, path: Path, door: str, capacity: int, notifiers: Mapping[str, bool]) -> None:
        """`notifiers`: the names of the configured notifiers, and whether each takes only urgent notices (and
        checkpoints of the audit log)."""
        self.path = path
        self._door = door
        self._capacity = capacity
        self._notifiers = dict(notifiers)
        self._guard = Lock()
        self._connection = open_outbox(path)
        self._anchor = Anchor(path)

    def forget_removed_notifiers(self) -> None:
        """At start: deletes the notices of notifiers that are no longer configured, and all old troubles."""
        with self._writing() as db:
            for table in ("waiting", "gap", "health"):
                known = [name for (name,) in db.execute(f"SELECT DISTINCT notifier FROM {table}")]  # noqa: S608 - ours
                gone = [(name,) for name in known if name not in self._notifiers]
                db.executemany(f"DELETE FROM {table} WHERE notifier = ?", gone)  # noqa: S608 - ours
            db.executemany(
                "INSERT OR IGNORE INTO health (notifier, trouble) VALUES (?, '')", [(n,) for n in self._notifiers]
            )
            db.execute("UPDATE health SET trouble = ''")

    def put(self, notice: Notice, place: Place | None = None) -> bool:
        """Returns once the notice is on disk for every notifier that takes it; False when it is a repetition.

        `place` is None for a notice that kiosk-notify makes itself. A gap between two places means that the source
        dropped events; the outbox counts them as dropped.
        """
        with self._writing() as db:
            if db.execute("SELECT 1 FROM seen WHERE id = ?", (notice.id,)).fetchone():
                return False
            db.execute("INSERT INTO seen (id) VALUES (?)", (notice.id,))
            db.execute("DELETE FROM seen WHERE position <= (SELECT max(position) FROM seen) - ?", (REMEMBERED,))
            missed = 0 if place is None else _missed(db, place)
            _remember(db, notice)
            body = _NOTICE.dump_json(notice).decode()
            for name, urgent_only in self._notifiers.items():
                if place is not None and missed:
                    _count(db, name, missed, place.source)
                # A checkpoint tells of nobody, and one that is held elsewhere shows a cut end of the audit log.
                if notice.urgent or notice.checkpoint is not None or not urgent_only:
                    db.execute(
                        "INSERT INTO waiting (notifier, id, urgent, body) VALUES (?, ?, ?, ?)",
                        (name, notice.id, notice.urgent, body),
                    )
                    self._make_room(db, name)
        return True

    def present(self) -> Change:
        """The present conditions at the door and the kiosk, from all notices ever put here."""
        with self._writing() as db:
            return _conditions(db).now()

    def head(self, notifier: str) -> Waiting | None:
        """The next notice for `notifier`: first the number of dropped notices, if any, then the oldest notice; None if
        nothing waits."""
        while True:
            with self._writing() as db:
                _seal(db, notifier, self._door)
                row = db.execute(
                    "SELECT position, body FROM waiting WHERE notifier = ? ORDER BY position LIMIT 1", (notifier,)
                ).fetchone()
            if row is None:
                return None
            try:
                return Waiting(row[0], _NOTICE.validate_json(row[1]))
            except ValidationError:
                self._drop(notifier, row[0], "unreadable")

    def done(self, waiting: Waiting) -> None:
        """Removes a delivered notice. Does nothing if it was dropped meanwhile."""
        with self._writing() as db:
            db.execute("DELETE FROM waiting WHERE position = ?", (waiting.position,))

    def refuse(self, notifier: str, waiting: Waiting) -> None:
        """Drops and counts a notice that the other side will never take."""
        if waiting.notice.kind == DROPPED:
            self.done(waiting)  # counting it would make another notice of this kind, without end
        else:
            self._drop(notifier, waiting.position, "refused")

    def trouble(self, notifier: str, message: str) -> None:
        """Stores a notifier's present trouble; "" for none."""
        with self._writing() as db:
            db.execute("UPDATE health SET trouble = ? WHERE notifier = ?", (message, notifier))

    def standing(self) -> dict[str, Standing]:
        """The state of all configured notifiers."""
        with self._writing() as db:
            return _standing(db)

    def waits(self, notice_id: str) -> frozenset[str]:
        """The notifiers that have not delivered this notice yet."""
        with self._writing() as db:
            rows = db.execute("SELECT notifier FROM waiting WHERE id = ?", (notice_id,)).fetchall()
        return frozenset(name for (name,) in rows)

    def confirm(self) -> None:
        """Raises OutboxLostError when the file was moved, removed or replaced, because writes would then be lost."""
        if not self._anchor.holds:
            with self._guard:
                self._anchor.complete(self._connection)
            raise OutboxLostError(
                f"{self.path}: the outbox (or its -wal or -shm, which belong to it) was moved, removed or replaced in "
                "use: a restart begins with what is there now"
            )

    def close(self) -> None:
        """Never raises."""
        with self._guard, suppress(sqlite3.Error):
            self._connection.close()

    def _drop(self, notifier: str, position: int, reason: str) -> None:
        with self._writing() as db:
            if db.execute("DELETE FROM waiting WHERE position = ?", (position,)).rowcount:
                _count(db, notifier, 1, reason)

    def _make_room(self, db: sqlite3.Connection, notifier: str) -> None:
        rows = db.execute(
            "SELECT position, urgent FROM waiting WHERE notifier = ? AND NOT sealed ORDER BY position", (notifier,)
        ).fetchall()
        gone = overflow([bool(urgent) for _, urgent in rows], self._capacity)
        if gone:
            db.executemany("DELETE FROM waiting WHERE position = ?", [(rows[place][0],) for place in gone])
            _count(db, notifier, len(gone), "no room")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction. It is on disk when the block ends without an error."""
        with self._guard:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                    raise
            except UNUSABLE as error:
                raise OutboxError(f"{self.path}: the outbox cannot be used ({error}): check the disk") from error
        self.confirm()


def standing_of(path: Path) -> dict[str, Standing]:
    """The state of all notifiers of an outbox that kiosk-notify may have open. Changes nothing. Raises OutboxError."""
    try:
        with closing(Look(path, BUSY_SECONDS).connection) as db:
            return _standing(db)
    except UNUSABLE as error:
        raise OutboxError(f"{path}: the outbox cannot be read ({error}): check the place and its rights") from error


def _standing(db: sqlite3.Connection) -> dict[str, Standing]:
    rows = db.execute(
        "SELECT notifier, (SELECT count(*) FROM waiting AS w WHERE w.notifier = h.notifier), dropped, trouble "
        "FROM health AS h ORDER BY notifier"
    ).fetchall()
    return {name: Standing(count, dropped, trouble) for name, count, dropped, trouble in rows}


def _conditions(db: sqlite3.Connection) -> Conditions:
    row = db.execute("SELECT conditions FROM present").fetchone()
    return Conditions() if row is None else Conditions.load(row[0])


def _remember(db: sqlite3.Connection, notice: Notice) -> None:
    """Stores the conditions that begin or end with this notice, whichever notifiers take it."""
    conditions = _conditions(db)
    if conditions.take(notice):
        db.execute("INSERT OR REPLACE INTO present VALUES (1, ?)", (conditions.dump(),))


def _missed(db: sqlite3.Connection, place: Place) -> int:
    """Number of events that the source itself dropped, for lack of room, between the last event and this one."""
    row: Sequence[object] | None = db.execute(
        "SELECT run, sequence FROM source WHERE name = ?", (place.source,)
    ).fetchone()
    db.execute("INSERT OR REPLACE INTO source VALUES (?, ?, ?)", (place.source, place.run, place.sequence))
    if row is None:
        return 0
    before = int(str(row[1])) if row[0] == place.run else 0
    return max(0, place.sequence - before - 1)


def _count(db: sqlite3.Connection, notifier: str, count: int, reason: str) -> None:
    db.execute(
        "INSERT INTO gap VALUES (?, ?, ?) ON CONFLICT (notifier, reason) DO UPDATE SET count = count + excluded.count",
        (notifier, reason, count),
    )
    db.execute("UPDATE health SET dropped = dropped + ? WHERE notifier = ?", (count, notifier))


def _seal(db: sqlite3.Connection, notifier: str, door: str) -> None:
    """Turns the count of dropped notices into a notice, before all others, which is never dropped itself. Makes one at
    a time. Its count no longer changes, so that a second delivery under the same id says the same."""
    row = db.execute("SELECT reason, count FROM gap WHERE notifier = ? ORDER BY reason LIMIT 1", (notifier,)).fetchone()
    if row is None or db.execute("SELECT 1 FROM waiting WHERE notifier = ? AND sealed", (notifier,)).fetchone():
        return
    notice = Notice(new_id(), DROPPED, door, datetime.now(UTC), urgent=True, reason=row[0], count=row[1])
    db.execute(
        "INSERT INTO waiting (position, notifier, id, urgent, sealed, body) "
        "VALUES ((SELECT coalesce(min(position), 1) - 1 FROM waiting), ?, ?, 1, 1, ?)",
        (notifier, notice.id, _NOTICE.dump_json(notice).decode()),
    )
    db.execute("DELETE FROM gap WHERE notifier = ? AND reason = ?", (notifier, row[0]))
