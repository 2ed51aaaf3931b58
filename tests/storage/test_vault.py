from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from kiosk.domain.errors import GalleryError, GalleryLostError, VaultError
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault
from tests.storage.conftest import MODEL, a_reference, a_template

VAULT = Vault(bytes(range(32)))
templates = nps.arrays(np.int8, 128)
ids = st.text(st.characters(codec="utf-8"), max_size=20)


@given(templates, ids, ids, ids)
def test_what_was_sealed_opens_for_the_same_ids(template: np.ndarray, reference: str, subject: str, model: str) -> None:
    sealed = VAULT.seal(template, reference, subject, model)
    opened = VAULT.unseal(sealed, reference, subject, model)
    assert opened.dtype == np.int8
    assert opened.shape == (128,)
    assert np.array_equal(opened, template)
    assert template.tobytes() not in sealed


@given(st.tuples(ids, ids, ids), st.tuples(ids, ids, ids))
def test_it_opens_for_no_other_ids(sealed_for: tuple[str, str, str], opened_for: tuple[str, str, str]) -> None:
    assume(sealed_for != opened_for)
    sealed = VAULT.seal(a_template(1), *sealed_for)
    with pytest.raises(GalleryError, match="damaged or altered"):
        VAULT.unseal(sealed, *opened_for)


def test_the_boundaries_between_ids_count() -> None:
    sealed = VAULT.seal(a_template(1), "r", "ab", "c")
    with pytest.raises(GalleryError):
        VAULT.unseal(sealed, "r", "a", "bc")


@pytest.mark.parametrize("place", range(157))
def test_a_changed_byte_anywhere_does_not_open(place: int) -> None:
    sealed = bytearray(VAULT.seal(a_template(1), "r", "s", "m"))
    assert len(sealed) == 157
    sealed[place] ^= 1 << place % 8
    with pytest.raises(GalleryError, match="reference r of subject s"):
        VAULT.unseal(bytes(sealed), "r", "s", "m")


@given(st.integers(0, 156))
def test_a_shortened_one_does_not_open(length: int) -> None:
    with pytest.raises(GalleryError):
        VAULT.unseal(VAULT.seal(a_template(1), "r", "s", "m")[:length], "r", "s", "m")


def test_a_nonce_is_never_used_twice() -> None:
    sealed = [VAULT.seal(a_template(1), "r", "s", "m") for _ in range(1000)]
    assert len({blob[1:13] for blob in sealed}) == 1000


def test_another_key_does_not_open() -> None:
    with pytest.raises(GalleryError):
        Vault(bytes(32)).unseal(VAULT.seal(a_template(1), "r", "s", "m"), "r", "s", "m")


@pytest.mark.parametrize("wrong", [np.zeros(128, np.float32), np.zeros(127, np.int8), np.zeros((1, 128), np.int8)])
def test_only_a_template_is_sealed(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="128 signed bytes"):
        VAULT.seal(wrong, "r", "s", "m")


def test_the_check_value_knows_its_key_and_is_no_template() -> None:
    check = VAULT.make_check()
    assert VAULT.recognises(check)
    assert not Vault(bytes(32)).recognises(check)
    assert not VAULT.recognises(VAULT.seal(a_template(1), "r", "s", "m"))
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
    home.key.unlink()
    again = open_gallery(home)
    again.add_subject("Ada", [a_reference(1)])
    assert len(again.references(MODEL)) == 1
    again.close()
    # What was opened with the former key can no longer add to it.
    with pytest.raises(VaultError, match="changed meanwhile"):
        gallery.add_subject("Bob", [a_reference(2)])
    assert [s.name for s in gallery.subjects()] == ["Ada"]


def test_a_gallery_that_got_another_key_meanwhile_can_only_be_opened_again(home: Home, gallery: Gallery) -> None:
    """The kiosk runs on an empty gallery; the key is moved away, and whoever enrols first makes a new one."""
    home.key.rename(home.folder / "away.key")
    with closing(open_gallery(home)) as other:
        ada = other.add_subject("Ada", [a_reference(1)])
    assert gallery.subjects() == [ada]
    with pytest.raises(GalleryLostError, match="another key by now"):
        gallery.references(MODEL)
    assert gallery.lost is not None
    with closing(open_gallery(home)) as again:
        assert len(again.references(MODEL)) == 1


def test_a_damaged_reference_is_no_other_key(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    gallery.store.execute("UPDATE reference SET template = zeroblob(157)")
    gallery.store.conn.commit()
    with pytest.raises(GalleryError, match="damaged or altered"):
        gallery.references(MODEL)
    assert gallery.lost is None


def test_a_lost_key_leaves_listing_and_removing(home: Home, gallery: Gallery) -> None:
    subject = gallery.add_subject("Ada", [a_reference(1)])
    home.key.unlink()
    without = open_gallery(home, with_key=False)
    assert [s.name for s in without.subjects()] == ["Ada"]
    with pytest.raises(GalleryError, match="without its key"):
        without.references(MODEL)
    with pytest.raises(GalleryError, match="without its key"):
        without.add_subject("Bob", [a_reference(2)])
    without.remove(subject.id)
    without.close()
    open_gallery(home).close()
    assert home.key.exists()
