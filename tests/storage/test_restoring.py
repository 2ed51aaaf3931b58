"""A gallery is restored from a backup, or nothing is changed. Who was erased since does not come back."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.errors import BackupError, GalleryError, HomeBusyError, KioskError, VaultError
from kiosk.domain.passes import PassWord
from kiosk.storage import backup_keys, backups, recovery, restoring
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import Header, opened, write
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes
from kiosk.storage.people import Record
from kiosk.storage.restoring import Restored, restore
from kiosk.storage.rotation import renew_templates, rotate
from kiosk.storage.sealed import SealedRows
from kiosk.storage.vault import Vault
from kiosk.storage.verification import verify
from tests.storage.conftest import MODEL, NOON, a_reference


def never() -> str:
    raise AssertionError("nobody should be asked")


class Scene:
    """A gallery of Ada and Ben with a backup of it, and Cleo, who came later."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        folder.mkdir()
        with closing(open_gallery(home)) as gallery:
            self.ada, self.ben = (gallery.add_subject(n, [a_reference(i)]).id for i, n in enumerate(["Ada", "Ben"]))
            self.passphrase = recovery.make(gallery.store, home.keys.read() or b"")
            self.backup = backups.to_folder(home, gallery, folder, 7, 4)
            self.cleo = gallery.add_subject("Cleo", [a_reference(3)]).id

    def restore(self, home: Home | None = None, named: tuple[str, ...] = (), paper: bool = False) -> Restored:
        home = home or self.home
        with home.lock():
            return restore(home, self.backup, (lambda: self.passphrase) if paper else never, named, [self.folder])

    def names(self, home: Home | None = None) -> list[str]:
        with closing(open_gallery(home or self.home)) as gallery:
            assert verify(gallery.store).faults == []
            gallery.references(MODEL)
            return [subject.name for subject in gallery.subjects()]


@pytest.fixture
def scene(home: Home, tmp_path: Path) -> Scene:
    return Scene(home, tmp_path / "stick")


def list_erased(gallery: Gallery, who: str) -> None:
    """As an erasure lists somebody."""
    with gallery.store.transaction():
        rows = SealedRows(gallery.store, gallery.vault)
        rows.remove(who, NOON)


def test_the_gallery_is_as_it_was_and_the_present_one_is_set_aside(scene: Scene) -> None:
    with closing(open_gallery(scene.home)) as gallery:
        before = SealedRows(gallery.store, gallery.vault).roster()
    done = scene.restore()
    assert scene.names() == ["Ada", "Ben"]
    assert (done.subjects, done.erased, done.unknown, done.changed) == (2, (), "", 1)
    assert done.aside is not None
    shutil.copy(scene.home.key, done.aside)
    assert scene.names(Home(done.aside)) == ["Ada", "Ben", "Cleo"]
    with closing(open_gallery(scene.home)) as gallery:
        after = SealedRows(gallery.store, gallery.vault).roster()
        assert after.epoch != before.epoch
        assert after.generation > before.generation
        record = Audit(gallery.store).records()[-1]
        assert (record.kind, record.outcome, record.detail["generation"]) == ("backup", "restored", after.generation)
        gallery.add_subject("Dora", [a_reference(5)])
    assert not list(scene.home.folder.glob(".*"))


def test_templates_of_before_a_renewal_do_not_come_back(scene: Scene) -> None:
    """Whoever stole the matrix of before must not find it in use again."""
    with closing(open_gallery(scene.home)) as gallery:
        stolen = [r.template.tobytes() for r in gallery.references(MODEL)]
        renew_templates(gallery.store, gallery.vault)
    scene.restore()
    with closing(open_gallery(scene.home)) as gallery:
        found = gallery.references(MODEL)
        assert {r.subject_id for r in found} == {scene.ada, scene.ben}
        assert not {r.template.tobytes() for r in found} & set(stolen)
        again = gallery.references(MODEL)
    scene.restore()
    with closing(open_gallery(scene.home)) as gallery:
        assert not {r.template.tobytes() for r in gallery.references(MODEL)} & {r.template.tobytes() for r in again}


def test_without_a_renewal_no_template_is_rounded_again(scene: Scene) -> None:
    with closing(open_gallery(scene.home)) as gallery:
        before = {r.id: r.template.tobytes() for r in gallery.references(MODEL)}
    scene.restore()
    with closing(open_gallery(scene.home)) as gallery:
        after = {r.id: r.template.tobytes() for r in gallery.references(MODEL)}
    assert set(after.items()) < set(before.items())


def test_it_opens_on_a_new_board_with_the_passphrase(scene: Scene, tmp_path: Path) -> None:
    new = Home(tmp_path / "new")
    done = scene.restore(new, paper=True)
    assert done.aside is None
    assert scene.names(new) == ["Ada", "Ben"]
    assert new.key.read_bytes() == scene.home.key.read_bytes()
    with closing(open_gallery(new)) as gallery:  # the passphrase goes on to hold, and backups can be made
        assert recovery.master_key(gallery.store, scene.passphrase) == new.keys.read()
        backups.to_file(new, gallery, tmp_path / "again")


@pytest.mark.parametrize("bad", ["torn", "emptied", "tampered", "gone"])
def test_a_gallery_that_cannot_be_used_is_replaced_and_kept(scene: Scene, bad: str) -> None:
    content = scene.home.database.read_bytes()
    match bad:
        case "torn":
            scene.home.database.write_bytes(content[:5000] + bytes(3000) + content[8000:])
        case "emptied":
            scene.home.database.write_bytes(b"")
        case "tampered":
            with closing(sqlite3.connect(scene.home.database)) as plain, plain:
                plain.execute("DELETE FROM subject WHERE id = ?", [scene.ada])
        case _:
            scene.home.database.unlink()
    spoiled = scene.home.database.read_bytes() if bad != "gone" else None
    with pytest.raises(GalleryError, match="kiosk restore FILE"), closing(open_gallery(scene.home)) as gallery:
        gallery.subjects()
    done = scene.restore()
    assert scene.names() == ["Ada", "Ben"]
    if spoiled is None:
        assert done.aside is None
    else:
        assert done.aside is not None
        assert (done.aside / "gallery.db").read_bytes() == spoiled or bad == "tampered"


def test_a_wal_of_the_gallery_of_before_is_not_applied_to_the_restored_one(scene: Scene, tmp_path: Path) -> None:
    """A killed kiosk left it."""
    with closing(open_gallery(scene.home)) as gallery:
        gallery.add_subject("Dora", [a_reference(5)])
        for path in scene.home.folder.glob("gallery.db*"):
            shutil.copy(path, tmp_path)
    for name in ("gallery.db", "gallery.db-wal"):
        shutil.copy(tmp_path / name, scene.home.folder)
    assert (scene.home.folder / "gallery.db-wal").stat().st_size > 0
    done = scene.restore()
    assert scene.names() == ["Ada", "Ben"]
    assert done.aside is not None
    shutil.copy(scene.home.key, done.aside)
    assert scene.names(Home(done.aside)) == ["Ada", "Ben", "Cleo", "Dora"]


def test_a_running_kiosk_is_not_restored_over(scene: Scene) -> None:
    with scene.home.lock(), pytest.raises(HomeBusyError), scene.home.lock():
        pass
    with closing(open_gallery(scene.home)), pytest.raises(BackupError, match="another command uses"):
        scene.restore()
    assert scene.names() == ["Ada", "Ben", "Cleo"]
    assert not list(scene.home.folder.glob(".*"))


def test_who_was_erased_since_does_not_come_back(scene: Scene) -> None:
    with closing(open_gallery(scene.home)) as gallery:
        list_erased(gallery, scene.ben)
    done = scene.restore(paper=False)
    assert done.erased == (scene.ben,)
    assert scene.names() == ["Ada"]
    with closing(open_gallery(scene.home)) as gallery:
        assert set(SealedRows(gallery.store, gallery.vault).roster().erased) == {scene.ben}


def test_a_later_backup_beside_it_knows_who_was_erased(scene: Scene, tmp_path: Path) -> None:
    """The card is dead: the list is in a later backup alone, and that is damaged behind its header."""
    with closing(open_gallery(scene.home)) as gallery:
        list_erased(gallery, scene.ben)
        backups.to_file(scene.home, gallery, scene.folder / "later")
        name = f"kiosk-{backups.gallery_id(gallery.store)}-20270101T000000000000Z.backup"
    content = bytearray((scene.folder / "later").read_bytes())
    content[-100] ^= 1
    (scene.folder / name).write_bytes(content)
    (scene.folder / "later").unlink()
    new = Home(tmp_path / "new")
    assert scene.restore(new, paper=True).erased == (scene.ben,)
    assert scene.names(new) == ["Ada"]


def test_whoever_is_named_does_not_come_back(scene: Scene, tmp_path: Path) -> None:
    new = Home(tmp_path / "new")
    assert scene.restore(new, named=(scene.ada, "f" * 16), paper=True).erased == (scene.ada,)
    assert scene.names(new) == ["Ben"]


def test_a_backup_of_before_an_erasure_needs_the_passphrase(scene: Scene) -> None:
    with closing(open_gallery(scene.home)) as gallery:
        list_erased(gallery, scene.ben)
    backup_keys.destroy(scene.home.folder)
    asked: list[str] = []

    def ask() -> str:
        asked.append("")
        return scene.passphrase

    with scene.home.lock():
        restore(scene.home, scene.backup, ask, [], [])
    assert asked
    assert scene.names() == ["Ada"]


def test_a_wrong_passphrase_and_another_key_change_nothing(scene: Scene, tmp_path: Path) -> None:
    new = Home(tmp_path / "new")
    with new.lock(), pytest.raises(VaultError, match="not the recovery passphrase of this backup"):
        restore(new, scene.backup, lambda: "wrong", [], [])
    assert not new.key.exists()
    assert not new.database.exists()
    with closing(open_gallery(new)) as gallery:
        gallery.add_subject("Eve", [a_reference(9)])
    with pytest.raises(VaultError, match="another key is there"):
        scene.restore(new, paper=True)
    assert scene.names(new) == ["Eve"]


def test_a_backup_of_before_a_changed_key_needs_the_key_to_be_moved_away(scene: Scene) -> None:
    with closing(open_gallery(scene.home)) as gallery:
        rotate(gallery.store, scene.home.keys)
    with pytest.raises(VaultError, match="move it away first"):
        scene.restore(paper=True)
    scene.home.key.rename(scene.home.folder / "away")
    done = scene.restore(paper=True)
    assert done.unknown == "it has another key"
    assert scene.names() == ["Ada", "Ben"]


def forged(scene: Scene, path: Path, change: dict[str, object]) -> None:
    """A backup as somebody makes it without the master key: with a key of his own, sealed for the paper."""
    with opened(scene.backup) as backup, closing(open_gallery(scene.home)) as gallery:
        key = backup_keys.known_key(scene.home.folder, gallery.vault, backup.header.gallery, 0)
        public = recovery.public(gallery.store, gallery.vault)
        assert key is not None
        assert public is not None
        content = b"".join(backup.pieces(key))
        own = bytes(32)
        sealed = backup_keys.for_recovery(own, public[1], backup.header.gallery, 0).hex()
        header = Header(**{**backup.header.model_dump(), "recovery": sealed, **change}).proven(Vault(own))
    with path.open("wb") as out:
        at = iter(content[n : n + (1 << 16)] for n in range(0, len(content), 1 << 16))
        write(header, own, lambda _: next(at), out.write)


def test_a_backup_that_somebody_without_the_master_key_put_together_is_refused(scene: Scene, tmp_path: Path) -> None:
    forged(scene, tmp_path / "forged", {"erased": {scene.ada: "2026-03-01T12:00:00.000000+00:00"}})
    new = Home(tmp_path / "new")
    with new.lock(), pytest.raises(BackupError, match="without the gallery's key"):
        restore(new, tmp_path / "forged", lambda: scene.passphrase, [], [])
    assert not new.database.exists()
    assert not list(new.folder.glob(".restored*"))
    # Nor is its list believed when it lies beside a good one.
    with opened(scene.backup) as backup:
        name = f"kiosk-{backup.header.gallery}-20270101T000000000000Z.backup"
    (tmp_path / "forged").rename(scene.folder / name)
    assert scene.restore(new, paper=True).erased == ()


def test_a_damaged_backup_changes_nothing(scene: Scene) -> None:
    content = bytearray(scene.backup.read_bytes())
    content[-50] ^= 1
    scene.backup.write_bytes(content)
    before = scene.home.database.read_bytes()
    with pytest.raises(BackupError, match="damaged or altered"):
        scene.restore()
    assert scene.home.database.read_bytes() == before
    assert not list(scene.home.folder.glob(".*"))
    assert restoring.set_aside(scene.home) == []


def test_a_card_without_room_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_old: Path, _new: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", full)
    with pytest.raises(KioskError, match="No space left"):
        scene.restore()
    monkeypatch.undo()
    assert scene.names() == ["Ada", "Ben", "Cleo"]


def test_records_that_cannot_be_believed_are_not_restored(scene: Scene, tmp_path: Path) -> None:
    """The gallery that the backup was made of was tampered with already."""
    with closing(open_gallery(scene.home)) as gallery:
        rows = SealedRows(gallery.store, gallery.vault)
        record, own = rows._open(scene.cleo)
        forged_record = Record(replace(record.subject, name="Mallory"), record.references).seal(own, 1)
        with gallery.store.transaction():
            gallery.store.execute("UPDATE subject SET sealed = ? WHERE id = ?", [forged_record, scene.cleo])
        backups.to_file(scene.home, gallery, tmp_path / "bad")
    new = Home(tmp_path / "new")
    with new.lock(), pytest.raises(GalleryError, match="damaged or altered"):
        restore(new, tmp_path / "bad", lambda: scene.passphrase, [], [])
    assert not new.database.exists()


def test_a_backup_gives_no_use_of_a_pass_back(home: Home, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    until = now + timedelta(hours=1)
    with closing(open_gallery(home)) as gallery:
        ada = gallery.add_subject("Ada", [a_reference(1)])
        recovery.make(gallery.store, home.keys.read() or b"")
        _, used = Passes(gallery).issue(ada.id, now, until, ["main"], 1)
        _, unused = Passes(gallery).issue(ada.id, now, until, ["main"], 1)
        backups.to_file(home, gallery, tmp_path / "backup")
        assert Passes(gallery).use(used, "main", now).good
    with home.lock():
        assert restore(home, tmp_path / "backup", never, [], []).passes == 2
    with closing(open_gallery(home)) as gallery:
        passes = Passes(gallery)
        assert passes.issued() == []
        for text in (used, unused):
            assert passes.use(text, "main", now).word is PassWord.FORGED
        _, new = passes.issue(ada.id, now, until, ["main"], 1)
        assert passes.use(new, "main", now).good
        assert not passes.use(unused, "main", now).good, "also beside new ones"
