"""The file of a backup: nothing in it can be changed, moved, cut off or taken from another one."""

from __future__ import annotations

import io
import os
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import BackupError
from kiosk.storage.backup_format import MAGIC, PIECE, TAG, Header, opened, write
from kiosk.storage.vault import Vault

KEY, MASTER = bytes(range(32)), Vault(bytes(32))


def a_header(size: int, salt: str = "0" * 32) -> Header:
    return Header(
        gallery="0123456789abcdef",
        period=1,
        generation=7,
        created="2026-03-01T12:00:00.000000+00:00",
        size=size,
        salt=salt,
        recovery_salt="1" * 32,
        recovery="2" * 160,
        erased={"fedcba9876543210": "2026-02-01T12:00:00.000000+00:00"},
    ).proven(MASTER)


def a_backup(path: Path, content: bytes, salt: str = "0" * 32) -> bytes:
    with path.open("wb") as out:
        write(a_header(len(content), salt), KEY, io.BytesIO(content).read, out.write)
    return path.read_bytes()


def read(path: Path, key: bytes = KEY) -> bytes:
    with opened(path) as backup:
        return b"".join(backup.pieces(key))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5])
def test_what_was_written_is_read(tmp_path: Path, size: int) -> None:
    content = secrets.token_bytes(size)
    written = a_backup(tmp_path / "b", content)
    assert read(tmp_path / "b") == content
    assert size < 16 or content[:64] not in written
    with opened(tmp_path / "b") as backup:
        assert backup.header == a_header(size).model_copy(update={"proof": backup.header.proof})
        assert backup.header.believed(MASTER)
        assert not backup.header.believed(Vault(KEY))


@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    path = tmp_path_factory.mktemp("b") / "b"
    content = bytearray(a_backup(path, b"gallery" * 40))
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(BackupError):
        read(path)


def test_pieces_cannot_be_moved_left_out_or_taken_from_another_backup(tmp_path: Path) -> None:
    path = tmp_path / "b"
    whole = a_backup(path, secrets.token_bytes(3 * PIECE))
    other = a_backup(tmp_path / "other", secrets.token_bytes(3 * PIECE), salt="3" * 32)
    length = PIECE + TAG
    head = len(whole) - 3 * length
    first, second, third = (whole[head + n * length : head + (n + 1) * length] for n in range(3))
    for pieces in ([second, first, third], [first, first, third], [first, third, second], [first, other[-length:]]):
        path.write_bytes(whole[:head] + b"".join(pieces) + (b"" if len(pieces) == 3 else third))
        with pytest.raises(BackupError, match="was damaged or altered"):
            read(path)


def test_a_cut_end_and_an_added_one_are_told_before_anything_is_decrypted(tmp_path: Path) -> None:
    path = tmp_path / "b"
    whole = a_backup(path, secrets.token_bytes(3 * PIECE))
    for content, told in ((whole[:-1], "cut off"), (whole[: -PIECE - TAG], "cut off"), (whole + b"x", "after its end")):
        path.write_bytes(content)
        with pytest.raises(BackupError, match=told), opened(path):
            pass


def test_a_shorter_header_s_size_hides_no_cut_end(tmp_path: Path) -> None:
    """Somebody writes a header whose size fits the file that he has cut."""
    path = tmp_path / "b"
    whole = a_backup(path, secrets.token_bytes(3 * PIECE))
    begin = a_header(2 * PIECE).packed()
    path.write_bytes(begin + whole[-3 * (PIECE + TAG) : -(PIECE + TAG)])
    with pytest.raises(BackupError, match="piece 1 of 2 was damaged or altered"):
        read(path)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    a_backup(tmp_path / "b", b"gallery")
    with pytest.raises(BackupError, match="piece 1 of 1"):
        read(tmp_path / "b", bytes(32))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no backup of a kiosk"),
        (b"SQLite format 3\0" + bytes(100), "no backup of a kiosk"),
        (b"KIOSKBK2" + bytes(100), "a newer kiosk"),
        (MAGIC, "header was damaged"),
        (MAGIC + b"\xff\xff\xff\xff", "header was damaged"),
        (MAGIC + (5).to_bytes(4, "big") + b"[[[[[", "header was damaged"),
        (MAGIC + (1 << 20).to_bytes(4, "big") + b"[" * (1 << 20), "header was damaged"),
    ],
)
def test_what_is_no_backup_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BackupError, match=told), opened(tmp_path / "b"):
        pass


def test_what_is_no_file_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "nothing", tmp_path / "a\0b"):
        with pytest.raises(BackupError), opened(path):
            pass


def test_a_copy_that_becomes_shorter_makes_no_backup() -> None:
    with pytest.raises(BackupError, match="became shorter"):
        write(a_header(100), KEY, io.BytesIO(b"short").read, lambda _: None)
