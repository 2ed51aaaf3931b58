"""A master key that only a passphrase opens: the card alone is worth nothing, and the kiosk must be told it at each
start.

The key lies in the home, sealed with what Argon2id (RFC 9106, its second recommended choice: 64 MiB, three passes)
makes of the passphrase. The passphrase itself is nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kiosk.domain.errors import TamperedError, VaultError
from kiosk.storage.vault import KEY_BYTES, Vault
from kiosk.system.files import make_once, read_at_most, replace, sync

SHORTEST = 12
"""Fewest characters of a passphrase. A guess costs 64 MiB and .3 s of a server's core, offline too."""
LONGEST = 200
MEMORY_KIB, PASSES = 64 * 1024, 3
_SALT = 16
_SIZE = _SALT + KEY_BYTES + 29
_BOUND = "the master key of the passphrase"


class Asker(Protocol):
    """Asks a person for the passphrase. Raises VaultError where nobody can be asked."""

    def ask(self) -> str:
        """The passphrase."""

    def choose(self) -> str:
        """A new passphrase."""


class Nobody:
    """For a process that nobody sits in front of."""

    def ask(self) -> str:
        """Raises VaultError."""
        raise VaultError("the key is locked: an admin gives its passphrase: sudo kiosk unlock")

    def choose(self) -> str:
        """Raises VaultError."""
        raise VaultError("there is no passphrase yet: an admin chooses one: sudo kiosk keys passphrase")


class PassphraseKey:
    """A KeySource (storage.keys): a file in the home, sealed with a passphrase. It remembers the passphrase once it was
    given."""

    def __init__(self, path: Path, asker: Asker | None = None) -> None:
        self._path = path
        self._asker = asker or Nobody()
        self._passphrase: str | None = None
        self._opened: dict[bytes, bytes] = {}
        """Sealed keys that were opened with this passphrase, because opening one is made slow."""

    @property
    def place(self) -> str:
        """See KeySource."""
        return str(self._path)

    @property
    def protection(self) -> str:
        """See KeySource."""
        return "a passphrase at each start: whoever has the card has nothing without it"

    @property
    def exists(self) -> bool:
        """Whether there is a sealed key."""
        return self._path.exists()

    @property
    def waiting(self) -> bool:
        """Whether there is a sealed key, and nobody has given its passphrase yet."""
        return self._passphrase is None and self._path.exists()

    def open(self, passphrase: str) -> None:
        """Takes the passphrase. Raises VaultError when it is wrong."""
        self._opened.clear()
        self._unsealed(self._path, passphrase)
        self._passphrase = passphrase

    def read(self) -> bytes | None:
        """See KeySource. Asks for the passphrase the first time."""
        if not self._path.exists():
            return None
        if self._passphrase is None:
            self.open(self._asker.ask())
        return self._unsealed(self._path, self._given())

    def write(self, key: bytes) -> None:
        """See KeySource. Asks for a new passphrase if there is none."""
        if self._path.exists():
            return
        if self._passphrase is None:
            self._passphrase = checked(self._asker.choose())
        with _stored(self._path):
            make_once(self._path, _sealed(key, self._passphrase))

    def coming(self) -> bytes | None:
        """See KeySource."""
        return self._unsealed(self._next, self._given()) if self._next.exists() else None

    def prepare(self, key: bytes) -> None:
        """See KeySource."""
        with _stored(self._next):
            replace(self._next, _sealed(key, self._given()))

    def adopt(self) -> None:
        """See KeySource."""
        with _stored(self._path):
            self._next.rename(self._path)
            sync(self._path.parent)

    def change(self, passphrase: str) -> None:
        """Seals the same key with another passphrase. Raises VaultError; then the old one still holds."""
        key = self.read()
        if key is None:
            raise VaultError(f"{self._path}: there is no key yet: enrol somebody first")
        with _stored(self._path):
            replace(self._path, _sealed(key, checked(passphrase)))
        self._passphrase = passphrase

    @property
    def _next(self) -> Path:
        return self._path.with_name(self._path.name + ".next")

    def _given(self) -> str:
        if self._passphrase is None:
            self.open(self._asker.ask())
        assert self._passphrase is not None
        return self._passphrase

    def _unsealed(self, path: Path, passphrase: str) -> bytes:
        try:
            sealed = read_at_most(path, _SIZE)
        except OSError as error:
            raise VaultError(
                f"{path}: the key cannot be read ({error.strerror}): see to its owner and rights"
            ) from error
        if len(sealed) != _SIZE:
            raise VaultError(f"{path}: this is no sealed key: put a copy of it back, or use kiosk keys recover")
        if sealed not in self._opened:
            try:
                self._opened[sealed] = Vault(_derived(passphrase, sealed[:_SALT])).unwrap(sealed[_SALT:], _BOUND)
            except TamperedError as error:
                raise VaultError("this is not the passphrase of this gallery: type it again") from error
        return self._opened[sealed]


def checked(passphrase: str) -> str:
    """A passphrase that may be chosen. Raises VaultError."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        raise VaultError(f"a passphrase has {SHORTEST} to {LONGEST} characters: four or five words are good")
    return passphrase


@contextmanager
def _stored(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VaultError(f"{path}: the key cannot be stored there ({error.strerror}): nothing was changed") from error


def _sealed(key: bytes, passphrase: str) -> bytes:
    salt = os.urandom(_SALT)
    return salt + Vault(_derived(passphrase, salt)).wrap(key, _BOUND)


def _derived(passphrase: str, salt: bytes) -> bytes:
    plain = passphrase.encode("utf-8", "surrogateescape")
    return Argon2id(salt=salt, length=KEY_BYTES, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB).derive(plain)
