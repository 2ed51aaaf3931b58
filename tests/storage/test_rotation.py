from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from kiosk.domain.errors import GalleryLostError, VaultError
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import Credential, KeyFile
from kiosk.storage.rotation import rotate
from kiosk.storage.sealed import SealedRows
from tests.storage.conftest import MODEL, a_reference, a_template


@pytest.mark.parametrize("everything", [False, True])
def test_everybody_is_there_with_the_new_key_and_nobody_with_the_old_one(
    home: Home, gallery: Gallery, everything: bool
) -> None:
    people = [gallery.add_subject(name, [a_reference(n), a_reference(n + 10)]) for n, name in enumerate("AB")]
    sealed = _blobs(gallery)
    old = home.key.read_bytes()
    rotate(gallery.store, home.keys, everything)
    assert home.key.read_bytes() != old
    assert home.keys.coming() is None
    with pytest.raises(GalleryLostError, match="another key by now"):
        gallery.subjects()
    with closing(open_gallery(home)) as again:
        assert again.subjects() == people
        assert np.array_equal([r.template for r in again.references(MODEL)], [a_template(n) for n in (0, 10, 1, 11)])
        assert [r.outcome for r in Audit(again.store).records()][-1] == (
            "everything_sealed_anew" if everything else "key_changed"
        )
        kept = [blob for blob in _blobs(again) if blob in sealed]
        assert kept == ([] if everything else sealed)
        again.set_disabled(people[0].id, True)
    home.key.write_bytes(old)
    with pytest.raises(VaultError, match="does not belong"):
        open_gallery(home)


def test_a_change_that_was_cut_off_before_the_commit_never_was(
    home: Home, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    monkeypatch.setattr(SealedRows, "rekey", _cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotate(gallery.store, home.keys)
    monkeypatch.undo()
    assert home.keys.coming() is not None
    for _ in range(2):
        with closing(open_gallery(home)) as again:
            assert again.subjects() == [ada]
    rotate(gallery.store, home.keys)
    with closing(open_gallery(home)) as again:
        assert again.subjects() == [ada]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_change_that_was_cut_off_after_the_commit_is_ended_by_whoever_opens_the_gallery(
    home: Home, gallery: Gallery, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    old = home.key.read_bytes()
    monkeypatch.setattr(KeyFile, "adopt", _cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotate(gallery.store, home.keys)
    monkeypatch.undo()
    assert home.key.read_bytes() == old
    with closing(open_gallery(home, read_only=read_only)) as again:
        assert again.subjects() == [ada]
    assert (home.key.read_bytes() == old) is read_only
    with closing(open_gallery(home)) as again:
        assert again.subjects() == [ada]
    assert home.keys.coming() is None


def test_a_key_that_cannot_be_stored_changes_nothing(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    for source in (Credential(home.key.read_bytes(), "gallery-key"), KeyFile(home.folder / "none" / "k")):
        with pytest.raises(VaultError):
            rotate(gallery.store, source)
    assert gallery.subjects() == [ada]


def test_a_key_of_another_gallery_changes_nothing(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    other = KeyFile(home.folder / "other.key")
    other.write(bytes(32))
    with pytest.raises(VaultError, match="changed meanwhile"):
        rotate(gallery.store, other)
    assert gallery.subjects() == [ada]


def _blobs(gallery: Gallery) -> list[bytes]:
    return [row["sealed"] for t in ("subject", "reference") for row in gallery.store.rows(f"SELECT sealed FROM {t}")]


def _cut_off(*_: object) -> Callable[..., None]:
    raise KeyboardInterrupt
