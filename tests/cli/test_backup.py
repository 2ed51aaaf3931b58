"""`kiosk backup`: made beside the kiosk, taken away, looked at."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.cli import backup
from kiosk.storage import backups, recovery
from kiosk.storage.backup_format import opened
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command
from tests.storage.conftest import Mount, a_reference, small_disk

__all__ = ["small_disk"]


@pytest.fixture
def passphrase(home: Path) -> str:
    """A gallery with Ada and a recovery passphrase."""
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
        return recovery.make(gallery.store, Home(home).keys.read() or b"")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def config(tmp_path: Path, stick: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[backup]\nfolder = "{stick}"\n')
    return path


def test_it_is_made_listed_and_verified(
    kiosk: Command, passphrase: str, config: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kiosk("backup", "list", "--config", config).out == [f"{stick}: there is no backup"]
    said = kiosk("backup", "make", "--config", config)
    (made,) = stick.iterdir()
    assert (said.status, said.out) == (0, [f"made {made}"])
    assert "same file system as the gallery" in said.err[0], "it is on the same card, and that must be said"
    (line,) = kiosk("backup", "list", "--config", config).out
    assert line.endswith(f"{made.name}  opens with the key that is here")
    (row,) = kiosk("backup", "list", "--json", "--config", config).rows
    assert row["path"] == str(made)
    assert kiosk("backup", "verify", made).out[0].startswith("whole: made ")
    for typed, status in ((passphrase, 0), ("wrong", 2)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
        assert kiosk("backup", "verify", "--recovery", "--json", made).status == status


def test_what_cannot_be_read_is_listed_with_the_reason(
    kiosk: Command, passphrase: str, config: Path, stick: Path, home: Path
) -> None:
    kiosk("backup", "make", "--config", config)
    (made,) = stick.iterdir()
    made.write_bytes(made.read_bytes()[:-1])
    (line,) = kiosk("backup", "list", "--config", config).out
    assert "its end is cut off" in line
    assert "cut off" in str(kiosk("backup", "list", "--json", "--config", config).rows[0]["error"])
    assert kiosk("backup", "verify", made).status == 2
    (home / "gallery.key").write_bytes(bytes(32))
    kiosk("backup", "export", stick / "x")
    assert not (stick / "x").exists()


def test_the_key_of_another_gallery_is_told_apart(
    kiosk: Command, passphrase: str, config: Path, stick: Path, home: Path, tmp_path: Path
) -> None:
    kiosk("backup", "make", "--config", config)
    said = kiosk("backup", "list", "--config", config, at=tmp_path / "other")
    assert said.out[0].endswith("of another gallery or key: opens with its recovery passphrase")
    (home / "backup.key").unlink()
    assert kiosk("backup", "list", "--config", config).out[0].endswith("opens with the recovery passphrase alone")


def test_it_is_exported_into_a_file_or_a_pipe(kiosk: Command, passphrase: str, stick: Path, home: Path) -> None:
    command = [sys.executable, "-m", "kiosk", "--home", str(home), "backup", "export", "-"]
    sent = subprocess.run(command, capture_output=True, check=True).stdout
    (stick / "sent").write_bytes(sent)
    assert kiosk("backup", "verify", stick / "sent").status == 0
    said = kiosk("backup", "export", stick / "one")
    assert (said.status, said.out) == (0, [f"made {stick / 'one'}"])
    with opened(stick / "one") as one:
        assert one.header.size > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["make"], "[backup] folder says nowhere"),
        (["list"], "[backup] folder says nowhere"),
        (["export", "/nowhere/at/all"], "no backup was made"),
        (["verify", "/nowhere/at/all"], "No such file"),
        (["verify", "/dev/zero"], "no plain file"),
    ],
)
def test_bad_input_is_one_line(kiosk: Command, passphrase: str, arguments: list[str], told: str) -> None:
    said = kiosk("backup", *arguments)
    assert (said.status, len(said.err)) == (2, 1)
    assert told in said.err[0]


def test_a_stick_that_is_not_there_and_one_that_is_full_are_named(
    kiosk: Command, passphrase: str, config: Path, stick: Path
) -> None:
    stick.rmdir()
    for command in ("make", "list"):
        said = kiosk("backup", command, "--config", config)
        assert (said.status, len(said.err)) == (2, 1)
        assert str(stick) in said.err[0]


def test_nothing_is_made_without_a_gallery_or_a_passphrase(kiosk: Command, config: Path, home: Path) -> None:
    said = kiosk("backup", "make", "--config", config)
    assert (said.status, "no gallery yet" in said.err[0]) == (2, True)
    assert not home.exists()
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
    said = kiosk("backup", "make", "--config", config)
    assert (said.status, "kiosk keys recovery" in said.err[0]) == (2, True)


def told_by_doctor(kiosk: Command, *options: str | Path) -> list[tuple[object, object]]:
    rows = kiosk("doctor", "--json", *options).checks
    return [
        ("note" if row["mend"] else row["state"], f"{row['what']}: {row['mend']}")
        for row in rows
        if row["name"] == "backup"
    ]


def test_the_doctor_warns_when_no_backup_has_left_the_card(
    kiosk: Command, home: Path, passphrase: str, config: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((level, message),) = told_by_doctor(kiosk)
    assert (level, "has ever left this card" in str(message)) == ("note", True)
    assert kiosk("backup", "make", "--config", config).status == 0
    told = told_by_doctor(kiosk, "--config", config)
    assert [level for level, _ in told] == ["note", "note"], "a backup on the same card has not left it"
    with closing(open_gallery(Home(home))) as gallery:
        backups.to_stream(Home(home), gallery, lambda _: None)
    assert [level for level, _ in told_by_doctor(kiosk)] == ["ok"]

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=8)

    monkeypatch.setattr(backup, "datetime", Later)
    ((level, message),) = told_by_doctor(kiosk)
    assert (level, "for 8 days" in str(message)) == ("note", True)


def test_the_doctor_says_what_keeps_backups_from_being_made(
    kiosk: Command, home: Path, config: Path, stick: Path
) -> None:
    assert told_by_doctor(kiosk) == []
    with closing(open_gallery(Home(home))) as gallery:
        assert told_by_doctor(kiosk) == []
        gallery.add_subject("Ada", [a_reference(1)])
    ((level, message),) = told_by_doctor(kiosk)
    assert (level, "kiosk keys recovery" in str(message)) == ("note", True)


def test_another_file_system_is_off_the_card(
    kiosk: Command, passphrase: str, small_disk: tuple[Path, Mount], tmp_path: Path
) -> None:
    disk, _ = small_disk
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[backup]\nfolder = "{disk}"\n')
    said = kiosk("backup", "make", "--config", config)
    assert (said.status, said.err) == (0, [])
    assert [level for level, _ in told_by_doctor(kiosk, "--config", config)] == ["ok"]
    config.write_text(f'[backup]\nfolder = "{tmp_path}/none"\n')
    assert [level for level, _ in told_by_doctor(kiosk, "--config", config)] == ["ok", "note"]
