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
from kiosk.domain.errors import KioskError
from kiosk.domain.people import Subject
from kiosk.storage import backups, restoring
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home

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
class Remains:
    """What an erasure does not reach, and when or by what that ends."""

    what: str
    ends: str


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
        )
        for one in who
    ]


def _from_folder(home: Home, gallery: Gallery, keeping: Keeping) -> tuple[int, list[Remains]]:
    """Makes a fresh backup and removes those of before. Returns how many, and what could not be removed."""
    folder = keeping.folder
    if folder is None:
        return 0, []
    until = "the next `kiosk backup make` that reaches it removes them; the key that is here opens them no more"
    try:
        before = backups.of_before(folder, gallery)
        if not before:
            return 0, []
        backups.to_folder(home, gallery, folder, keeping.daily, keeping.weekly)
        left = backups.of_before(folder, gallery)
    except KioskError as error:
        return 0, [Remains(f"backups of before in {folder}, which cannot be reached now ({error})", until)]
    gone = len(before) - len(left)
    return gone, [Remains(f"{len(left)} backups of before in {folder}, which cannot be removed", until)] if left else []


def _elsewhere(home: Home, gallery: Gallery, since: datetime | None, keeping: Keeping) -> Iterator[Remains]:
    records = Audit(gallery.store).records(kinds=[AuditKind.BACKUP], since=since)
    exported = [record.wall_at for record in records if record.outcome == backups.EXPORTED]
    if exported:
        yield Remains(
            f"{len(exported)} exported backups, the newest of {max(exported):%Y-%m-%d}, sealed",
            "when they are destroyed, or the paper of the recovery passphrase is (make another one first: `kiosk keys "
            "recovery`): nothing else opens them any more",
        )
    for folder in restoring.set_aside(home):
        yield Remains(f"the gallery that was set aside in {folder}, sealed", "when that folder is removed")
    days = keeping.log_days
    yield Remains(
        "records of the audit log, with the opaque id and without a name",
        "they are not cut by themselves (`kiosk audit cut`)"
        if days is None
        else f"after {days} days, by `kiosk retention`",
    )
    yield Remains(
        "blocks of the card that no program reaches (wear levelling), sealed; their key was overwritten in the file",
        "when the card writes over them; destroy the card when it is taken out of use",
    )


def ended_before(people: Iterable[Subject], now: datetime, days: int) -> list[Subject]:
    """Of these people those whose validity ended more than so many days ago."""
    limit = now - timedelta(days=days)
    return [who for who in people if who.valid_until is not None and who.valid_until < limit]
