from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from kiosk.domain.errors import GalleryLostError, VaultError
from kiosk.domain.matching import cosine
from kiosk.storage import sealed as sealed_rows
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import Credential, KeyFile
from kiosk.storage.rotation import renew_templates, rotate
from kiosk.storage.sealed import SealedRows
from tests.storage.conftest import MODEL, a_reference, a_vector, turned


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
        assert [r.template.tobytes() for r in again.references(MODEL)] == turned(again, 0, 10, 1, 11)
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


def test_renewed_templates_are_of_everybody_and_have_nothing_in_common_with_those_of_before(
    home: Home, gallery: Gallery
) -> None:
    people = [gallery.add_subject(name, [a_reference(n), a_reference(n + 10)]) for n, name in enumerate("AB")]
    other = gallery.add_subject("C", [a_reference(5, "model-b")])
    before, sealed = gallery.enrolled(MODEL), _blobs(gallery)
    with closing(open_gallery(home, read_only=True)) as reader:  # a kiosk that runs
        version = reader.data_version()
        assert renew_templates(gallery.store, gallery.vault) == 5
        assert reader.data_version() == version + 1
        after = reader.enrolled(MODEL)
        assert reader.subjects() == [*people, other]
    assert [r.id for r in after.references] == [r.id for r in before.references]
    for old, new, seed in zip(before.references, after.references, (0, 10, 1, 11), strict=True):
        assert (new.subject_id, new.quality, new.created_at) == (old.subject_id, old.quality, old.created_at)
        assert cosine(new.template, after.turning.template(a_vector(seed))) > 0.999
        assert abs(cosine(new.template, old.template)) < 0.5
    raw = b"".join(path.read_bytes() for path in home.folder.glob("gallery.db*"))
    references = sealed[len(people) + 1 :]
    assert len(references) == 5
    assert not any(blob[1:40] in raw for blob in references)
    assert [r.outcome for r in Audit(gallery.store).records()][-1] == "templates_renewed"
    gallery.add_subject("D", [a_reference(7)])
    assert [r.template.tobytes() for r in gallery.references(MODEL)][-1:] == turned(gallery, 7)


def test_a_renewal_that_was_cut_off_before_the_commit_never_was(
    home: Home, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    stored = turned(gallery, 1)
    monkeypatch.setattr(sealed_rows, "write_roster", _cut_off)
    with pytest.raises(KeyboardInterrupt):
        renew_templates(gallery.store, gallery.vault)
    monkeypatch.undo()
    with closing(open_gallery(home)) as again:
        assert [r.template.tobytes() for r in again.references(MODEL)] == stored == turned(again, 1)
        assert renew_templates(again.store, again.vault) == 1


def test_the_templates_of_a_gallery_with_another_key_by_now_are_not_renewed(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    vault = gallery.vault
    rotate(gallery.store, home.keys)
    with pytest.raises(VaultError, match="changed meanwhile"):
        renew_templates(gallery.store, vault)


def _blobs(gallery: Gallery) -> list[bytes]:
    return [row["sealed"] for t in ("subject", "reference") for row in gallery.store.rows(f"SELECT sealed FROM {t}")]


def _cut_off(*_: object) -> Callable[..., None]:
    raise KeyboardInterrupt
