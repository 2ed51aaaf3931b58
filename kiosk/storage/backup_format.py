"""The file of a backup: what stands in it, and how it is read when nobody knows who wrote it.

MAGIC, the length of the header (4 bytes, big-endian), the header (JSON), then the gallery's file in pieces of PIECE
bytes, each sealed with AES-256-GCM. The nonce is the piece's number (11 bytes, big-endian) and whether it is the last
one; the associated data are the SHA-256 of everything before the first piece. So no piece can be changed, moved, left
out or taken from another backup, and the end cannot be cut off (the STREAM construction). The key is of this file
alone: HKDF of the period's key (storage.backup_keys) and a random salt.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kiosk.domain.checkpoint import AT_PATTERN
from kiosk.domain.errors import BackupError, TamperedError, os_trouble
from kiosk.storage.vault import KEY_BYTES, Vault

MAGIC = b"KIOSKBK1"
PIECE = 1 << 16
TAG = 16
LARGEST_HEADER = 1 << 20
"""Bytes."""
MOST_ERASED = 10_000
"""Of so many people a header lists that they were erased: the newest."""
LARGEST_SIZE = 1 << 40
"""Bytes of a gallery's file."""
_BOUND = "backup"

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Subject = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
At = Annotated[str, Field(pattern=AT_PATTERN)]
Salt = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class Header(BaseModel):
    """What stands in clear: nothing about a person but opaque ids of who was erased."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    gallery: Id
    """Which gallery: a random name that stays the same when it is restored."""
    period: Count
    """How many were erased before: the period of the key."""
    generation: Count
    """The gallery's last change (storage.roster)."""
    created: At
    size: Annotated[int, Field(ge=0, le=LARGEST_SIZE)]
    """Bytes of the gallery's file."""
    salt: Salt
    """Of this file's key."""
    recovery_salt: Salt
    """Of the recovery passphrase."""
    recovery: Annotated[str, Field(pattern=r"^[0-9a-f]{160}$")]
    """The period's key, sealed for the recovery passphrase."""
    erased: Annotated[dict[Subject, At], Field(max_length=MOST_ERASED)]
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{58}$")] = "0" * 58
    """Made with the master key: who has only the public half of the recovery key cannot make a backup."""

    def proven(self, vault: Vault) -> Header:
        """The header with its proof, made with the vault of the master key."""
        return self.model_copy(update={"proof": vault.wrap(b"", _BOUND, self._hash()).hex()})

    def believed(self, vault: Vault) -> bool:
        """Whether its proof was made with the vault of this master key, for exactly this header."""
        try:
            return vault.unwrap(bytes.fromhex(self.proof), _BOUND, self._hash()) == b""
        except TamperedError:
            return False

    @property
    def at(self) -> datetime:
        """When the backup was made. UTC."""
        return datetime.fromisoformat(self.created)

    def packed(self) -> bytes:
        """All that stands before the first piece."""
        text = self.model_dump_json().encode()
        return MAGIC + len(text).to_bytes(4, "big") + text

    def _hash(self) -> str:
        return hashlib.sha256(self.model_dump_json(exclude={"proof"}).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is open for reading. Its header is well formed and fits the file's length; nothing else is known of
    it."""

    path: Path
    header: Header
    file: BinaryIO
    """Stands at the first piece."""
    begin: bytes
    """All before the first piece."""

    def pieces(self, key: bytes) -> Iterator[bytes]:
        """The gallery's file, piece by piece, with the period's key. Raises BackupError for a piece that is not what
        was written there."""
        seal, bound = AESGCM(_file_key(key, self.header)), hashlib.sha256(self.begin).digest()
        count = _count(self.header.size)
        for number in range(count):
            try:
                sealed = self.file.read(PIECE + TAG)
            except OSError as error:
                raise BackupError(f"{self.path}: {os_trouble(error)}") from error
            try:
                yield seal.decrypt(_nonce(number, count), sealed, bound)
            except InvalidTag as error:
                raise BackupError(
                    f"{self.path}: piece {number + 1} of {count} was damaged or altered: take another backup"
                ) from error


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Opens a backup for reading, and checks its header and its length before it reads more. Raises BackupError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise BackupError(os_trouble(error) if isinstance(error, OSError) else f"{path}: {error}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BackupError(f"{path}: this is no plain file: name the file of a backup")
    with os.fdopen(descriptor, "rb") as file:
        try:
            begin = _begin(file, path)
        except OSError as error:
            raise BackupError(f"{path}: {os_trouble(error)}") from error
        header = _header(begin[len(MAGIC) + 4 :], path)
        wanted = len(begin) + header.size + TAG * _count(header.size)
        if status.st_size != wanted:
            how = "its end is cut off" if status.st_size < wanted else "there is something after its end"
            raise BackupError(f"{path}: {how}: take another backup")
        yield Backup(path, header, file, begin)


def write(header: Header, key: bytes, read: Callable[[int], bytes], out: Callable[[bytes], object]) -> None:
    """Writes a backup: `read` gives the next so many bytes of the gallery's file, header.size in all. Raises
    BackupError when it gives fewer, and the errors of both."""
    begin = header.packed()
    seal, bound = AESGCM(_file_key(key, header)), hashlib.sha256(begin).digest()
    out(begin)
    count = _count(header.size)
    for number in range(count):
        wanted = min(PIECE, header.size - number * PIECE)
        piece = read(wanted)
        if len(piece) != wanted:
            raise BackupError("the copy of the gallery became shorter while it was read: try again")
        out(seal.encrypt(_nonce(number, count), piece, bound))


def _begin(file: BinaryIO, path: Path) -> bytes:
    head = file.read(len(MAGIC) + 4)
    if head[: len(MAGIC)] != MAGIC:
        newer = head[:-5] == MAGIC[:-1]
        what = "a backup of a newer kiosk: update this program" if newer else "no backup of a kiosk"
        raise BackupError(f"{path}: this is {what}")
    length = int.from_bytes(head[len(MAGIC) :], "big")
    if length > LARGEST_HEADER or len(head) != len(MAGIC) + 4:
        raise BackupError(f"{path}: its header was damaged or altered: take another backup")
    return head + file.read(length)


def _header(text: bytes, path: Path) -> Header:
    try:
        header = Header.model_validate_json(text)
        _ = header.at  # a date that there is not
    except (ValidationError, ValueError) as error:
        raise BackupError(f"{path}: its header was damaged or altered: take another backup") from error
    return header


def _count(size: int) -> int:
    """How many pieces: also an empty file has one."""
    return max(1, -(-size // PIECE))


def _nonce(number: int, count: int) -> bytes:
    return number.to_bytes(11, "big") + bytes([number == count - 1])


def _file_key(key: bytes, header: Header) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, bytes.fromhex(header.salt), b"kiosk backup file").derive(key)
