from __future__ import annotations

import pytest

from kiosk.domain.errors import VaultError
from kiosk.storage import recovery
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.rotation import rotate
from tests.storage.conftest import a_reference


def test_the_passphrase_gives_the_key_however_it_is_typed(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    assert not recovery.there(gallery.store)
    passphrase = recovery.make(gallery.store, home.key.read_bytes())
    assert recovery.there(gallery.store)
    assert len(passphrase) == 29
    assert set(passphrase) <= set(recovery.LETTERS + "-")
    alike = passphrase.replace("0", "O").replace("1", "l")
    for typed in (passphrase, passphrase.upper(), passphrase.replace("-", " "), alike, f" {passphrase} "):
        assert recovery.master_key(gallery.store, typed) == home.key.read_bytes()


def test_a_wrong_passphrase_opens_nothing(home: Home, gallery: Gallery) -> None:
    with pytest.raises(VaultError, match="has no recovery passphrase"):
        recovery.master_key(gallery.store, "")
    passphrase = recovery.make(gallery.store, home.key.read_bytes())
    last = "0" if passphrase[-1] != "0" else "2"
    for wrong in ("", "kiosk", passphrase[:-1], passphrase[:-1] + last):
        with pytest.raises(VaultError, match="not the recovery passphrase"):
            recovery.master_key(gallery.store, wrong)


def test_a_new_passphrase_ends_the_old_one(home: Home, gallery: Gallery) -> None:
    first, second = (recovery.make(gallery.store, home.key.read_bytes()) for _ in range(2))
    assert first != second
    assert recovery.master_key(gallery.store, second) == home.key.read_bytes()
    with pytest.raises(VaultError):
        recovery.master_key(gallery.store, first)


def test_a_new_key_ends_the_passphrase_also_one_that_was_put_back(home: Home, gallery: Gallery) -> None:
    passphrase = recovery.make(gallery.store, home.key.read_bytes())
    (kept,) = gallery.store.rows("SELECT value FROM meta WHERE key = 'recovery'")
    rotate(gallery.store, home.keys)
    assert not recovery.there(gallery.store)
    gallery.store.execute("INSERT INTO meta VALUES ('recovery', ?)", [kept["value"]])
    with pytest.raises(VaultError, match="of an earlier key"):
        recovery.master_key(gallery.store, passphrase)


def test_only_the_gallery_s_own_key_gets_a_passphrase(gallery: Gallery) -> None:
    with pytest.raises(VaultError, match="not the gallery's key"):
        recovery.make(gallery.store, bytes(32))
    assert not recovery.there(gallery.store)


@pytest.mark.parametrize("damaged", [b"", bytes(5), bytes(100)])
def test_a_damaged_passphrase_is_one_line(gallery: Gallery, damaged: bytes) -> None:
    gallery.store.execute("INSERT INTO meta VALUES ('recovery', ?)", [damaged])
    with pytest.raises(VaultError, match="not the recovery passphrase"):
        recovery.master_key(gallery.store, "kiosk")
