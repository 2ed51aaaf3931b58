"""Encrypts templates at rest with AES-256-GCM and the key file of the home.

A sealed template is: version byte, 96-bit random nonce, ciphertext, 128-bit tag (NIST SP 800-38D: with random nonces
one key may seal 2^32 templates). The associated data bind it to its reference, its subject and its model, so that a
copied or edited row cannot be decrypted.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.domain.errors import GalleryError, VaultError
from kiosk.storage.database import Store
from kiosk.system.files import sync

if TYPE_CHECKING:
    from kiosk.domain.people import Template

KEY_BYTES = 32
TEMPLATE_BYTES = 128
_VERSION = b"\x01"
_NONCE_BYTES = 12
_CHECK = "check"


class Vault:
    """Encrypts (seals) and decrypts templates with one key."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, template: Template, reference_id: str, subject_id: str, model_id: str) -> bytes:
        """Encrypts a template to 157 bytes. Raises ValueError for anything but 128 signed bytes."""
        if template.dtype != np.int8 or template.shape != (TEMPLATE_BYTES,):
            raise ValueError(f"a template is {TEMPLATE_BYTES} signed bytes, not {template.dtype} {template.shape}")
        return self._encrypt(template.tobytes(), "template", reference_id, subject_id, model_id)

    def unseal(self, blob: bytes, reference_id: str, subject_id: str, model_id: str) -> Template:
        """The inverse of `seal`. Raises GalleryError unless `blob` is exactly what was sealed for these ids."""
        try:
            data = self._decrypt(blob, "template", reference_id, subject_id, model_id)
        except InvalidTag as error:
            raise GalleryError(
                f"reference {reference_id} of subject {subject_id} was damaged or altered: "
                "put a copy of the gallery back, or remove the subject and enrol again"
            ) from error
        return np.frombuffer(data, dtype=np.int8)

    def wrap(self, data: bytes, *bound: str) -> bytes:
        """Encrypts other data than a template. `bound`: what it is for and whose it is; only the same texts open it."""
        return self._encrypt(data, "wrapped", *bound)

    def unwrap(self, blob: bytes, *bound: str) -> bytes:
        """The inverse of `wrap`. Raises VaultError unless `blob` is exactly what was wrapped with this key for
        these."""
        try:
            return self._decrypt(blob, "wrapped", *bound)
        except InvalidTag as error:
            raise VaultError(
                f"what is sealed as {' '.join(bound)} was altered, or is sealed with another key"
            ) from error

    def make_check(self) -> bytes:
        """A value with which `recognises` can later tell whether this is the same key."""
        return self._encrypt(b"", _CHECK)

    def recognises(self, check: bytes) -> bool:
        """Whether `check` was made with this key."""
        try:
            return self._decrypt(check, _CHECK) == b""
        except InvalidTag:
            return False

    def _encrypt(self, data: bytes, *bound: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, data, _associated(bound))

    def _decrypt(self, blob: bytes, *bound: str) -> bytes:
        if not isinstance(blob, bytes) or blob[:1] != _VERSION or len(blob) <= 1 + _NONCE_BYTES:
            raise InvalidTag
        return self._aead.decrypt(blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :], _associated(bound))


def _associated(fields: tuple[str, ...]) -> bytes:
    """The fields as bytes, each after its length in four bytes, so that different fields never give the same bytes."""
    encoded = [field.encode("utf-8") for field in fields]
    return _VERSION + b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def unlock(store: Store, path: Path) -> Vault:
    """Opens the vault of a gallery, and makes its key on first use.

    Raises VaultError when the key is missing although references are sealed with it, belongs to another gallery, can be
    read by other users, or is no key.
    """
    if not path.exists():
        if _sealed(store):
            raise VaultError(
                f"{path}: the key is missing: put it back; without it remove all subjects and enrol them again"
            )
        if store.read_only:
            raise VaultError(f"{path}: there is no key yet: enrol somebody first")
        _make_key(path)
    vault = Vault(_read_key(path))
    if belongs(store, vault):
        return vault
    if _sealed(store):
        raise VaultError(f"{path}: this key does not belong to the gallery {store.path}: put the right key back")
    if not store.read_only:
        with store.transaction():
            claim(store, vault)
    return vault


def claim(store: Store, vault: Vault) -> None:
    """Binds an empty gallery to this key. Call it inside a transaction before you seal something.

    Raises VaultError when the gallery is bound to another key and not empty.
    """
    if belongs(store, vault):
        return
    if _sealed(store):
        raise VaultError(f"{store.path}: the gallery's key was changed meanwhile: start again")
    store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('vault_check', ?)", [vault.make_check()])


def belongs(store: Store, vault: Vault) -> bool:
    """Whether the gallery is bound to the vault's key now. Raises GalleryError."""
    found = store.rows("SELECT value FROM meta WHERE key = 'vault_check'")
    return bool(found) and vault.recognises(found[0]["value"])


def _sealed(store: Store) -> bool:
    return bool(store.rows("SELECT 1 FROM reference LIMIT 1"))


def _read_key(path: Path) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
            key = os.read(file, KEY_BYTES + 1)
        finally:
            os.close(file)
    except OSError as error:
        raise VaultError(f"{path}: the key cannot be read ({error.strerror}): see to its owner and rights") from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise VaultError(f"{path}: others can read or change the key: chmod 600 {path}, and find out who did read it")
    if len(key) != KEY_BYTES:
        raise VaultError(f"{path}: this is no key (it must be {KEY_BYTES} bytes): put the right key back")
    return key


def _make_key(path: Path) -> None:
    """Makes the key file: after this it is complete and on disk, or does not exist. Keeps a key that another process
    has just made."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, secrets.token_bytes(KEY_BYTES))
            os.fsync(file)
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            os.close(file)
            draft.unlink()
        sync(path.parent)
    except OSError as error:
        raise VaultError(f"{path}: the key cannot be made ({error.strerror}): nothing was enrolled") from error
