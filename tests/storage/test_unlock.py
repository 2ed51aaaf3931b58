from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kiosk.domain.errors import GalleryError, GalleryLostError, TamperedError, VaultError
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import MODEL, a_reference


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
