"""`kiosk restore`: a gallery from a backup, and what is said of it."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.storage import recovery
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command
from tests.storage.conftest import a_reference


@pytest.fixture
def passphrase(home: Path) -> str:
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Ada", [a_reference(1)])
        return recovery.make(gallery.store, Home(home).keys.read() or b"")


@pytest.fixture
def made(kiosk: Command, passphrase: str, tmp_path: Path, home: Path) -> Path:
    """A backup, after which Ben was enrolled."""
    assert kiosk("backup", "export", tmp_path / "made").status == 0
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Ben", [a_reference(2)])
    return tmp_path / "made"


def test_it_puts_the_backup_back_and_says_what_became_of_the_rest(kiosk: Command, made: Path, home: Path) -> None:
    said = kiosk("restore", made, "--yes")
    assert said.status == 0
    assert said.out[0].endswith("with 1 people")
    assert said.out[1].startswith("1 people were enrolled or changed since then")
    assert f"the gallery of before is in {home}/aside-" in said.out[2]
    assert len(kiosk("subjects", "list").out) == 1
    assert kiosk("audit", "verify").status == 0
    assert kiosk("audit", "show", "--kind", "backup").out[-1].split()[3] == "restored"


def test_it_asks_first(kiosk: Command, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert kiosk("restore", made).status != 0
    assert len(kiosk("subjects", "list").out) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert kiosk("restore", made).status == 0


def test_it_works_on_a_new_board_with_the_passphrase(
    kiosk: Command, made: Path, passphrase: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{passphrase}\n"))
    (row,) = kiosk("restore", made, "--json", at=tmp_path / "new").rows
    assert (row["subjects"], row["aside"], row["erasures_unknown"]) == (1, None, None)
    assert len(kiosk("subjects", "list", at=tmp_path / "new").out) == 1


def test_whoever_a_certificate_names_does_not_come_back(kiosk: Command, made: Path) -> None:
    ada = kiosk("subjects", "list", "--json").rows[0]["subject"]
    said = kiosk("restore", made, "--yes", "--erased", str(ada))
    assert f"erased again, as they were since: {ada}" in said.out
    assert kiosk("subjects", "list", "--json").rows == []
    assert kiosk("restore", made, "--yes", "--erased", "Ada").status == 2


def test_a_running_kiosk_and_a_file_that_is_no_backup_are_named(kiosk: Command, made: Path, home: Path) -> None:
    with Home(home).lock():
        said = kiosk("restore", made, "--yes")
    assert (said.status, "another kiosk" in said.err[0]) == (2, True)
    said = kiosk("restore", home / "gallery.db", "--yes")
    assert (said.status, "no backup of a kiosk" in said.err[0]) == (2, True)
    assert len(kiosk("subjects", "list").out) == 2


def test_a_gallery_of_before_that_cannot_be_read_is_said(kiosk: Command, made: Path, home: Path) -> None:
    (home / "gallery.db").write_bytes(b"no gallery" * 1000)
    said = kiosk("restore", made, "--yes")
    assert said.status == 0
    assert "cannot be asked who was erased" in said.out[1]
