"""The database file with faults of disk and file: each gives one line that says what to do, and nothing is lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from kiosk.domain.errors import GalleryError, KioskError
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import MODEL, Mount, a_decision, a_reference, turned


@pytest.fixture
def filled(home: Home) -> Home:
    """A closed gallery of 60 subjects and 60 decisions."""
    gallery = open_gallery(home)
    for seed in range(60):
        gallery.add_subject(f"Subject {seed}", [a_reference(seed)])
    Audit(gallery.store).append([a_decision(f"g{n}") for n in range(60)])
    gallery.close()
    return home


def _refused(home: Home, match: str, read_only: bool = False) -> None:
    before = home.database.read_bytes() if home.database.exists() else None
    with pytest.raises(GalleryError, match=match) as caught:
        open_gallery(home, read_only=read_only)
    assert "\n" not in str(caught.value)
    assert str(home.folder) in str(caught.value)
    assert (home.database.read_bytes() if home.database.exists() else None) == before


def test_durability_is_switched_on(gallery: Gallery) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "trusted_schema": 0}
    assert {name: gallery.store.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted


def test_a_loose_file_mode_is_tightened(filled: Home) -> None:
    filled.database.chmod(0o644)
    open_gallery(filled).close()
    assert filled.database.stat().st_mode & 0o777 == 0o600


def test_a_gallery_of_a_newer_kiosk_is_left_alone(filled: Home) -> None:
    store = open_database(filled.database)
    store.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('kiosk', 'm0099_later')")
    store.close()
    for read_only in (False, True):
        _refused(filled, r"of a newer kiosk \(m0099_later\): update this program", read_only)


def test_a_gallery_of_an_older_kiosk_is_not_read_before_it_is_updated(filled: Home) -> None:
    store = open_database(filled.database)
    store.execute("DELETE FROM _sqlite_migrations")
    store.close()
    _refused(filled, "of an older kiosk: start this one once", read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_somebody_else_s_database_is_left_alone(home: Home, read_only: bool) -> None:
    home.prepare()
    with sqlite3.connect(home.database) as other:
        other.execute("CREATE TABLE holiday (photo BLOB)")
    other.close()
    _refused(home, "not a kiosk's gallery", read_only)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "content", [b"hello, I am no database " * 300, bytes(8192), b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_garbage_is_called_damaged(home: Home, content: bytes, read_only: bool) -> None:
    home.prepare()
    home.database.write_bytes(content)
    _refused(home, "damaged .* put a backup back", read_only)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_ends_in_the_middle_is_called_damaged(filled: Home, share: float) -> None:
    size = filled.database.stat().st_size
    with filled.database.open("r+b") as file:
        file.truncate(int(size * share))
    for read_only in (False, True):
        _refused(filled, "damaged", read_only)


def test_a_gallery_that_is_gone_while_its_key_is_there_is_not_begun_anew(filled: Home) -> None:
    kept = filled.database.rename(filled.folder / "kept")
    _refused(filled, "gone although its key is there")
    filled.database.touch()
    _refused(filled, "gone although its key is there")
    kept.replace(filled.database)
    open_gallery(filled).close()


@pytest.mark.prove
def test_flipped_bytes_end_in_an_error_or_in_the_right_templates(filled: Home) -> None:
    good = filled.database.read_bytes()
    chance = random.Random(7)
    refusals = 0
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(chance.choice([1, 1, 16])):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        filled.database.write_bytes(bad)
        # Any other exception than the one that people can read fails here.
        with suppress(GalleryError):
            _read_all(filled)
            refusals -= 1
        refusals += 1
        for name in ("gallery.db-wal", "gallery.db-shm"):
            (filled.folder / name).unlink(missing_ok=True)
    assert refusals > 50


def _read_all(home: Home) -> None:
    with closing(open_gallery(home)) as gallery:
        gallery.subjects()
        Audit(gallery.store).stories()
        assert {r.template.tobytes() for r in gallery.references(MODEL)} <= set(turned(gallery, *range(60)))


def test_reading_what_is_not_there_yet_makes_nothing(home: Home) -> None:
    home.prepare()
    with pytest.raises(GalleryError, match="no gallery yet: enrol somebody first"):
        open_gallery(home, read_only=True)
    assert list(home.folder.iterdir()) == []


def test_a_read_only_connection_writes_nothing(filled: Home) -> None:
    gallery = open_gallery(filled, read_only=True)
    with pytest.raises(GalleryError, match="cannot be written"):
        gallery.set_disabled(gallery.subjects()[0].id, True)
    assert not gallery.subjects()[0].disabled
    gallery.close()


def test_a_command_reads_beside_a_running_kiosk(filled: Home) -> None:
    kiosk = open_gallery(filled)
    command = open_gallery(filled, read_only=True)
    with kiosk.store.transaction():
        assert len(command.subjects()) == 60
    kiosk.add_subject("One more", [a_reference(99)])
    assert len(command.subjects()) == 61
    command.close()
    kiosk.close()


def test_a_key_folder_that_cannot_be_written_enrols_nobody(small_disk: tuple[Path, Mount]) -> None:
    folder, mount = small_disk
    folder.chmod(0o700)
    open_database(folder / "gallery.db").close()
    mount("-o", "remount,ro")
    with pytest.raises(KioskError, match="cannot be written"):
        open_gallery(Home(folder))
    with pytest.raises(GalleryError, match="no key yet"):
        open_gallery(Home(folder), read_only=True)


def test_a_read_only_file_system_can_be_read_and_says_why_it_cannot_be_written(
    filled: Home, small_disk: tuple[Path, Mount]
) -> None:
    folder, mount = small_disk
    folder.chmod(0o700)
    for name in ("gallery.db", "gallery.key"):
        shutil.copy(filled.folder / name, folder / name)
    home = Home(folder)
    mount("-o", "remount,ro")
    with pytest.raises(KioskError, match="cannot be written"):
        open_gallery(home)
    with pytest.raises(GalleryError, match="cannot be written"):
        open_database(home.database)
    gallery = open_gallery(home, read_only=True)
    assert len(gallery.references(MODEL)) == 60
    gallery.close()
    mount("-o", "remount,rw")
    gallery = open_gallery(home)
    gallery.add_subject("One more", [a_reference(99)])
    gallery.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: tuple[Path, Mount]) -> None:
    folder, _ = small_disk
    folder.chmod(0o700)
    home = Home(folder)
    gallery = open_gallery(home)
    audit = Audit(gallery.store)
    ada = gallery.add_subject("Ada", [a_reference(1)])
    ballast = folder / "ballast"
    _fill(ballast)
    acknowledged: list[str] = []
    with pytest.raises(GalleryError, match="the disk is full: free some space"):
        _append_for_ever(audit, acknowledged)
    with pytest.raises(GalleryError, match="the disk is full"):
        gallery.add_subject("Bob", [a_reference(n) for n in range(200)])
    assert gallery.subjects() == [ada]
    ballast.unlink()
    audit.append([a_decision("after")])
    gallery.close()
    again = open_gallery(home)
    grants = [r.grant_id for r in Audit(again.store).records(kinds=["decision"])]
    assert grants == [*acknowledged, "after"]
    assert again.references(MODEL)[0].template.tobytes() == turned(again, 1)[0]
    again.close()


def test_a_disk_that_is_full_from_the_beginning_makes_no_half_gallery(small_disk: tuple[Path, Mount]) -> None:
    folder, _ = small_disk
    folder.chmod(0o700)
    _fill(folder / "ballast")
    with pytest.raises(GalleryError, match="full"):
        open_gallery(Home(folder))
    (folder / "ballast").unlink()
    gallery = open_gallery(Home(folder))
    gallery.add_subject("Ada", [a_reference(1)])
    gallery.close()


def test_a_file_that_may_not_grow_is_reported_like_a_full_disk(gallery: Gallery) -> None:
    pages = gallery.store.execute("PRAGMA page_count").fetchone()[0]
    gallery.store.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(GalleryError, match="the disk is full"):
        gallery.add_subject("Ada", [a_reference(n) for n in range(200)])
    assert gallery.subjects() == []
    gallery.store.execute("PRAGMA max_page_count = 1000000")
    gallery.add_subject("Ada", [a_reference(1)])


def test_a_closed_gallery_is_an_error_of_its_own_kind(gallery: Gallery) -> None:
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        gallery.subjects()
    with pytest.raises(GalleryError, match="closed"):
        gallery.mark_demonstration()


def _append_for_ever(audit: Audit, acknowledged: list[str]) -> None:
    for n in range(10_000):
        audit.append([a_decision(f"g{n}")])
        acknowledged.append(f"g{n}")


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for _ in range(1024):
            file.write(bytes(4096))
