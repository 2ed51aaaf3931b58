"""`kiosk subjects erase`: a certificate of what was removed, and of what is out of reach."""

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
def ada(home: Path) -> str:
    """Ada's id; she is enrolled, and a passphrase is there."""
    with closing(open_gallery(Home(home))) as gallery:
        made = gallery.add_subject("Ada Lovelace", [a_reference(1)], badge=31337)
        recovery.make(gallery.store, Home(home).keys.read() or b"")
    return made.id


@pytest.mark.parametrize("name", ["erase", "remove"])
def test_the_certificate_is_for_people_or_for_programs(kiosk: Command, ada: str, tmp_path: Path, name: str) -> None:
    config = tmp_path / "kiosk.toml"
    (tmp_path / "stick").mkdir()
    config.write_text(f'[backup]\nfolder = "{tmp_path}/stick"\n[retention]\nlog_days = 400\n')
    assert kiosk("backup", "make", "--config", config).status == 0
    assert kiosk("backup", "export", tmp_path / "b").status == 0
    said = kiosk("subjects", name, "Ada Lovelace", "--yes", "--config", config)
    assert said.status == 0
    text = "\n".join(said.out)
    assert said.out[0] == f"erased {ada}"
    assert "1 reference(s)" in text
    assert "1 backup(s) of before" in text
    assert "1 exported backups" in text
    assert "after 400 days" in text
    assert "Ada" not in text, "a certificate that is kept says who by id alone"
    assert "31337" not in text
    (row,) = kiosk("subjects", name, ada, "--withdrawn", "--json", "--config", config).rows
    assert (row["subject"], row["references"], row["backups"]) == (ada, 0, 0)
    assert kiosk("audit", "show", "--kind", "subject", "--json").rows[0]["reason"] == "asked"
    assert kiosk("subjects", "list", "--json").rows == []


def test_withdrawn_consent_is_in_the_log_and_the_certificate(kiosk: Command, ada: str) -> None:
    (row,) = kiosk("subjects", "erase", ada, "--withdrawn", "--yes", "--json").rows
    assert row["reason"] == "withdrawn"
    assert kiosk("audit", "show", "--kind", "subject", "--json").rows[0]["reason"] == "withdrawn"


def test_it_asks_first(kiosk: Command, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert kiosk("subjects", "erase", ada).status != 0
    assert len(kiosk("subjects", "list").out) == 1
    assert kiosk("subjects", "erase", "Nobody", "--yes").status == 2


def test_a_configuration_that_cannot_be_read_keeps_nobody_in(kiosk: Command, ada: str, tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("[nonsense]\n")
    said = kiosk("subjects", "erase", ada, "--yes", "--config", tmp_path / "kiosk.toml")
    assert said.status == 0
    assert "backups in a folder were not looked for" in said.err[0]
    assert kiosk("subjects", "list", "--json").rows == []
