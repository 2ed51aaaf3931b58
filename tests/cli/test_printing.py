"""What commands print to a console that lacks letters, is full or closed, or is no terminal."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiosk.cli import console
from kiosk.cli.decisions import decision_line, decision_row
from kiosk.cli.front import Console
from kiosk.cli.outlet import Outlet
from kiosk.cli.subject_lines import line
from kiosk.domain.decision import Decision, Evidence, Outcome, Proof, Reason
from kiosk.domain.entry import Means, Step
from kiosk.domain.face import Flaw, Hint, Quality
from kiosk.domain.people import NewReference
from kiosk.domain.updates import Decided, EntryChanged, Recovered
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

Command = Callable[..., Any]
NAME = "Łukasz Example"
VECTOR = np.full(128, 28, np.float32)


def test_a_refusal_says_what_was_in_the_way() -> None:
    evidence = Evidence(1, 1.0, datetime.now(UTC), quality=Quality(0.0, Flaw.TURNED_OVER), hint=Hint.EYES_HIDDEN)
    decision = Decision("d", Outcome.REFUSED, Reason.INCOMPLETE, None, evidence)
    row = decision_row(decision)
    assert (row["flaw"], row["hint"]) == ("turned_over", "eyes_hidden")
    assert decision_line(decision, None).endswith("turned over, eyes hidden")
    claimed = replace(decision, proof=Proof.VERIFICATION, means=Means.NUMBER)
    assert (decision_row(claimed)["comparison"], decision_row(claimed)["means"]) == ("1:1", "number")
    assert decision_line(claimed, None).endswith("1:1 by number")
    plain = Decision("d", Outcome.REFUSED, Reason.INCOMPLETE, None, Evidence(1, 1.0, datetime.now(UTC)))
    assert (decision_row(plain)["flaw"], decision_row(plain)["hint"]) == (None, None)


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("as_json", [False, True])
def test_who_uses_another_way_in_leaves_no_line_before_the_decision(
    step: Step, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(Outlet, "put", lambda _, line: lines.append(line))
    console = Console(as_json, lambda _: NAME, lambda _: "")
    console.publish(EntryChanged(step, 1.0))
    assert lines == []
    console.publish(Recovered(Reason.STALE_FRAME))
    assert len(lines) == 1


@pytest.fixture
def subject_id(home: Path) -> str:
    """Somebody enrolled, without a picture; the id."""
    with closing(open_gallery(Home(home))) as gallery:
        return gallery.add_subject(NAME, [NewReference(VECTOR, "a-network", 0.9)]).id


@contextmanager
def on_a_terminal(patch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard output and error are a terminal meanwhile; its other end."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream, patch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "stderr", stream)
        patched.delenv("NOTIFY_SOCKET", raising=False)
        yield ours
    os.close(ours)


def run(home: Path, *arguments: str, stdout: int | None = None, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """A command as a process of its own, with this standard output."""
    command = [sys.executable, "-m", "kiosk", "--home", str(home), *arguments]
    target = subprocess.PIPE if stdout is None else stdout
    return subprocess.run(command, stdout=target, stderr=subprocess.PIPE, env={**os.environ, **environ}, check=False)


def test_names_go_to_a_terminal_and_ids_to_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.called(NAME, "id") == "id"
    with on_a_terminal(monkeypatch):
        seen = console.called(NAME, "id"), console.called(NAME, "id", error=True)
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
        in_a_unit = console.called(NAME, "id")
    assert seen == (f"{NAME} (id)", f"{NAME} (id)")
    assert in_a_unit == "id", "a unit's terminal is as good as a journal"


def test_the_kiosk_names_nobody_in_a_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = Decision("g", Outcome.GRANTED, Reason.MATCHED, "a1b2", Evidence(1, 0.0, datetime.now(UTC)))
    lines: list[str] = []
    monkeypatch.setattr(Outlet, "put", lambda _, line: lines.append(line))
    for as_json in (False, True):
        Console(as_json, lambda _: NAME, lambda _: "").publish(Decided(decision))
    with on_a_terminal(monkeypatch):
        Console(False, lambda _: NAME, lambda _: "").publish(Decided(decision))
    assert [NAME in line for line in lines] == [False, False, True]
    assert all("a1b2" in line for line in lines[:2])


def test_a_pipe_gets_a_name_only_where_names_are_what_the_command_is_for(kiosk: Command, subject_id: str) -> None:
    assert console.called(NAME, subject_id) == subject_id
    for verb in ("disable", "enable"):
        assert NAME not in "".join(kiosk("subjects", verb, subject_id).out)
        assert "name" not in kiosk("subjects", verb, subject_id, "--json").rows[0]
    assert NAME in kiosk("subjects", "list").out[0]
    assert kiosk("subjects", "show", subject_id, "--json").rows[0]["name"] == NAME
    assert kiosk("subjects", "erase", subject_id, "--yes").out[0] == f"erased {subject_id}"


def test_a_name_that_the_encoding_lacks_is_escaped(home: Path, subject_id: str) -> None:
    done = run(home, "subjects", "list", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout.split()[1]) == (0, b"\\u0141ukasz")


def test_a_query_whose_answer_cannot_be_written_fails_in_one_line(home: Path, subject_id: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(home, "subjects", "list", stdout=full.fileno())
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == "kiosk: standard output cannot be written: No space left on device"
    assert b"Traceback" not in done.stderr


def test_a_deed_that_cannot_be_told_is_done(home: Path, subject_id: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(home, "subjects", "disable", subject_id, stdout=full.fileno())
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    with closing(open_gallery(Home(home))) as gallery:
        assert gallery.find(subject_id).disabled


@pytest.mark.parametrize("arguments", [("subjects", "list"), ("--help",), ("audit", "show")])
def test_a_reader_that_has_gone_is_no_fault(home: Path, subject_id: str, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run(home, *arguments, stdout=write)
    os.close(write)
    assert done.returncode == (1 if "--help" in arguments else 0), "click's own texts end as click does"
    assert [line for line in done.stderr.decode().splitlines() if "not known" not in line] == []


def test_closed_standard_files_hurt_nothing(home: Path, subject_id: str) -> None:
    command = f"exec {sys.executable} -m kiosk --home {home} subjects disable {subject_id} <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0
    with closing(open_gallery(Home(home))) as gallery:
        assert gallery.find(subject_id).disabled


def test_bad_usage_is_one_line_with_the_words_escaped(kiosk: Command) -> None:
    for arguments in (("subjects", "show", "a", "\x1b[2J\nforged"), ("--\x1b[2J",), ("\x1b[2J",)):
        result = kiosk(*arguments)
        assert (result.status, len(result.err)) == (2, 1), result
        assert "\x1b" not in result.err[0]
        assert "--help" in result.err[0]


def test_a_forged_line_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("door: refused x\ngranted  matched  Ada", "next")
    console.emit({"reason": "\x7f\x1b\u2028"})
    out = capsys.readouterr().out
    assert out == 'door: refused x\\x0agranted  matched  Ada\nnext\n{"reason": "\\u007f\\u001b\\u2028"}\n'


def test_complaints_never_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        encoding = "utf-8"

        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def fileno(self) -> int:
            raise ValueError("closed")

    monkeypatch.setattr(sys, "stderr", Broken())
    console.complain("nobody hears it")
    monkeypatch.setattr(sys, "stderr", None)
    console.complain("nobody hears it")


def test_a_subject_on_a_line_without_a_name(subject_id: str, home: Path) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        assert line(gallery.find(subject_id), named=False) == subject_id
