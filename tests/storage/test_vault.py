from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kiosk.domain.errors import GalleryError, GalleryLostError, TamperedError, VaultError
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault, template_bytes
from tests.storage.conftest import MODEL, a_reference

VAULT = Vault(bytes(range(32)))
ids = st.text(st.characters(codec="utf-8"), max_size=20)
bounds = st.lists(ids, max_size=4)


@given(st.binary(max_size=300), bounds)
def test_what_was_sealed_opens_for_the_same_ids(data: bytes, bound: list[str]) -> None:
    sealed = VAULT.wrap(data, *bound)
    assert VAULT.unwrap(sealed, *bound) == data
    assert len(sealed) == len(data) + 29
    assert len(data) < 8 or data not in sealed


@given(bounds, bounds)
def test_it_opens_for_no_other_ids(sealed_for: list[str], opened_for: list[str]) -> None:
    assume(sealed_for != opened_for)
    with pytest.raises(TamperedError, match="damaged or altered"):
        VAULT.unwrap(VAULT.wrap(b"data", *sealed_for), *opened_for)


def test_the_boundaries_between_ids_count() -> None:
    with pytest.raises(TamperedError):
        VAULT.unwrap(VAULT.wrap(b"data", "r", "ab", "c"), "r", "a", "bc")


@pytest.mark.parametrize("place", range(33))
def test_a_changed_byte_anywhere_does_not_open(place: int) -> None:
    sealed = bytearray(VAULT.wrap(b"data", "subject", "s"))
    assert len(sealed) == 33
    sealed[place] ^= 1 << place % 8
    with pytest.raises(TamperedError, match="subject s was damaged"):
        VAULT.unwrap(bytes(sealed), "subject", "s")


@pytest.mark.parametrize("blob", [VAULT.wrap(b"data")[:n] for n in range(33)] + [None, "text", 7])
def test_what_is_no_sealed_value_does_not_open(blob: object) -> None:
    with pytest.raises(TamperedError):
        VAULT.unwrap(blob)


def test_a_nonce_is_never_used_twice() -> None:
    sealed = [VAULT.wrap(b"data") for _ in range(1000)]
    assert len({blob[1:13] for blob in sealed}) == 1000


def test_another_key_does_not_open() -> None:
    with pytest.raises(TamperedError):
        Vault(bytes(32)).unwrap(VAULT.wrap(b"data"))


def test_each_subject_has_a_key_of_its_own_that_only_opens_for_it() -> None:
    own, wrapped = VAULT.new_key("ada")
    sealed = own.wrap(b"data")
    assert VAULT.of_subject(wrapped, "ada").unwrap(sealed) == b"data"
    other, _ = VAULT.new_key("ada")
    with pytest.raises(TamperedError):
        other.unwrap(sealed)
    with pytest.raises(TamperedError, match="the key of subject eve"):
        VAULT.of_subject(wrapped, "eve")
    with pytest.raises(TamperedError):
        VAULT.unwrap(sealed)


def test_a_new_master_key_opens_the_same_subject_s_key() -> None:
    own, wrapped = VAULT.new_key("ada")
    new = Vault(bytes(32))
    again = VAULT.rewrap(wrapped, "ada", new)
    assert new.of_subject(again, "ada").unwrap(own.wrap(b"data")) == b"data"
    with pytest.raises(TamperedError):
        VAULT.of_subject(again, "ada")


@pytest.mark.parametrize("wrong", [np.zeros(128, np.float32), np.zeros(127, np.int8), np.zeros((1, 128), np.int8)])
def test_only_a_template_is_stored_as_one(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="128 signed bytes"):
        template_bytes(wrong)


def test_the_check_value_knows_its_key() -> None:
    check = VAULT.make_check()
    assert VAULT.recognises(check)
    assert not Vault(bytes(32)).recognises(check)
    assert not VAULT.recognises(VAULT.wrap(b"", "another"))
    assert not VAULT.recognises(b"")


# The key file


def test_the_key_is_made_on_first_use_for_its_owner_alone(home: Home, gallery: Gallery) -> None:
    assert len(home.key.read_bytes()) == 32
    assert home.key.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in home.folder.glob("*key*")) == ["gallery.key"]
    before = home.key.read_bytes()
    open_gallery(home).close()
    assert home.key.read_bytes() == before


def test_two_galleries_have_two_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        open_gallery(Home(tmp_path / name)).close()
    assert (tmp_path / "a/gallery.key").read_bytes() != (tmp_path / "b/gallery.key").read_bytes()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_key_is_never_made_anew_for_a_filled_gallery(home: Home, gallery: Gallery, read_only: bool) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    kept = home.key.rename(home.folder / "kept")
    with pytest.raises(VaultError, match="the key is missing: put it back"):
        open_gallery(home, read_only=read_only)
    assert not home.key.exists()
    kept.rename(home.key)
    assert len(gallery.references(MODEL)) == 1


@pytest.mark.parametrize("read_only", [False, True])
def test_the_key_of_another_gallery_is_refused(home: Home, gallery: Gallery, read_only: bool) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    home.key.write_bytes(bytes(32))
    with pytest.raises(VaultError, match=r"does not belong to the gallery .*: put the right key back"):
        open_gallery(home, read_only=read_only)


def test_a_filled_gallery_without_its_check_value_trusts_no_key(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    gallery.store.execute("DELETE FROM meta WHERE key = 'vault_check'")
    with pytest.raises(VaultError, match="does not belong"):
        open_gallery(home)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_key_that_others_reach_is_refused(home: Home, gallery: Gallery, mode: int) -> None:
    home.key.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        open_gallery(home)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_length_is_refused(home: Home, gallery: Gallery, key: bytes) -> None:
    home.key.write_bytes(key)
    with pytest.raises(VaultError, match="this is no key"):
        open_gallery(home)


def test_a_folder_or_a_dangling_link_is_no_key(home: Home, gallery: Gallery) -> None:
    home.key.unlink()
    home.key.symlink_to(home.folder / "not-mounted")
    with pytest.raises(VaultError, match="the key cannot be read"):
        open_gallery(home)
    home.key.unlink()
    home.key.mkdir()
    with pytest.raises(VaultError, match="the key cannot be read"):
        open_gallery(home)


def test_an_empty_gallery_learns_a_new_key(home: Home, gallery: Gallery) -> None:
    subject = gallery.add_subject("Ada", [a_reference(1)])
    gallery.remove(subject.id)
    version = gallery.data_version()
    home.key.unlink()
    with closing(open_gallery(home)) as again:
        assert again.data_version() > version
        again.add_subject("Ada", [a_reference(1)])
        assert len(again.references(MODEL)) == 1
    # What was opened with the former key can no longer add to it.
    with pytest.raises(GalleryLostError, match="another key by now"):
        gallery.add_subject("Bob", [a_reference(2)])
    with closing(open_gallery(home)) as again:
        assert [s.name for s in again.subjects()] == ["Ada"]


def test_a_gallery_that_got_another_key_meanwhile_can_only_be_opened_again(home: Home, gallery: Gallery) -> None:
    """The kiosk runs on an empty gallery; the key is moved away, and whoever enrols first makes a new one."""
    home.key.rename(home.folder / "away.key")
    with closing(open_gallery(home)) as other:
        other.add_subject("Ada", [a_reference(1)])
    for read in (lambda: gallery.references(MODEL), gallery.subjects, lambda: gallery.subject("ada")):
        with pytest.raises(GalleryLostError, match="another key by now"):
            read()
    assert gallery.lost is not None
    with closing(open_gallery(home)) as again:
        assert len(again.references(MODEL)) == 1


def test_a_damaged_reference_is_no_other_key(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    gallery.store.execute("UPDATE reference SET sealed = zeroblob(205)")
    gallery.store.conn.commit()
    with pytest.raises(TamperedError, match="damaged or altered"):
        gallery.references(MODEL)
    assert gallery.lost is None


def test_without_its_key_a_gallery_can_only_be_counted(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    home.key.unlink()
    with closing(open_gallery(home, with_key=False)) as without:
        assert (without.counts(), without.sizes(MODEL)) == ({MODEL: 1}, {1: 1})
        for use in (
            without.subjects,
            lambda: without.references(MODEL),
            lambda: without.add_subject("Bob", [a_reference(2)]),
            lambda: without.remove(ada.id),
        ):
            with pytest.raises(GalleryError, match="without its key"):
                use()
    assert gallery.subjects() == [ada]
