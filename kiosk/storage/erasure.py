"""Erases people so that it can be shown: what was removed, what is out of reach, and until when.

An erasure that was cut off is ended by the next one, or by the next backup: who was erased is listed in the roster, and
a backup of before then is known by its period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditReason
from kiosk.domain.certificate import OutOfReach, Remains
from kiosk.domain.errors import KioskError
from kiosk.domain.people import Subject
from kiosk.storage import backups, restoring
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.visits import Visits

ASKED, WITHDRAWN, EXPIRED = AuditReason.ASKED, AuditReason.WITHDRAWN, AuditReason.EXPIRED
"""Why somebody is erased: the admin or the person asked for it; consent was withdrawn; the validity ended long ago."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where backups are kept, and how many ([backup]); how long records of the log are ([retention])."""

    folder: Path | None = None
    daily: int = 7
    weekly: int = 4
    log_days: int | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was done for one person. Holds nothing personal but the opaque id."""

    subject: str
    at: datetime
    reason: str
    references: int
    """How many were removed; 0 if that was done before (an erasure that was cut off is ended)."""
    backups: int
    """How many backups of before were removed from the folder."""
    remains: tuple[Remains, ...]
    visits: int = 0
    """How many kept visits were removed."""


def keeping(config: Config) -> Keeping:
    """What is configured about what is kept."""
    kept = config.backup
    return Keeping(kept.folder, kept.daily, kept.weekly, config.retention.log_days)


def erase(home: Home, gallery: Gallery, who: Sequence[str], reason: AuditReason, keeping: Keeping) -> list[Certificate]:
    """Erases these subjects; somebody who is listed as erased already is taken to the end. Raises KioskError; then
    those are erased that stand before the one that it names, and doing it again ends it."""
    done = gallery.erased()
    enrolled = {subject.id: subject.created_at for subject in gallery.subjects()}
    count = "SELECT count(*) AS n FROM reference WHERE subject_id = ?"
    references = {one: int(gallery.store.rows(count, [one])[0]["n"]) for one in who}
    for one in who:
        if one not in done or one in enrolled:
            gallery.remove(one, reason)
    visits = Visits(gallery).forget(who)
    backups.end_period(home, gallery)
    restoring.sweep(home)
    removed, remains = _from_folder(home, gallery, keeping)
    erased = gallery.erased()
    return [
        Certificate(
            one,
            erased[one],
            reason,
            references[one],
            removed,
            (*remains, *_elsewhere(home, gallery, enrolled.get(one), keeping)),
            visits[one],
        )
        for one in who
    ]


def _from_folder(home: Home, gallery: Gallery, keeping: Keeping) -> tuple[int, list[Remains]]:
    """Makes a fresh backup and removes those of before. Returns how many, and what could not be removed."""
    folder = keeping.folder
    if folder is None:
        return 0, []
    try:
        before = backups.of_before(folder, gallery)
        if not before:
            return 0, []
        backups.to_folder(home, gallery, folder, keeping.daily, keeping.weekly)
        left = backups.of_before(folder, gallery)
    except KioskError as error:
        return 0, [Remains(OutOfReach.FOLDER_AWAY, place=str(folder), trouble=str(error))]
    gone = len(before) - len(left)
    return gone, [Remains(OutOfReach.FOLDER_LEFT, len(left), str(folder))] if left else []


def _elsewhere(home: Home, gallery: Gallery, since: datetime | None, keeping: Keeping) -> Iterator[Remains]:
    records = Audit(gallery.store).records(kinds=[AuditKind.BACKUP], since=since)
    exported = [record.wall_at for record in records if record.outcome == backups.EXPORTED]
    if exported:
        yield Remains(OutOfReach.EXPORTED, len(exported), day=f"{max(exported):%Y-%m-%d}")
    for folder in restoring.set_aside(home):
        yield Remains(OutOfReach.SET_ASIDE, place=str(folder))
    days = keeping.log_days
    yield Remains(OutOfReach.LOG) if days is None else Remains(OutOfReach.LOG_CUT, days)
    yield Remains(OutOfReach.CARD)


def ended_before(people: Iterable[Subject], now: datetime, days: int) -> list[Subject]:
    """Of these people those whose validity ended more than so many days ago."""
    limit = now - timedelta(days=days)
    return [who for who in people if who.valid_until is not None and who.valid_until < limit]
