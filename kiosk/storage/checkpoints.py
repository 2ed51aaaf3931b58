"""Signs checkpoints of the audit log, and says which signature is genuine.

The Ed25519 key is made once, and stored in the gallery file sealed with the vault. Its public half is stored beside it
in clear, is in each checkpoint, and is what others are given (`kiosk audit key`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.checkpoint import CHECKPOINT, Checkpoint, from_row
from kiosk.domain.errors import GalleryError, TamperedError
from kiosk.storage.audit import encode, insert, newest_link, this_boot
from kiosk.storage.database import Store, to_text
from kiosk.storage.troubles import damaged
from kiosk.storage.vault import Vault

SEALED_FOR = "audit-signing-key"
"""What the sealed key is bound to."""
KEY_MADE, KEY_LOST = AuditOutcome.SIGNING_KEY_MADE, AuditOutcome.SIGNING_KEY_REPLACED
"""Outcomes of a CHAIN record: the signing key was made; it could not be opened, and another one was made."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Holds the open signing key."""

    key: Ed25519PrivateKey
    public: str
    """Hexadecimal, 64 digits."""

    def sign(self, number: int, link: bytes, at: datetime, purpose: str = CHECKPOINT) -> Checkpoint:
        """The signed statement that record `number` has the hash `link` at the time `at`."""
        bare = Checkpoint(number, link.hex(), to_text(at), this_boot(), self.public)
        return replace(bare, signature=self.key.sign(bare.signed_bytes(purpose)).hex())


def open_signer(store: Store, vault: Vault) -> Signer:
    """The log's signing key, which is made on first use. If it was sealed with another vault or altered, another one is
    made, and the log says so. Raises GalleryError."""
    sealed = _meta(store, "audit_key")
    try:
        if sealed is not None:
            return _signer(vault.unwrap(sealed, SEALED_FOR))
    except TamperedError:
        pass  # an emptied gallery took a new key, or somebody altered the row
    with store.transaction():
        if _meta(store, "audit_key") != sealed:  # another process has just made it
            return _signer(vault.unwrap(_meta(store, "audit_key"), SEALED_FOR))
        made = Ed25519PrivateKey.generate().private_bytes_raw()
        signer = _signer(made)
        values = (("audit_key", vault.wrap(made, SEALED_FOR)), ("audit_public_key", signer.public))
        for name, value in values:
            store.conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (name, value))
        outcome = KEY_MADE if sealed is None else KEY_LOST
        record = AuditRecord(AuditKind.CHAIN, datetime.now(UTC), outcome=outcome, detail={"key": signer.public})
        insert(store, encode([record]))
    return signer


def reseal_signer(store: Store, old: Vault, new: Vault) -> None:
    """Seals the signing key with another vault. Call it inside a transaction. A key that does not open stays as it is:
    `open_signer` will replace it and say so in the log."""
    try:
        value = new.wrap(old.unwrap(_meta(store, "audit_key"), SEALED_FOR), SEALED_FOR)
    except TamperedError:
        return
    store.execute("UPDATE meta SET value = ? WHERE key = 'audit_key'", [value])


def forget_signer(store: Store) -> None:
    """Forgets the signing key: the next checkpoint makes another. Call it inside a transaction."""
    store.execute("DELETE FROM meta WHERE key IN ('audit_key', 'audit_public_key')")


def public_key(store: Store) -> str | None:
    """The public key that the gallery file names, hexadecimal; None before the first checkpoint. Raises
    GalleryError."""
    found = _meta(store, "audit_public_key")
    if found is not None and not isinstance(found, str):
        raise damaged(store.path, "the log's public key is none")
    return found


def genuine(checkpoint: Checkpoint, purpose: str = CHECKPOINT) -> bool:
    """Whether it was signed with the key that it names."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint.key))
        public.verify(bytes.fromhex(checkpoint.signature), checkpoint.signed_bytes(purpose))
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_record(checkpoint: Checkpoint, at: datetime) -> AuditRecord:
    """A checkpoint as a record of the log."""
    return AuditRecord(AuditKind.CHECKPOINT, at, detail=dict(checkpoint.row()))


def newest_checkpoint(store: Store) -> Checkpoint | None:
    """The checkpoint that was recorded last; None in a log without one. Raises GalleryError."""
    sql = "SELECT * FROM audit WHERE kind = ? ORDER BY id DESC LIMIT 1"
    rows = store.rows(sql, [AuditKind.CHECKPOINT.value])
    return None if not rows else recorded(rows[0]["detail"])


def tail(store: Store) -> tuple[int, bytes]:
    """Number and hash of the newest record; (0, START) for an empty log. Raises GalleryError."""
    return store.reading(lambda: newest_link(store))


def recorded(detail: str | bytes) -> Checkpoint:
    """The checkpoint, or the signed cut, of a record. Raises GalleryError when there is none."""
    try:
        row = json.loads(detail)
        return from_row(row if isinstance(row, dict) else {})
    except (ValueError, RecursionError) as error:
        raise GalleryError(f"a record of the audit log holds no checkpoint: {error}") from error


def _signer(private: bytes) -> Signer:
    try:
        key = Ed25519PrivateKey.from_private_bytes(private)
    except ValueError as error:
        raise TamperedError("the log's signing key is none") from error
    return Signer(key, key.public_key().public_bytes_raw().hex())


def _meta(store: Store, name: str) -> object:
    rows = store.rows("SELECT value FROM meta WHERE key = ?", [name])
    return rows[0]["value"] if rows else None
