"""A passphrase that opens a gallery without its key: after the board has died, a copy of the gallery and this
passphrase are enough.

The passphrase is made here, 125 random bits in Crockford's base 32, and shown once. Argon2id (RFC 9106; 19 MiB and two
passes, OWASP's smallest) makes a key of it, which seals the master key in the gallery. Of the same key comes an X25519
key pair, whose public half stays in the gallery: for it backups are sealed (storage.backup_keys), while nobody has the
passphrase at hand.
"""

from __future__ import annotations

import os
import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kiosk.domain.errors import TamperedError, VaultError
from kiosk.storage.database import Store
from kiosk.storage.unlock import belongs
from kiosk.storage.vault import KEY_BYTES, Vault

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter looks like another or like a digit."""
GROUPS, GROUP = 5, 5
MEMORY_KIB, PASSES = 19 * 1024, 2
SALT = 16
"""Bytes."""
_BOUND = "the master key"
_BOUND_PUBLIC = "the recovery passphrase's public key"
_ALIKE = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None, " ": None})


def make(store: Store, key: bytes) -> str:
    """Makes a passphrase that opens the gallery of this master key, in place of an earlier one. Raises GalleryError."""
    words = ["".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS)]
    passphrase = "-".join(words)
    salt = os.urandom(SALT)
    sealed = salt + Vault(_derived(passphrase, salt)).wrap(key, _BOUND)
    public = Vault(key).wrap(salt + pair(passphrase, salt).public_key().public_bytes_raw(), _BOUND_PUBLIC)
    with store.transaction():
        if not belongs(store, Vault(key)):
            raise VaultError(f"{store.path}: this is not the gallery's key: nothing was changed")
        for name, value in (("recovery", sealed), ("recovery_public", public)):
            store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [name, value])
    return passphrase


def end(store: Store) -> None:
    """Ends the passphrase: it opens the gallery no more. Call it inside a transaction."""
    store.execute("DELETE FROM meta WHERE key IN ('recovery', 'recovery_public')")


def public(store: Store, vault: Vault) -> tuple[bytes, bytes] | None:
    """Salt (SALT bytes) and public key (32 bytes) of the passphrase's key pair; None without a passphrase, or with one
    of before there were backups. Raises TamperedError."""
    found = store.rows("SELECT value FROM meta WHERE key = 'recovery_public'")
    if not found:
        return None
    value = vault.unwrap(found[0]["value"], _BOUND_PUBLIC)
    return value[:SALT], value[SALT:]


def pair(passphrase: str, salt: bytes) -> X25519PrivateKey:
    """The passphrase's key pair, with this salt (SALT bytes)."""
    derived = HKDF(SHA256(), KEY_BYTES, None, b"kiosk recovery key pair").derive(_derived(passphrase, salt))
    return X25519PrivateKey.from_private_bytes(derived)


def there(store: Store) -> bool:
    """Whether the gallery has a recovery passphrase. Raises GalleryError."""
    return bool(store.rows("SELECT 1 FROM meta WHERE key = 'recovery'"))


def master_key(store: Store, passphrase: str) -> bytes:
    """The gallery's master key. Raises VaultError when the passphrase is wrong or the gallery has none."""
    found = store.rows("SELECT value FROM meta WHERE key = 'recovery'")
    if not found:
        raise VaultError(f"{store.path}: this gallery has no recovery passphrase")
    sealed = bytes(found[0]["value"])
    try:
        key = Vault(_derived(passphrase, sealed[:SALT].ljust(SALT))).unwrap(sealed[SALT:], _BOUND)
    except TamperedError as error:
        raise VaultError("this is not the recovery passphrase of this gallery: look at each letter again") from error
    if not belongs(store, Vault(key)):
        raise VaultError(f"{store.path}: the passphrase is of another gallery, or of an earlier key")
    return key


def _derived(passphrase: str, salt: bytes) -> bytes:
    plain = passphrase.lower().translate(_ALIKE).encode()
    return Argon2id(salt=salt, length=KEY_BYTES, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB).derive(plain)
