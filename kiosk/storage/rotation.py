"""Gives a gallery another master key, so that a copy of the old one is worth nothing.

The new key is stored beside the old one first, then everything is sealed with it in one transaction, then it takes the
old one's place. After a power cut in between, storage.unlock sees which of the two the gallery is sealed with.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.errors import VaultError
from kiosk.storage.audit import encode, insert
from kiosk.storage.database import Store
from kiosk.storage.keys import KeySource
from kiosk.storage.sealed import SealedRows
from kiosk.storage.unlock import belongs
from kiosk.storage.vault import KEY_BYTES, Vault

SEALED_VALUES: dict[str, str] = {}
"""Further values of the table meta that are sealed with the master key: the key of the row, and what it is bound to."""


def rotate(store: Store, source: KeySource, everything: bool = False) -> None:
    """Seals the gallery with a new master key. `everything`: gives each subject a new key too, so that an old copy of
    the gallery with its key opens nothing of what is stored from now on.

    A recovery passphrase of before no longer opens the gallery. Raises VaultError, GalleryError; then the old key still
    holds.
    """
    old_key = source.read()
    if old_key is None:
        raise VaultError(f"{source.place}: there is no key yet: enrol somebody first")
    new_key = secrets.token_bytes(KEY_BYTES)
    source.prepare(new_key)
    old, new = Vault(old_key), Vault(new_key)
    with store.transaction():
        if not belongs(store, old):
            raise VaultError(f"{store.path}: the gallery's key was changed meanwhile: start again")
        SealedRows(store, old).rekey(new, everything)
        for key, bound in SEALED_VALUES.items():
            for row in store.rows("SELECT value FROM meta WHERE key = ?", [key]):
                value = new.wrap(old.unwrap(row["value"], bound), bound)
                store.execute("UPDATE meta SET value = ? WHERE key = ?", [value, key])
        store.execute("UPDATE meta SET value = ? WHERE key = 'vault_check'", [new.make_check()])
        store.execute("DELETE FROM meta WHERE key = 'recovery'")
        outcome = "everything_sealed_anew" if everything else "key_changed"
        insert(store, encode([AuditRecord(AuditKind.KEY, datetime.now(UTC), outcome=outcome)]))
    source.adopt()
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
