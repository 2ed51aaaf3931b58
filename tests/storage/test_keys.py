from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.errors import VaultError
from kiosk.storage.keys import Credential, KeyFile

KEY, OTHER = bytes(range(32)), bytes(32)


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "gallery.key")
    assert file.read() is None
    file.write(KEY)
    file.write(OTHER)  # another process was first
    assert file.read() == KEY
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.key"]


def test_a_replaced_key_is_there_or_the_old_one_is(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "gallery.key")
    file.write(KEY)
    file.replace(OTHER)
    assert file.read() == OTHER
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.key"]


@pytest.mark.parametrize("store", ["write", "replace"])
def test_a_key_that_cannot_be_stored_is_one_line(tmp_path: Path, store: str) -> None:
    file = KeyFile(tmp_path / "missing" / "gallery.key")
    with pytest.raises(VaultError, match="the key cannot be made"):
        getattr(file, store)(KEY)


def test_a_credential_is_only_read() -> None:
    there, missing = Credential(KEY, "gallery-key"), Credential(None, "gallery-key")
    assert (there.read(), missing.read()) == (KEY, None)
    with pytest.raises(VaultError, match="the credential gallery-key is missing: make it"):
        missing.write(KEY)
    with pytest.raises(VaultError, match="cannot be changed from here"):
        there.replace(OTHER)
    with pytest.raises(VaultError, match="this is no key"):
        Credential(b"short", "gallery-key").read()


def test_each_source_says_who_else_can_use_the_key(tmp_path: Path) -> None:
    assert "whoever has the card has the gallery" in KeyFile(tmp_path / "k").protection
    assert str(tmp_path / "k") in KeyFile(tmp_path / "k", beside=False).protection
    assert "TPM" in Credential(KEY, "gallery-key").protection
