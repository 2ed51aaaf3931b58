"""`kiosk keys`: the key of the gallery, a passphrase for its loss, and another key."""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.cli import keys
from kiosk.domain.errors import KioskError
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import KeyFile
from kiosk.system.users import caller
from tests.cli.conftest import Command
from tests.storage.conftest import MODEL, a_reference


@pytest.fixture
def ada(home: Path) -> str:
    """The id of the only person who is enrolled."""
    with closing(open_gallery(Home(home))) as gallery:
        return gallery.add_subject("Ada", [a_reference(1)]).id


@pytest.fixture
def passphrase(kiosk: Command, ada: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The recovery passphrase, as `kiosk keys recovery` has shown it to somebody who typed it right."""
    shown: list[str] = []
    monkeypatch.setattr(keys, "say", lambda *lines: shown.extend(lines))
    monkeypatch.setattr(keys, "ask", lambda question: shown[0])
    assert kiosk("keys", "recovery").status == 0
    monkeypatch.undo()
    assert shown[1].startswith("it works")
    return shown[0]


def test_it_says_who_else_can_use_the_key(kiosk: Command, home: Path, ada: str, tmp_path: Path) -> None:
    said = kiosk("keys", "status")
    assert said.out[0].endswith("gallery.key")
    assert "whoever has the card has the gallery" in said.out[1]
    assert "none" in said.out[2]
    (home / "gallery.key").rename(tmp_path / "stick.key")
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[keys]\nfile = "{tmp_path}/stick.key"\n')
    (row,) = kiosk("keys", "status", "--json", "--config", config).rows
    assert row == {
        "place": f"{tmp_path}/stick.key",
        "protection": KeyFile(tmp_path / "stick.key", beside=False).protection,
        "recovery": False,
    }
    assert [row["subject"] for row in kiosk("subjects", "list", "--json", "--config", config).rows] == [ada]


def test_a_passphrase_opens_a_copy_on_a_new_board(
    kiosk: Command, home: Path, ada: str, passphrase: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert kiosk("keys", "status", "--json").rows[0]["recovery"] is True
    new = tmp_path / "new"
    new.mkdir(0o700)
    shutil.copy(home / "gallery.db", new)
    said = kiosk("subjects", "list", at=new)
    assert (said.status, "kiosk keys recover" in said.err[0]) == (2, True)
    for typed, status in (("wrong", 2), (passphrase, 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
        assert kiosk("keys", "recover", at=new).status == status
    assert [row["subject"] for row in kiosk("subjects", "list", "--json", at=new).rows] == [ada]
    assert kiosk("keys", "recover", at=new).out == ["the key is there, and it is the right one: nothing was changed"]


def test_another_gallery_s_key_is_not_overwritten(kiosk: Command, home: Path, passphrase: str) -> None:
    (home / "gallery.key").write_bytes(bytes(32))
    said = kiosk("keys", "recover")
    assert (said.status, "another gallery's key is there: move it away first" in said.err[0]) == (2, True)
    assert (home / "gallery.key").read_bytes() == bytes(32)


def test_a_passphrase_that_was_written_down_wrong_is_told(
    kiosk: Command, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("something else\n"))
    said = kiosk("keys", "recovery")
    assert said.status == 2
    assert "not the recovery passphrase" in said.err[-1]


def test_an_earlier_passphrase_ends_only_when_somebody_says_so(
    kiosk: Command, passphrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    said = kiosk("keys", "recovery")
    assert said.status != 0
    assert [row["outcome"] for row in kiosk("audit", "show", "--kind", "key", "--json").rows] == [
        "recovery_passphrase_made"
    ]


@pytest.mark.parametrize("options", [[], ["--everything"]])
def test_another_key_keeps_everybody(kiosk: Command, home: Path, ada: str, passphrase: str, options: list[str]) -> None:
    before = (home / "gallery.key").read_bytes()
    said = kiosk("keys", "rotate", "--yes", *options)
    assert (said.status, len(said.out)) == (0, 1)
    assert (home / "gallery.key").read_bytes() != before
    assert kiosk("keys", "status", "--json").rows[0]["recovery"] is False
    made, changed = kiosk("audit", "show", "--kind", "key", "--json").rows
    assert made["detail"]["by"] == changed["detail"]["by"] == caller()
    with closing(open_gallery(Home(home))) as gallery:
        assert [s.id for s in gallery.subjects()] == [ada]
        assert len(gallery.references(MODEL)) == 1


def test_renewed_templates_keep_everybody_and_the_key(kiosk: Command, home: Path, ada: str, passphrase: str) -> None:
    key = (home / "gallery.key").read_bytes()
    with closing(open_gallery(Home(home))) as gallery:
        (before,) = gallery.references(MODEL)
        said = kiosk("keys", "renew-templates", "--yes")
        assert (said.status, said.out) == (0, ["1 reference(s) have new templates; nobody has to enrol again"])
        (after,) = gallery.references(MODEL)
    assert (after.id, after.subject_id) == (before.id, ada)
    assert after.template.tobytes() != before.template.tobytes()
    assert (home / "gallery.key").read_bytes() == key
    assert kiosk("keys", "status", "--json").rows[0]["recovery"] is True
    record = kiosk("audit", "show", "--kind", "key", "--json").rows[-1]
    assert (record["outcome"], record["detail"]) == ("templates_renewed", {"references": 1, "by": caller()})


def test_nothing_can_be_asked_of_a_closed_input(
    kiosk: Command, home: Path, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    before = (home / "gallery.key").read_bytes()
    for command in (["recovery"], ["rotate"], ["renew-templates"]):
        assert kiosk("keys", *command).status == 2
    assert (home / "gallery.key").read_bytes() == before
    with pytest.raises(KioskError):
        keys.ask("?")
