"""Real logs for the tests of the chain, and an attacker who may write the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.chain import FIELDS, START, digest
from kiosk.domain.checkpoint import Checkpoint
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import Signer, checkpoint_record, open_signer, tail
from kiosk.storage.database import Store, in_memory
from kiosk.storage.migrations import AUDIT_GUARDS
from kiosk.storage.vault import KEY_BYTES, Vault
from tests.storage.conftest import NOON, a_decision, an_outcome

VAULT = Vault(bytes(KEY_BYTES))
Values = list[object]
"""id, the fields in the order of FIELDS, hash."""
COLUMNS = ", ".join(("id", *FIELDS, "hash"))


def sign(store: Store, signer: Signer) -> Checkpoint:
    """As the kiosk makes a checkpoint."""
    number, link = tail(store)
    made = signer.sign(number, link, NOON)
    Audit(store).append([checkpoint_record(made, NOON)])
    return made


def a_real_log(people: int = 6, each: int = 2) -> tuple[Store, Signer, list[Checkpoint]]:
    """A log of so many people, with a checkpoint after each so many of them, and some records after the last one."""
    store = in_memory()
    audit, signer = Audit(store), open_signer(store, VAULT)
    audit.append([AuditRecord(AuditKind.START, NOON, detail={"version": "0.1.0", "fpir": 0.001, "name": "Zoë"})])
    checkpoints = []
    for number in range(people):
        at = NOON + timedelta(minutes=number)
        audit.append([a_decision(f"g{number}"), an_outcome(f"g{number}")])
        audit.append([AuditRecord(AuditKind.DOOR, at, f"g{number}", None, "opened", detail={"sequence": number})])
        if number % each == each - 1:
            checkpoints.append(sign(store, signer))
    audit.append([a_decision("last", "refused"), AuditRecord(AuditKind.STOP, NOON)])
    return store, signer, checkpoints


@contextmanager
def unguarded(store: Store) -> Iterator[None]:
    """The triggers are away meanwhile, and back as they were afterwards: nobody sees it by them."""
    for name in AUDIT_GUARDS:
        store.execute(f"DROP TRIGGER {name}")
    yield
    for sql in AUDIT_GUARDS.values():
        store.execute(sql)


def everything(store: Store) -> list[Values]:
    """All rows of the log."""
    return [list(row) for row in store.execute(f"SELECT {COLUMNS} FROM audit ORDER BY id").fetchall()]


def put(store: Store, rows: Sequence[Values]) -> None:
    """Puts these rows in place of all that is in the log."""
    with unguarded(store):
        store.execute("DELETE FROM audit")
        for row in rows:
            store.execute(f"INSERT INTO audit ({COLUMNS}) VALUES ({', '.join('?' for _ in row)})", row)


def chained(rows: Sequence[Values]) -> list[Values]:
    """The same rows with numbers and hashes that fit: an attacker needs no key for that."""
    previous, found = START, []
    for number, (_, *fields, _hash) in enumerate(rows, 1):
        encoded = [None if value is None else str(value).encode() for value in fields]
        previous = digest(previous, number, encoded)
        found.append([number, *fields, previous])
    return found
