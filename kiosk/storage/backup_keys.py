"""The key of a period of backups: made when the period begins, destroyed when somebody is erased.

It lies in a file beside the gallery, sealed with the master key, so that it outlives a damaged gallery, and in each
backup it is sealed for the recovery passphrase (HPKE, RFC 9180). It is in no backup for the master key. So once it is
destroyed, the backups of before can be opened with the paper of the recovery passphrase alone.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kiosk.domain.errors import BackupError, TamperedError, os_trouble
from kiosk.storage.vault import KEY_BYTES, Vault
from kiosk.system.files import read_at_most, replace, sync

FILE = "backup.key"
LARGEST = 4096
_BOUND = "the key of backups"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def key_of_period(folder: Path, vault: Vault, gallery: str, period: int) -> bytes:
    """The key of this period, which is made when there is none, or none that this vault opens. Raises BackupError."""
    known = known_key(folder, vault, gallery, period)
    if known is not None:
        return known
    key = secrets.token_bytes(KEY_BYTES)
    sealed = vault.wrap(key, _BOUND, gallery, str(period))
    value = {"gallery": gallery, "period": period, "sealed": sealed.hex()}
    try:
        replace(folder / FILE, json.dumps(value).encode())
    except OSError as error:
        raise BackupError(f"the key of backups cannot be stored: {os_trouble(error)}") from error
    return key


def known_key(folder: Path, vault: Vault, gallery: str, period: int) -> bytes | None:
    """The key of this period; None if it is not there. Raises BackupError when that cannot be read."""
    try:
        value = json.loads(read_at_most(folder / FILE, LARGEST))
        if (value["gallery"], value["period"]) != (gallery, period):
            return None
        return vault.unwrap(bytes.fromhex(value["sealed"]), _BOUND, gallery, str(period))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(os_trouble(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError, TamperedError):
        return None  # damaged, or of an earlier master key


def destroy(folder: Path) -> None:
    """Destroys the key of the present period. Raises BackupError."""
    try:
        (folder / FILE).unlink(missing_ok=True)
        sync(folder)
    except OSError as error:
        raise BackupError(f"the key of backups cannot be destroyed: {os_trouble(error)}") from error


def for_recovery(key: bytes, public: bytes, gallery: str, period: int) -> bytes:
    """A period's key, sealed for the holder of the recovery passphrase. 80 bytes."""
    return _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public), _info(gallery, period))


def from_recovery(sealed: bytes, pair: X25519PrivateKey, gallery: str, period: int) -> bytes | None:
    """The inverse of `for_recovery`; None for another passphrase, or an altered value."""
    try:
        return _SUITE.decrypt(sealed, pair, _info(gallery, period))
    except (InvalidTag, ValueError):
        return None


def _info(gallery: str, period: int) -> bytes:
    return f"{_BOUND} {gallery} {period}".encode()
