"""Makes checkpoints of the audit log while the kiosk runs, records them, and lets them leave the machine: to the
journal, and by kiosk-notify to whoever is configured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import structlog

from kiosk.domain.errors import GalleryError
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.updates import Checkpointed
from kiosk.sections import AuditConfig
from kiosk.station.turns import turning
from kiosk.storage.checkpoints import Signer, checkpoint_record, newest_checkpoint, open_signer, tail
from kiosk.storage.database import Store, open_database
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault
from kiosk.system.clock import boottime
from kiosk.system.health import Health

log = structlog.get_logger("kiosk")

TURN_SECONDS = 0.5
RETRY_SECONDS = 30.0
"""Pause after a checkpoint that could not be made."""


class Checkpointer:
    """Its `turn` runs in a thread of its own. `store` is that thread's alone and only read; `trail` writes."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        trail: AuditTrail,
        section: AuditConfig,
        publish: Callable[[Checkpointed], None],
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises GalleryError when the log cannot be read."""
        self._store = store
        self._signer = signer
        self._trail = trail
        self._records = section.checkpoint_records
        self._seconds = 60 * section.checkpoint_minutes
        self._publish = publish
        self._clock = clock
        self._sleep = sleep
        newest = newest_checkpoint(store)
        self._covered = 0 if newest is None else newest.number + 1
        """The newest record that needs no further checkpoint: the last checkpoint's own."""
        self._due_at = -math.inf
        self._retry_at = -math.inf

    def turn(self) -> None:
        """Makes a checkpoint if one is due, and pauses. Never raises: what could not be made is tried again."""
        if self._clock() >= self._retry_at:
            self._attempt(lambda waiting: waiting >= self._records or self._clock() >= self._due_at)
        self._sleep(TURN_SECONDS)

    def finish(self) -> None:
        """A last checkpoint, if anything was recorded since the one before. Never raises."""
        self._attempt(lambda _: True)

    def _attempt(self, due: Callable[[int], bool]) -> None:
        try:
            number, link = tail(self._store)
            waiting = number - self._covered
            if waiting > 0 and due(waiting):
                self._make(number, link)
        except GalleryError as error:
            self._retry_at = self._clock() + RETRY_SECONDS
            log.warning("no_checkpoint", error=str(error))

    def _make(self, number: int, link: bytes) -> None:
        now = datetime.now(UTC)
        checkpoint = self._signer.sign(number, link, now)
        self._trail.append([checkpoint_record(checkpoint, now)])
        self._covered = number + 1
        self._due_at = self._clock() + self._seconds
        log.info("audit_checkpoint", checkpoint=checkpoint.row())
        self._publish(Checkpointed(checkpoint))


@contextmanager
def checkpointing(
    section: AuditConfig,
    home: Home,
    vault: Vault,
    trail: AuditTrail,
    publish: Callable[[Checkpointed], None],
    health: Health,
) -> Iterator[None]:
    """Makes checkpoints until the block ends, and then a last one, which covers all that the block recorded. Raises
    GalleryError when it cannot begin."""
    with closing(open_database(home.database, check=False)) as store:
        checkpointer = Checkpointer(store, open_signer(store, vault), trail, section, publish)
        with turning("checkpoints", checkpointer.turn, lambda: None, health):
            yield
        checkpointer.finish()
