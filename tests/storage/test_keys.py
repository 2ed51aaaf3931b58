from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.errors import VaultError
from kiosk.sections import KeysConfig
from kiosk.storage.keys import Credential, KeyFile, chosen
from kiosk.storage.passphrase import PassphraseKey

KEY, OTHER = bytes(range(32)), bytes(32)


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "gallery.key")
    assert file.read() is None
    file.write(KEY)
    file.write(OTHER)  # another process was first
    assert file.read() == KEY
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.key"]


def test_a_coming_key_takes_the_place_of_the_present_one(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "gallery.key")
    file.write(KEY)
    assert file.coming() is None
    file.prepare(OTHER)
    assert (file.read(), file.coming()) == (KEY, OTHER)
    file.adopt()
    assert (file.read(), file.coming()) == (OTHER, None)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.key"]


@pytest.mark.parametrize("store", ["write", "prepare"])
def test_a_key_that_cannot_be_stored_is_one_line(tmp_path: Path, store: str) -> None:
    file = KeyFile(tmp_path / "missing" / "gallery.key")
    with pytest.raises(VaultError, match="the key cannot be made"):
        getattr(file, store)(KEY)


def test_a_credential_is_only_read() -> None:
    there, missing = Credential(KEY, "gallery-key"), Credential(None, "gallery-key")
    assert (there.read(), missing.read()) == (KEY, None)
    with pytest.raises(VaultError, match="the credential gallery-key is missing: make it"):
        missing.write(KEY)
    assert there.coming() is None
    for change in (lambda: there.prepare(OTHER), there.adopt):
        with pytest.raises(VaultError, match="cannot be changed from here"):
            change()
    with pytest.raises(VaultError, match="this is no key"):
        Credential(b"short", "gallery-key").read()


def test_each_source_says_who_else_can_use_the_key(tmp_path: Path) -> None:
    assert "whoever has the card has the gallery" in KeyFile(tmp_path / "k").protection
    assert str(tmp_path / "k") in KeyFile(tmp_path / "k", beside=False).protection
    assert "TPM" in Credential(KEY, "gallery-key").protection


def test_the_configured_source_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(KeysConfig(), tmp_path) is None
    assert chosen(KeysConfig(file=tmp_path / "k"), tmp_path) == KeyFile(tmp_path / "k", beside=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "gallery-key").write_bytes(KEY)
    sealed = Path("/etc/credstore.encrypted/gallery-key")
    assert chosen(KeysConfig(credential=sealed), tmp_path) == Credential(KEY, "gallery-key")
    typed = chosen(KeysConfig(passphrase=True), tmp_path)
    assert isinstance(typed, PassphraseKey)
    assert typed.place == str(tmp_path / "gallery.key.sealed")
