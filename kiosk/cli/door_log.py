"""Records in the kiosk's audit log who operated the door by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from kiosk.domain.audit import AuditKind, AuditRecord, Command, OutcomeWord, ReasonWord
from kiosk.domain.errors import GalleryError
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.owner import acting_for

LOOKED = timedelta(hours=1)
"""A user who looks at the door again within this time is not recorded again, because a script may ask every second."""


class HandLog:
    """The audit log. Root uses it with the rights of the home's owner, because at the door root stays root."""

    def __init__(self, home: Home) -> None:
        """Opens the audit log. Raises GalleryError."""
        self._home = home
        path = home.database
        with acting_for(home.folder):
            try:
                there = path.exists()
            except OSError as error:
                raise GalleryError(f"{path}: the audit log cannot be reached: {error.strerror}") from error
            if not there:
                raise GalleryError(f"{path}: the audit log is not here: name the kiosk's home with --home")
            self._audit = Audit(open_database(path, check=False))

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Writes records. They are committed when this returns. Raises GalleryError."""
        with acting_for(self._home.folder):
            self._audit.append(records)

    def since(self, begin: datetime, kind: AuditKind) -> list[AuditRecord]:
        """The records of one kind from `begin` on. Raises GalleryError."""
        with acting_for(self._home.folder):
            return list(self._audit.records(since=begin, kinds=(kind,)))

    def close(self) -> None:
        """Never raises."""
        with acting_for(self._home.folder):
            self._audit.close()


@contextmanager
def log_of(home: Home) -> Iterator[HandLog]:
    """Opens the audit log of an existing home. Makes none, because nobody would read it. Raises GalleryError."""
    with closing(HandLog(home)) as log:
        yield log


def record(
    kind: AuditKind, reason: ReasonWord, grant_id: str | None = None, outcome: OutcomeWord | None = None
) -> AuditRecord:
    """A record of the audit log. It holds the caller's user number and no name from the environment, which anybody can
    set. auditd knows which user became root."""
    detail: dict[str, str | int | float | bool | None] = {"uid": os.getuid()}
    return AuditRecord(kind, datetime.now(UTC), grant_id=grant_id, outcome=outcome, reason=reason, detail=detail)


def looked(home: Home, command: Command) -> None:
    """Records a user who only looks, once an hour. Raises GalleryError."""
    look = record(AuditKind.COMMAND, command)
    try:
        with log_of(home) as log:
            recent = log.since(look.wall_at - LOOKED, look.kind)
            if not any((r.reason, r.detail) == (command, look.detail) and r.wall_at <= look.wall_at for r in recent):
                log.append([look])
    except GalleryError as error:
        raise GalleryError(f"this look at the door could not be recorded: {error}") from error
