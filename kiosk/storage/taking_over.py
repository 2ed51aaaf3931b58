"""Takes over galleries of earlier kiosks: seals the rows of one that kept names, badges and validities in clear, and
turns the templates of one that did not turn them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from kiosk.domain.errors import TamperedError
from kiosk.domain.people import NewReference, Subject
from kiosk.storage.database import Store, to_time
from kiosk.storage.sealed import SealedRows, begin
from kiosk.storage.troubles import TAMPERED_TEXT
from kiosk.storage.turning import has_turning
from kiosk.storage.vault import Vault


def pending(store: Store) -> bool:
    """Whether the gallery still has rows in the old form."""
    return bool(store.rows("SELECT 1 FROM sqlite_master WHERE name = 'subject_v1'"))


def take_over(store: Store, vault: Vault) -> None:
    """Seals the rows of before, and overwrites them. Does nothing if there are none. Raises TamperedError for a
    reference that cannot be decrypted, and for such rows in a gallery that is sealed already: somebody has put them
    there, to bring back whom they name. Then nothing is changed."""
    if not pending(store):
        return
    with store.transaction():
        if not pending(store):
            return  # another process has done it meanwhile
        if store.rows("SELECT 1 FROM meta WHERE key = 'roster'"):
            raise TamperedError(
                f"{store.path}: rows of an older kiosk were put into the sealed gallery: {TAMPERED_TEXT}"
            )
        marked = bool(store.rows("SELECT 1 FROM meta WHERE key = 'demonstration' AND value"))
        begin(store, vault, marked, _epoch(store))
        rows = SealedRows(store, vault)
        for row in store.rows("SELECT * FROM subject_v1 ORDER BY created_at, rowid"):
            references = store.rows("SELECT * FROM reference_v1 WHERE subject_id = ? ORDER BY rowid", [row["id"]])
            rows.add(_subject(row), list(_references(references, vault)))
        store.execute("DROP TABLE reference_v1")
        store.execute("DROP TABLE subject_v1")
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _epoch(store: Store) -> str:
    """The epoch of a gallery that is taken over. The same for each copy of it, so that one that is put back later is
    older than what kiosk-door has seen, and no new gallery (domain.door.witness)."""
    bound = store.rows("SELECT value FROM meta WHERE key = 'vault_check'")[0]["value"]
    return hashlib.sha256(b"taken over: " + bytes(bound)).hexdigest()[:16]


def unturned(store: Store, vault: Vault) -> bool:
    """Whether the gallery is sealed, but its templates are not turned. Raises TamperedError when their matrix was taken
    away: only the sealed roster says that there was none."""
    if has_turning(store) or pending(store):
        return False
    roster = SealedRows(store, vault).roster()
    if roster.turning:
        raise TamperedError(f"{store.path}: the matrix of the templates is missing: nobody is let in; {TAMPERED_TEXT}")
    return bool(roster.epoch)


def turn(store: Store, vault: Vault) -> None:
    """Turns the templates of a gallery of before, and overwrites those of before. Does nothing if they are turned.
    Raises TamperedError."""
    if not unturned(store, vault):
        return
    with store.transaction():
        if not unturned(store, vault):
            return  # another process has done it meanwhile
        SealedRows(store, vault).turn()
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _subject(row: dict[str, Any]) -> Subject:
    begin, end = (None if row[name] is None else to_time(row[name]) for name in ("valid_from", "valid_until"))
    return Subject(row["id"], row["name"], to_time(row["created_at"]), row["disabled"] != 0, begin, end, row["badge"])


def _references(rows: Iterable[dict[str, Any]], vault: Vault) -> Iterable[NewReference]:
    """The references of one subject. They get new ids, and the time of their subject's enrolment."""
    for row in rows:
        data = vault.unwrap(row["template"], "template", row["id"], row["subject_id"], row["model_id"])
        vector = np.frombuffer(data, np.int8).astype(np.float32)
        yield NewReference(vector, row["model_id"], row["quality"])
