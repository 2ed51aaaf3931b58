"""The kiosk makes checkpoints of its log while it runs, and a last one at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.errors import GalleryError
from kiosk.domain.updates import Checkpointed
from kiosk.sections import AuditConfig
from kiosk.station.checkpoints import RETRY_SECONDS, Checkpointer
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import genuine, newest_checkpoint, open_signer
from kiosk.storage.database import Store, in_memory
from kiosk.storage.verification import verify
from tests.storage.chains import VAULT
from tests.storage.conftest import NOON


class Bench:
    """A log, and what checkpoints it as `kiosk run` does; its clock stands."""

    def __init__(self, store: Store, records: int = 5, minutes: float = 1.0) -> None:
        self.store, self.now, self.broken = store, 1000.0, False
        self.told: list[Checkpoint] = []
        self.audit = Audit(store)
        section = AuditConfig(checkpoint_records=records, checkpoint_minutes=minutes)
        self.checkpointer = Checkpointer(
            store, open_signer(store, VAULT), self, section, self.publish, lambda: self.now, lambda _: None
        )

    def append(self, records: Sequence[AuditRecord]) -> None:
        """Stands for the writer."""
        if self.broken:
            raise GalleryError("the card is full")
        self.audit.append(records)

    def publish(self, update: Checkpointed) -> None:
        """What the kiosk's listeners are told."""
        self.told.append(update.checkpoint)

    def record(self, count: int) -> None:
        """Something happens."""
        self.audit.append([AuditRecord(AuditKind.START, NOON) for _ in range(count)])

    def turns(self, count: int = 3) -> int:
        """So many turns; how many checkpoints were made by them."""
        before = len(self.told)
        for _ in range(count):
            self.checkpointer.turn()
        return len(self.told) - before


@pytest.fixture
def bench() -> Iterator[Bench]:
    with closing(in_memory()) as store:
        yield Bench(store)


def test_the_first_turn_covers_what_was_recorded_before_and_then_nothing_until_enough_was(bench: Bench) -> None:
    assert bench.turns() == 1, "the record of the new key"
    assert bench.turns() == 0
    bench.record(4)
    assert bench.turns() == 0
    bench.record(1)
    assert bench.turns() == 1
    assert bench.told[-1].number == bench.audit.last_id() - 1


def test_after_some_time_few_records_are_enough_and_none_are_not(bench: Bench) -> None:
    bench.turns()
    bench.now += 60
    assert bench.turns() == 0, "its own record needs no further checkpoint"
    bench.record(1)
    assert bench.turns() == 1
    bench.record(1)
    bench.now += 59
    assert bench.turns() == 0
    bench.now += 1
    assert bench.turns() == 1


def test_what_could_not_be_recorded_is_told_to_nobody_and_tried_again_after_a_pause(bench: Bench) -> None:
    bench.broken = True
    assert bench.turns() == 0
    bench.broken = False
    assert bench.turns() == 0
    bench.now += RETRY_SECONDS
    assert bench.turns() == 1


def test_a_kiosk_that_starts_again_goes_on_where_it_was(bench: Bench) -> None:
    bench.turns()
    bench.record(2)
    bench.checkpointer.finish()
    bench.checkpointer.finish()
    assert len(bench.told) == 2
    again = Bench(bench.store)
    assert again.turns() == 0


def test_what_is_told_is_genuine_and_is_what_the_log_says(bench: Bench) -> None:
    bench.turns()
    bench.record(3)
    bench.checkpointer.finish()
    assert all(genuine(checkpoint) for checkpoint in bench.told)
    assert newest_checkpoint(bench.store) == bench.told[-1]
    verdict = verify(bench.store, bench.told)
    assert (verdict.good, verdict.compared, verdict.checkpoints) == (True, 2, 2)
