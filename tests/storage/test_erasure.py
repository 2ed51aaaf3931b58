"""An erasure can be shown: no byte of the home or of the backups holds the person any more, and what is out of reach is
named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.domain.certificate import OutOfReach, Remains
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject
from kiosk.storage import backup_keys, backups, erasure, recovery
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import opened
from kiosk.storage.erasure import ASKED, WITHDRAWN, Keeping, ended_before, erase
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.restoring import restore
from kiosk.storage.verification import verify
from tests.storage.conftest import NOON, a_reference, turned


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    (tmp_path / "stick").mkdir()
    return Keeping(tmp_path / "stick")


@pytest.fixture
def ada(home: Home, gallery: Gallery) -> Subject:
    """Ada Lovelace, badge 31337, beside Ben; and a passphrase."""
    made = gallery.add_subject("Ada Lovelace", [a_reference(1), a_reference(2)], badge=31337)
    gallery.add_subject("Ben", [a_reference(3)])
    recovery.make(gallery.store, home.keys.read() or b"")
    return made


def secrets_of(gallery: Gallery, who: Subject) -> dict[str, bytes]:
    """What must be in no byte: in clear, and sealed as the rows have it."""
    found = {"name": who.name.encode(), "badge": b"31337", "template": turned(gallery, 1)[0]}
    for row in gallery.store.rows("SELECT * FROM subject WHERE id = ?", [who.id]):
        found |= {"key": row["key"], "record": row["sealed"]}
    for n, row in enumerate(gallery.store.rows("SELECT * FROM reference WHERE subject_id = ?", [who.id])):
        found[f"reference {n}"] = row["sealed"]
    return found


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every byte of every file, and of its name."""
    return {str(p): str(p.name).encode() + p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unpacked(home: Home, gallery: Gallery, folder: Path) -> dict[str, bytes]:
    """What is in the backups that the home's key opens."""
    found = {}
    for path in folder.iterdir():
        with opened(path) as backup:
            key = backups.opens_with(home, gallery.vault, backup.header)
            if key is not None:
                found[str(path)] = b"".join(backup.pieces(key))
    return found


def test_no_byte_of_the_home_or_of_a_backup_holds_the_person(
    home: Home, gallery: Gallery, ada: Subject, keeping: Keeping
) -> None:
    assert keeping.folder is not None
    kiosk = open_gallery(home)  # it runs beside
    backups.to_folder(home, gallery, keeping.folder, 7, 4)
    secret = secrets_of(gallery, ada)
    before = b"".join([*bytes_of(home.folder).values(), *unpacked(home, gallery, keeping.folder).values()])
    assert {name for name, value in secret.items() if value in before} == {
        "key", "record", "reference 0", "reference 1",
    }, "this test would find nothing"  # fmt: skip
    (done,) = erase(home, gallery, [ada.id], ASKED, keeping)
    assert (done.references, done.backups, done.reason) == (2, 1, ASKED)
    for place in (home.folder, keeping.folder):
        for name, content in bytes_of(place).items():
            assert [what for what, value in secret.items() if value in content] == [], name
    inside = unpacked(home, gallery, keeping.folder)
    assert len(inside) == 1
    for content in inside.values():
        assert [what for what, value in secret.items() if value in content] == []
    assert [s.name for s in kiosk.subjects()] == ["Ben"]
    assert verify(gallery.store).faults == []
    kiosk.close()


def test_it_is_listed_and_recorded_without_anything_personal(
    home: Home, gallery: Gallery, ada: Subject, keeping: Keeping
) -> None:
    (done,) = erase(home, gallery, [ada.id], WITHDRAWN, keeping)
    assert gallery.erased() == {ada.id: done.at}
    record = Audit(gallery.store).records()[-1]
    assert (record.subject_id, record.outcome, record.reason, record.detail) == (ada.id, "removed", WITHDRAWN, {})
    assert "Ada" not in repr(done)
    assert "31337" not in repr(done)


def test_a_backup_of_before_does_not_bring_the_person_back(
    home: Home, gallery: Gallery, ada: Subject, keeping: Keeping, tmp_path: Path
) -> None:
    backups.to_file(home, gallery, tmp_path / "exported")
    passphrase = recovery.make(gallery.store, home.keys.read() or b"")
    backups.to_file(home, gallery, tmp_path / "again")
    (done,) = erase(home, gallery, [ada.id], ASKED, keeping)
    assert (done.remains[0].kind, done.remains[0].count) == (OutOfReach.EXPORTED, 2)
    with opened(tmp_path / "again") as backup:
        assert backups.opens_with(home, gallery.vault, backup.header) is None
    gallery.close()
    with home.lock():
        restored = restore(home, tmp_path / "again", lambda: passphrase, [], [])
    assert restored.erased == (ada.id,)
    with closing(open_gallery(home)) as again:
        assert [s.name for s in again.subjects()] == ["Ben"]
        assert ada.id in again.erased()


def test_a_folder_that_cannot_be_reached_is_named_and_done_later(
    home: Home, gallery: Gallery, ada: Subject, keeping: Keeping
) -> None:
    folder = keeping.folder
    assert folder is not None
    old = backups.to_folder(home, gallery, folder, 7, 4)
    folder.rename(folder.with_name("away"))
    (done,) = erase(home, gallery, [ada.id], ASKED, keeping)
    assert done.backups == 0
    assert (done.remains[0].kind, done.remains[0].place) == (OutOfReach.FOLDER_AWAY, str(folder))
    assert done.remains[0].trouble
    folder.with_name("away").rename(folder)
    assert old.exists()
    new = backups.to_folder(home, gallery, folder, 7, 4)
    assert list(folder.iterdir()) == [new]


def test_an_erasure_that_was_cut_off_is_ended_by_doing_it_again(
    home: Home, gallery: Gallery, ada: Subject, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = keeping.folder
    assert folder is not None
    old = backups.to_folder(home, gallery, folder, 7, 4)
    monkeypatch.setattr(backups, "end_period", _cut_off)
    with pytest.raises(KeyboardInterrupt):
        erase(home, gallery, [ada.id], ASKED, keeping)
    monkeypatch.undo()
    assert old.exists()
    (done,) = erase(home, gallery, [ada.id], ASKED, keeping)
    assert (done.references, done.backups) == (0, 1)
    assert not old.exists()
    assert len([r for r in Audit(gallery.store).records() if r.outcome == "removed"]) == 1


def test_without_backups_no_key_of_them_is_made(home: Home, gallery: Gallery, ada: Subject) -> None:
    (done,) = erase(home, gallery, [ada.id], ASKED, Keeping(log_days=400))
    assert not (home.folder / backup_keys.FILE).exists()
    assert done.remains == (Remains(OutOfReach.LOG_CUT, 400), Remains(OutOfReach.CARD))


def test_a_gallery_that_was_set_aside_is_named(home: Home, gallery: Gallery, ada: Subject, tmp_path: Path) -> None:
    backups.to_file(home, gallery, tmp_path / "b")
    gallery.close()
    with home.lock():
        done = restore(home, tmp_path / "b", str, [], [])
    with closing(open_gallery(home)) as again:
        (certificate,) = erase(home, again, [ada.id], ASKED, Keeping())
    assert Remains(OutOfReach.SET_ASIDE, place=str(done.aside)) in certificate.remains


def test_nobody_is_erased_for_an_id_that_nobody_has(home: Home, gallery: Gallery, ada: Subject) -> None:
    with pytest.raises(GalleryError, match="nobody of this id"):
        erase(home, gallery, ["0" * 16], ASKED, Keeping())
    assert len(gallery.subjects()) == 2


def test_those_whose_validity_ended_long_ago_are_found(home: Home, gallery: Gallery) -> None:
    for name, days in (("Old", 40), ("Young", 20), ("Future", -5)):
        end = NOON - timedelta(days=days)
        gallery.add_subject(name, [a_reference(days + 5)], NOON - timedelta(days=400), end)
    gallery.add_subject("Always", [a_reference(99)])
    assert [who.name for who in ended_before(gallery.subjects(), NOON, 30)] == ["Old"]
    assert [who.name for who in ended_before(gallery.subjects(), NOON, 0)] == ["Old", "Young"]
    assert erasure.EXPIRED == "expired"


def _cut_off(*_: object) -> Callable[..., None]:
    raise KeyboardInterrupt
