from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.errors import BackupError
from kiosk.storage import backup_keys
from kiosk.storage.recovery import SALT, pair
from kiosk.storage.vault import Vault

MASTER, GALLERY = Vault(bytes(range(32))), "0123456789abcdef"


def test_a_period_keeps_its_key_until_it_is_destroyed(tmp_path: Path) -> None:
    key = backup_keys.key_of_period(tmp_path, MASTER, GALLERY, 0)
    assert backup_keys.key_of_period(tmp_path, MASTER, GALLERY, 0) == key
    assert key not in (tmp_path / backup_keys.FILE).read_bytes()
    assert (tmp_path / backup_keys.FILE).stat().st_mode & 0o077 == 0
    backup_keys.destroy(tmp_path)
    assert backup_keys.known_key(tmp_path, MASTER, GALLERY, 0) is None
    assert backup_keys.key_of_period(tmp_path, MASTER, GALLERY, 0) != key


def test_another_period_gallery_or_master_key_has_another_key(tmp_path: Path) -> None:
    backup_keys.key_of_period(tmp_path, MASTER, GALLERY, 0)
    for vault, gallery, period in ((MASTER, GALLERY, 1), (MASTER, "f" * 16, 0), (Vault(bytes(32)), GALLERY, 0)):
        assert backup_keys.known_key(tmp_path, vault, gallery, period) is None
    backup_keys.key_of_period(tmp_path, MASTER, GALLERY, 1)
    assert backup_keys.known_key(tmp_path, MASTER, GALLERY, 0) is None, "the key of the period before is still there"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"gallery": 5}', b"[" * 3000, b"\xff"])
def test_a_damaged_file_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / backup_keys.FILE).write_bytes(content)
    assert backup_keys.known_key(tmp_path, MASTER, GALLERY, 0) is None


def test_a_file_that_is_too_large_is_named(tmp_path: Path) -> None:
    (tmp_path / backup_keys.FILE).write_bytes(b"x" * 5000)
    with pytest.raises(BackupError, match="larger than"):
        backup_keys.known_key(tmp_path, MASTER, GALLERY, 0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be stored"):
        backup_keys.key_of_period(tmp_path / "none", MASTER, GALLERY, 0)


def test_the_passphrase_opens_what_was_sealed_for_it_and_for_nothing_else() -> None:
    salt = bytes(SALT)
    own, other = pair("abcde", salt), pair("abcdf", salt)
    key = bytes(32)
    sealed = backup_keys.for_recovery(key, own.public_key().public_bytes_raw(), GALLERY, 3)
    assert len(sealed) == 80
    assert backup_keys.from_recovery(sealed, pair("ABC-DE", salt), GALLERY, 3) == key
    assert backup_keys.from_recovery(sealed, other, GALLERY, 3) is None
    assert backup_keys.from_recovery(sealed, own, GALLERY, 4) is None
    assert backup_keys.from_recovery(bytes(80), own, GALLERY, 3) is None
