"""`kiosk audit verify`, `key`, `checkpoint`, `cut` and `export`, and what `kiosk doctor` says of the log."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from kiosk.cli.audit_chain import findings
from kiosk.cli.doctor_check import Patient, State
from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.chains import chained, everything, put, unguarded
from tests.storage.conftest import a_decision, an_outcome

Command = Callable[..., Any]
OLD = datetime.now(UTC) - timedelta(days=400)


class LongAgo(datetime):
    """The clock of long ago."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """400 days ago."""
        return OLD.astimezone(tz)


@pytest.fixture
def log(home: Path, kiosk: Command, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A log of two years, with a checkpoint between, and one at the end that was kept elsewhere: its line."""
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append([AuditRecord(AuditKind.START, OLD, detail={"version": "0.1.0"})])
    with monkeypatch.context() as patch:
        for module in ("kiosk.storage.checkpoints", "kiosk.cli.audit_chain"):
            patch.setattr(f"{module}.datetime", LongAgo)
        assert kiosk("audit", "checkpoint").status == 0
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append([a_decision("a" * 32), an_outcome("a" * 32)])
    said = kiosk("audit", "checkpoint")
    assert said.status == 0
    return [str(line) for line in said.out]


@pytest.fixture
def held(log: list[str], tmp_path: Path) -> Path:
    file = tmp_path / "kept.log"
    file.write_text("Nov 29 08:00:00 kiosk[1]: audit_checkpoint " + log[-1] + "\n")
    return file


def attack(home: Path, how: Callable[[Any], None]) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        how(gallery.store)


def drop_tail(store: Any) -> None:
    with unguarded(store):
        store.execute("DELETE FROM audit WHERE id > (SELECT max(id) - 3 FROM audit)")


def edit(store: Any, after: int = 0) -> None:
    with unguarded(store):
        store.execute("UPDATE audit SET outcome = 'refused' WHERE kind = 'decision' AND id > ?", [after])


def rewrite(store: Any) -> None:
    put(store, chained([row for row in everything(store) if row[1] != "checkpoint"]))


def test_a_whole_log_verifies_with_what_was_held_elsewhere_and_the_key(kiosk: Command, held: Path) -> None:
    key = kiosk("audit", "key").out[0]
    said = kiosk("audit", "verify", "--checkpoint", held, "--key", key)
    assert said.status == 0, said.out
    assert "the chain is whole" in said.out
    assert "1 checkpoints held elsewhere fit" in said.out
    assert not any("public key was taken" in line for line in said.out)


@pytest.mark.usefixtures("log")
def test_it_says_what_it_could_not_find_without_anything_from_elsewhere(kiosk: Command) -> None:
    said = kiosk("audit", "verify")
    assert said.status == 0
    assert any("an end that was cut off is not found" in line for line in said.out)
    assert any("whoever can write the log" in line for line in said.out)


@pytest.mark.parametrize(
    ("how", "alone"), [(drop_tail, 0), (edit, 1), (rewrite, 0)], ids=["cut end", "changed", "written anew"]
)
def test_an_attack_is_named_with_a_checkpoint_from_elsewhere(
    kiosk: Command, home: Path, held: Path, how: Callable[[Any], None], alone: int
) -> None:
    attack(home, how)
    assert kiosk("audit", "verify").status == alone
    said = kiosk("audit", "verify", "--checkpoint", held)
    assert said.status == 1
    assert any(line.startswith("TAMPERED: ") for line in said.out)
    machine = json.loads(kiosk("audit", "verify", "--checkpoint", held, "--json").out[0])
    assert machine["good"] is False
    assert machine["fault_count"] >= 1


@pytest.mark.usefixtures("log")
def test_doctor_walks_the_log_from_the_newest_checkpoint_on(home: Path) -> None:
    """The whole log would take minutes where it is long."""
    (found,) = findings(Patient(Config(), place=Home(home)))
    assert (found.state, found.what.split(";")[0]) == (
        State.OK,
        "records 6 to 6 are whole (`kiosk audit verify` walks all)",
    )
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append([a_decision("b" * 32)])
    attack(home, lambda store: edit(store, after=6))
    (found,) = findings(Patient(Config(), place=Home(home)))
    assert found.state is State.PROBLEM
    assert "tampered with: record 7 is not what was written there" in found.what


@pytest.mark.usefixtures("log")
def test_doctor_walks_the_whole_log_where_its_newest_checkpoint_does_not_count(home: Path) -> None:
    attack(home, edit)
    assert [found.state for found in findings(Patient(Config(), place=Home(home)))] == [State.OK], (
        "only `audit verify` walks what lies before it"
    )
    with closing(open_database(home / "gallery.db")) as store, store.transaction():
        store.execute("UPDATE meta SET value = 'another' WHERE key = 'audit_public_key'")
    (found,) = findings(Patient(Config(), place=Home(home)))
    assert found.state is State.PROBLEM
    assert "tampered with: record" in found.what


def test_a_signature_of_another_gallery_is_refused_in_one_line(kiosk: Command, held: Path) -> None:
    said = kiosk("audit", "verify", "--checkpoint", held, "--key", "0" * 64)
    assert (said.status, len(said.err)) == (2, 1)
    assert "signed with another key" in said.err[0]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("nothing", "there is no checkpoint in it"),
        ('{"number": 1, "hash": "x", "signature": "y"}', "a checkpoint in it is damaged"),
    ],
)
def test_a_file_without_a_checkpoint_is_one_line(
    kiosk: Command, tmp_path: Path, content: str | None, words: str
) -> None:
    file = tmp_path / "f"
    if content is not None:
        file.write_text(content)
    said = kiosk("audit", "verify", "--checkpoint", file)
    assert (said.status, len(said.err)) == (2, 1)
    assert words in said.err[0]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", ["verify", "key", "checkpoint"])
def test_without_a_gallery_none_is_made(kiosk: Command, home: Path, command: str) -> None:
    said = kiosk("audit", command)
    assert (said.status, len(said.err)) == (2, 1)
    assert "there is no gallery yet" in said.err[0]
    assert not (home / "gallery.db").exists()


def test_a_cut_is_said_first_and_done_with_yes_and_verifies_after(kiosk: Command, home: Path, held: Path) -> None:
    before = (OLD + timedelta(days=1)).strftime("%Y-%m-%d")
    told = kiosk("audit", "cut", "--before", before)
    assert told.status == 0
    assert told.out[0].startswith("would be cut: 2 records")
    done = kiosk("audit", "cut", "--before", before, "--yes")
    assert done.status == 0, done.err
    assert done.out[0].startswith("cut: 2 records")
    said = kiosk("audit", "verify", "--checkpoint", held)
    assert said.status == 0, said.out
    assert any("were cut on" in line for line in said.out)
    assert b"0.1.0" not in (home / "gallery.db").read_bytes()


@pytest.mark.usefixtures("log")
def test_nothing_is_cut_of_today_or_of_a_log_that_does_not_verify(kiosk: Command, home: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert kiosk("audit", "cut", "--before", tomorrow, "--yes").status == 2
    attack(home, edit)
    long_ago = (OLD + timedelta(days=1)).strftime("%Y-%m-%d")
    refused = kiosk("audit", "cut", "--before", long_ago, "--yes")
    assert refused.status == 2
    assert "nothing was cut" in refused.err[0]


@pytest.mark.usefixtures("log")
def test_an_export_has_every_record_and_pseudonyms_lead_nowhere(kiosk: Command) -> None:
    lines = [json.loads(line) for line in kiosk("audit", "export").out]
    assert [row["kind"] for row in lines][-3:] == ["decision", "outcome", "checkpoint"]
    table = list(csv.DictReader(kiosk("audit", "export", "--format", "csv").out))
    assert [row["kind"] for row in table] == [row["kind"] for row in lines]
    who = {row["subject"] for row in lines} - {None}
    renamed = [json.loads(line) for line in kiosk("audit", "export", "--pseudonymous").out]
    other = {row["subject"] for row in renamed} - {None}
    assert who
    assert len(other) == len(who)
    assert not who & other
    assert not any(row.get("hash") for row in renamed)
