"""Gives a gallery another master key, so that a copy of the old one is worth nothing; or its templates another matrix.

The new key is stored beside the old one first, then everything is sealed with it in one transaction, then it takes the
old one's place. After a power cut in between, storage.unlock sees which of the two the gallery is sealed with.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import VaultError
from kiosk.storage import recovery
from kiosk.storage.audit import encode, insert
from kiosk.storage.checkpoints import forget_signer, reseal_signer
from kiosk.storage.database import Store
from kiosk.storage.keys import KeySource
from kiosk.storage.passes import forget_passes, reseal_passes
from kiosk.storage.sealed import SealedRows
from kiosk.storage.unlock import belongs
from kiosk.storage.vault import KEY_BYTES, Vault


def renew_templates(store: Store, vault: Vault, by: str | None = None) -> int:
    """Turns all templates to a new matrix (domain.renewal), so that a stolen one fits nothing any more, and overwrites
    those of before. Nobody is enrolled again. Returns the number of references. `by`: who does it, for the record.
    Raises GalleryError; then nothing is changed."""
    with store.transaction():
        if not belongs(store, vault):
            raise VaultError(f"{store.path}: the gallery's key was changed meanwhile: start again")
        SealedRows(store, vault).turn()
        count = int(store.rows("SELECT count(*) AS n FROM reference")[0]["n"])
        insert(store, encode([key_record(AuditOutcome.TEMPLATES_RENEWED, by, references=count)]))
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


def rotate(store: Store, source: KeySource, everything: bool = False, by: str | None = None) -> None:
    """Seals the gallery with a new master key. `everything`: gives each subject a new key too, and the audit log's
    checkpoints another signing key, so that an old copy of the gallery with its key opens nothing of what is stored
    from now on, and signs nothing that is believed. Visitor passes are void then.

    A recovery passphrase of before no longer opens the gallery. `by`: who does it, for the record. Raises VaultError,
    GalleryError; then the old key still holds.
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
        if everything:
            forget_signer(store)
            forget_passes(store)
        else:
            reseal_signer(store, old, new)
            reseal_passes(store, old, new)
        store.execute("UPDATE meta SET value = ? WHERE key = 'vault_check'", [new.make_check()])
        recovery.end(store)
        outcome = AuditOutcome.SEALED_ANEW if everything else AuditOutcome.KEY_CHANGED
        insert(store, encode([key_record(outcome, by)]))
    source.adopt()
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def key_record(outcome: AuditOutcome, by: str | None, **detail: int) -> AuditRecord:
    """What the log says of a change of keys. `by`: who did it, as users.caller names them."""
    who = {} if by is None else {"by": by}
    return AuditRecord(AuditKind.KEY, datetime.now(UTC), outcome=outcome, detail={**detail, **who})
