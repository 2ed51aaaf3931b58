"""Encrypts what the gallery keeps, with AES-256-GCM and a tree of keys.

The master key (32 bytes, storage.keys) encrypts one random key a subject, the roster and a check value. A subject's key
encrypts the subject's record and templates. So a new master key leaves the templates as they are, and a subject's data
end with its key.

A sealed value is: version byte, 96-bit random nonce, ciphertext, 128-bit tag (NIST SP 800-38D: with random nonces one
key may seal 2^32 values). The associated data bind it to what it is and to its ids, so that a copied or edited row
cannot be decrypted.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kiosk.domain.errors import TamperedError

if TYPE_CHECKING:
    from kiosk.domain.people import Template

KEY_BYTES = 32
TEMPLATE_BYTES = 128
_VERSION = b"\x01"
_NONCE_BYTES = 12
_CHECK = "check"


class Vault:
    """Encrypts (seals) and decrypts with one key."""

    def __init__(self, key: bytes) -> None:
        """`key`: KEY_BYTES bytes."""
        self._aead = AESGCM(key)

    def wrap(self, data: bytes, *bound: str) -> bytes:
        """Encrypts data and binds it to words that say what it is and to its ids. 29 bytes longer than `data`."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, data, _associated(bound))

    def unwrap(self, blob: object, *bound: str) -> bytes:
        """The inverse of `wrap`. Raises TamperedError unless `blob` is exactly what was wrapped for the same things."""
        if not isinstance(blob, bytes) or blob[:1] != _VERSION or len(blob) <= _NONCE_BYTES:
            raise TamperedError(f"{' '.join(bound)} was damaged or altered")
        try:
            return self._aead.decrypt(blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :], _associated(bound))
        except InvalidTag as error:
            raise TamperedError(f"{' '.join(bound)} was damaged or altered") from error

    def new_key(self, subject_id: str) -> tuple[Vault, bytes]:
        """A new key for a subject: the vault that uses it, and the key sealed with this vault."""
        key = secrets.token_bytes(KEY_BYTES)
        return Vault(key), self.wrap(key, "the key of subject", subject_id)

    def of_subject(self, wrapped: object, subject_id: str) -> Vault:
        """The vault that uses a subject's key. Raises TamperedError."""
        return Vault(self.unwrap(wrapped, "the key of subject", subject_id))

    def rewrap(self, wrapped: object, subject_id: str, other: Vault) -> bytes:
        """A subject's key, sealed with another vault. Raises TamperedError."""
        return other.wrap(self.unwrap(wrapped, "the key of subject", subject_id), "the key of subject", subject_id)

    def make_check(self) -> bytes:
        """A value with which `recognises` can later tell whether this is the same key."""
        return self.wrap(b"", _CHECK)

    def recognises(self, check: object) -> bool:
        """Whether `check` was made with this key."""
        try:
            return self.unwrap(check, _CHECK) == b""
        except TamperedError:
            return False


def template_bytes(template: Template) -> bytes:
    """A template as TEMPLATE_BYTES bytes. Raises ValueError for anything but 128 signed bytes."""
    if template.dtype != np.int8 or template.shape != (TEMPLATE_BYTES,):
        raise ValueError(f"a template is {TEMPLATE_BYTES} signed bytes, not {template.dtype} {template.shape}")
    return template.tobytes()


def _associated(fields: tuple[str, ...]) -> bytes:
    """The fields as bytes, each after its length in four bytes, so that different fields never give the same bytes."""
    encoded = [field.encode("utf-8") for field in fields]
    return _VERSION + b"".join(len(field).to_bytes(4, "big") + field for field in encoded)
