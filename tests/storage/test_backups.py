"""Backups are made beside a running kiosk, kept in a folder, and removed when they are too many."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import BackupError, KioskError
from kiosk.storage import backups, recovery
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import opened
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.rotation import rotate
from tests.storage.conftest import NOON, Mount, a_decision, a_reference


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "stick"
    made.mkdir()
    return made


@pytest.fixture
def passphrase(home: Home, gallery: Gallery) -> str:
    """The gallery has a person, and a passphrase."""
    gallery.add_subject("Ada", [a_reference(1)])
    return recovery.make(gallery.store, home.keys.read() or b"")


def test_a_backup_is_the_gallery_of_one_moment(home: Home, gallery: Gallery, folder: Path, passphrase: str) -> None:
    beside = open_gallery(home)  # another process's connection, as that of a running kiosk
    path = backups.to_folder(home, gallery, folder, 7, 4)
    with opened(path) as backup:
        key = backups.opens_with(home, gallery.vault, backup.header)
        assert key is not None
        content = b"".join(backup.pieces(key))
        assert backup.header.generation == gallery.data_version()
    assert content.startswith(b"SQLite format 3\0")
    assert b"Ada" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    Audit(beside.store).append([a_decision("g")])
    beside.close()
    (copy := home.folder / "copy.db").write_bytes(content)
    copy.chmod(0o600)
    (home.folder / "copy").mkdir(0o700)
    copy.rename(home.folder / "copy" / "gallery.db")
    (home.folder / "copy" / "gallery.key").write_bytes(home.key.read_bytes())
    (home.folder / "copy" / "gallery.key").chmod(0o600)
    with closing(open_gallery(Home(home.folder / "copy"))) as again:
        assert [s.name for s in again.subjects()] == ["Ada"]


def test_it_leaves_nothing_beside_it_and_is_recorded(
    home: Home, gallery: Gallery, folder: Path, passphrase: str
) -> None:
    assert backups.newest(gallery.store) is None
    path = backups.to_folder(home, gallery, folder, 7, 4)
    assert [p.name for p in folder.iterdir()] == [path.name]
    assert {p.name.split("-")[0] for p in home.folder.iterdir()} == {
        "backup.key", "backup.lock", "gallery.db", "gallery.key",
    }  # fmt: skip
    record = backups.newest(gallery.store)
    assert record is not None
    assert (record.outcome, record.detail["off_card"]) == (backups.MADE, False)
    assert backups.newest(gallery.store, off_card=True) is None
    sent: list[bytes] = []
    backups.to_stream(home, gallery, sent.append)
    (folder / "sent").write_bytes(b"".join(sent))
    with opened(folder / "sent") as backup:
        assert backup.header.believed(gallery.vault)
    record = backups.newest(gallery.store, off_card=True)
    assert record is not None
    assert record.outcome == backups.EXPORTED


def test_without_a_passphrase_there_is_no_backup(home: Home, gallery: Gallery, folder: Path) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    with pytest.raises(BackupError, match="kiosk keys recovery"):
        backups.to_folder(home, gallery, folder, 7, 4)
    assert list(folder.iterdir()) == []


def test_a_changed_master_key_begins_a_new_key_of_backups(
    home: Home, gallery: Gallery, folder: Path, passphrase: str
) -> None:
    old = folder / "old"
    backups.to_file(home, gallery, old)
    rotate(gallery.store, home.keys)
    with closing(open_gallery(home)) as again:
        with pytest.raises(BackupError, match="kiosk keys recovery"):
            backups.to_folder(home, again, folder, 7, 4)
        recovery.make(again.store, home.keys.read() or b"")
        new = backups.to_folder(home, again, folder, 7, 4)
        with opened(new) as backup:
            assert backups.opens_with(home, again.vault, backup.header) is not None
        with opened(old) as backup:
            assert backups.opens_with(home, again.vault, backup.header) is None


def test_too_many_are_removed_and_those_of_other_galleries_are_not(
    home: Home, gallery: Gallery, folder: Path, passphrase: str
) -> None:
    own = backups.gallery_id(gallery.store)
    days = [datetime.now(UTC) - timedelta(days=n) for n in range(1, 40)]
    for at in days:
        for name in (own, "f" * 16):
            (folder / f"kiosk-{name}-{at:%Y%m%dT%H%M%S%f}Z.backup").touch()
    (folder / f".kiosk-{own}-20260101T000000000000Z.backup.part").touch()
    (folder / "holiday.jpg").touch()
    (folder / f"kiosk-{own}-20261399T000000000000Z.backup").touch()  # no date
    path = backups.to_folder(home, gallery, folder, 7, 4)
    found = backups.in_folder(folder)
    mine = [f for f in found if f.gallery == own]
    assert len([f for f in found if f.gallery == "f" * 16]) == 39
    assert mine[-1].path == path
    assert 7 <= len(mine) <= 10
    assert (folder / "holiday.jpg").exists()
    assert not list(folder.glob("*.part"))


YEARS = st.integers(0, 3 * 366 * 24).map(lambda hours: NOON + timedelta(hours=hours))


@given(st.lists(YEARS, max_size=60), st.integers(1, 9), st.integers(0, 5))
def test_of_each_of_the_newest_days_and_weeks_the_newest_is_kept(
    times: list[datetime], daily: int, weekly: int
) -> None:
    kept = backups.kept(times, daily, weekly)
    assert kept <= set(times)
    assert len(kept) <= daily + weekly
    assert not times or max(times) in kept
    days = sorted({t.date() for t in times}, reverse=True)
    for day in days[:daily]:
        assert max(t for t in times if t.date() == day) in kept
    weeks = {t.isocalendar()[:2] for t in times}
    assert len({t.isocalendar()[:2] for t in kept}) >= min(weekly, len(weeks))


def test_a_folder_that_is_not_there_is_named(home: Home, gallery: Gallery, tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(BackupError, match="put its medium in and mount it"):
        backups.to_folder(home, gallery, tmp_path / "none", 7, 4)
    (tmp_path / "there").touch()
    with pytest.raises(BackupError, match="there is a file of this name"):
        backups.to_file(home, gallery, tmp_path / "there")
    with pytest.raises(BackupError, match="no backup was made"):
        backups.to_file(home, gallery, tmp_path / "none" / "b")


def test_a_full_medium_gets_no_half_backup(
    home: Home, gallery: Gallery, small_disk: tuple[Path, Mount], passphrase: str
) -> None:
    disk, mount = small_disk
    path = backups.to_folder(home, gallery, disk, 7, 4)
    assert backups.off_the_card(home, disk)
    (disk / "ballast").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 20_000))
    with pytest.raises(BackupError, match="No space left"):
        backups.to_folder(home, gallery, disk, 7, 4)
    assert sorted(p.name for p in disk.iterdir()) == ["ballast", path.name]
    mount("-o", "remount,ro")
    with pytest.raises(BackupError, match="cannot be written: put its medium in"):
        backups.to_folder(home, gallery, disk, 7, 4)
    assert len([r for r in Audit(gallery.store).records() if r.outcome == backups.MADE]) == 1


def test_a_full_card_makes_no_backup_and_leaves_nothing(
    small_disk: tuple[Path, Mount], tmp_path: Path, folder: Path
) -> None:
    disk, _ = small_disk
    disk.chmod(0o700)
    home = Home(disk)
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
        recovery.make(gallery.store, home.keys.read() or b"")
        before = sorted(p.name for p in disk.iterdir())
        (disk / "ballast").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 20_000))
        with pytest.raises(KioskError, match=r"full|No space"):
            backups.to_folder(home, gallery, folder, 7, 4)
        assert list(folder.iterdir()) == []
        assert {p.name for p in disk.iterdir()} - set(before) <= {"ballast", "backup.lock"}


def test_backups_of_before_an_erasure_are_removed_by_the_next_one(
    home: Home, gallery: Gallery, folder: Path, passphrase: str
) -> None:
    old = backups.to_folder(home, gallery, folder, 7, 4)
    spoiled = folder / f"kiosk-{backups.gallery_id(gallery.store)}-20260101T000000000000Z.backup"
    spoiled.write_bytes(b"no backup")
    assert backups.of_before(folder, gallery) == []
    with opened(old) as backup:
        key = backups.opens_with(home, gallery.vault, backup.header)
    gallery.remove(gallery.subjects()[0].id)
    backups.end_period(home, gallery)
    assert backups.of_before(folder, gallery) == [old]
    with opened(old) as backup:
        assert backups.opens_with(home, gallery.vault, backup.header) is None, "the old key is still there"
    new = backups.to_folder(home, gallery, folder, 7, 4)
    assert set(folder.iterdir()) == {new, spoiled}
    with opened(new) as backup:
        assert backup.header.period == 1
        assert backups.opens_with(home, gallery.vault, backup.header) not in {None, key}
