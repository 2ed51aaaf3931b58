"""Where the master key of a gallery comes from: a file, a credential of systemd, or a passphrase.

A file beside the gallery protects from nobody who has the card. A file on another medium, or a credential that systemd
has sealed to the board's TPM (`systemd-creds encrypt`), or a passphrase at each start, does.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kiosk.domain.errors import VaultError
from kiosk.sections import KeysConfig
from kiosk.storage.passphrase import Asker, PassphraseKey
from kiosk.storage.vault import KEY_BYTES
from kiosk.system.credentials import credential
from kiosk.system.files import make_once, replace, sync

SEALED_KEY = "gallery.key.sealed"
"""The file in the home that a passphrase opens."""


class KeySource(Protocol):
    """Gives the master key."""

    @property
    def place(self) -> str:
        """Where the key is, for messages."""

    @property
    def protection(self) -> str:
        """Who can use the key besides the kiosk, in words for an admin."""

    def read(self) -> bytes | None:
        """The key, KEY_BYTES bytes; None if there is none yet. Raises VaultError when it cannot be used."""

    def write(self, key: bytes) -> None:
        """Stores a first key; keeps one that another process has just stored. Raises VaultError when it cannot."""

    def coming(self) -> bytes | None:
        """A key that `prepare` has stored and `adopt` has not put in its place; None if there is none."""

    def prepare(self, key: bytes) -> None:
        """Stores a key that will take the place of the present one. Raises VaultError when it cannot."""

    def adopt(self) -> None:
        """Puts the prepared key in the place of the present one. Raises VaultError when it cannot."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of KEY_BYTES bytes that only its owner can read. `beside`: it lies in the gallery's own folder."""

    path: Path
    beside: bool = True

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def protection(self) -> str:
        if self.beside:
            return "the key lies beside the gallery: whoever has the card has the gallery"
        return f"whoever has the medium of {self.path} and the card has the gallery"

    def read(self) -> bytes | None:
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            if self.path.is_symlink():
                raise VaultError(
                    f"{self.path}: the key cannot be read ({error.strerror}): mount what it is on"
                ) from error
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            status, key = os.fstat(file), os.read(file, KEY_BYTES + 1)
        except OSError as error:
            raise self._unreadable(error) from error
        finally:
            os.close(file)
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise VaultError(
                f"{self.path}: others can read or change the key: chmod 600 {self.path}, and find out who did read it"
            )
        return checked(key, self.place)

    def write(self, key: bytes) -> None:
        try:
            make_once(self.path, key)
        except OSError as error:
            raise VaultError(f"{self.path}: the key cannot be made ({error.strerror}): nothing was enrolled") from error

    def coming(self) -> bytes | None:
        return self._next.read() if self._next.path.exists() else None

    def prepare(self, key: bytes) -> None:
        try:
            replace(self._next.path, key)
        except OSError as error:
            raise VaultError(f"{self.path}: the key cannot be made ({error.strerror}): nothing was changed") from error

    def adopt(self) -> None:
        try:
            self._next.path.rename(self.path)
            sync(self.path.parent)
        except OSError as error:
            raise VaultError(f"{self.path}: the key cannot be stored there ({error.strerror})") from error

    @property
    def _next(self) -> KeyFile:
        return KeyFile(self.path.with_name(self.path.name + ".next"))

    def _unreadable(self, error: OSError) -> VaultError:
        return VaultError(f"{self.path}: the key cannot be read ({error.strerror}): see to its owner and rights")


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that systemd has decrypted for this process: a credential of the unit, or what root got for a command."""

    key: bytes | None
    name: str

    @property
    def place(self) -> str:
        return f"the credential {self.name}"

    @property
    def protection(self) -> str:
        return (
            f"systemd holds the key as {self.place}: sealed to the TPM where the board has one (systemd-analyze "
            "has-tpm2), otherwise whoever has the card and knows how has the gallery"
        )

    def read(self) -> bytes | None:
        return None if self.key is None else checked(self.key, self.place)

    def write(self, key: bytes) -> None:
        raise VaultError(f"{self.place} is missing: make it as deploy/operating.md says (`systemd-creds encrypt`)")

    def coming(self) -> bytes | None:
        return None

    def prepare(self, key: bytes) -> None:
        raise VaultError(f"{self.place} cannot be changed from here; nothing was changed")

    def adopt(self) -> None:
        raise VaultError(f"{self.place} cannot be changed from here; nothing was changed")


def checked(key: bytes, place: str) -> bytes:
    """The key. Raises VaultError for one of another length."""
    if len(key) != KEY_BYTES:
        raise VaultError(f"{place}: this is no key (it must be {KEY_BYTES} bytes): put the right key back")
    return key


def chosen(keys: KeysConfig, folder: Path, asker: Asker | None = None) -> KeySource | None:
    """The source that is configured: a file, a credential, or a passphrase, for which `asker` asks; None for the file
    beside the gallery in the home `folder`. A credential is read here, because only root can do so. Raises
    ConfigError."""
    if keys.passphrase:
        return PassphraseKey(folder / SEALED_KEY, asker)
    if keys.credential is not None:
        return Credential(credential(keys.credential), keys.credential.name)
    return None if keys.file is None else KeyFile(keys.file, beside=False)
