"""`kiosk audit show`: an error in the arguments is reported as such, never as a fault of the gallery."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import NOON

Command = Callable[..., Any]


@pytest.fixture
def log(home: Path) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append([AuditRecord(AuditKind.START, NOON)])


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("option", "text"), [("--kind", "T\udcfcr"), ("--grant", "\udcff")])
def test_an_argument_that_is_not_utf_8_is_reported_as_the_fault(kiosk: Command, option: str, text: str) -> None:
    said = kiosk("audit", "show", option, text)
    assert (said.status, said.out, len(said.err)) == (2, [], 1)
    assert ("an id is 32 digits" if option == "--grant" else "is not one of 'decision', 'outcome',") in said.err[0]
    assert "damaged" not in said.err[0]
    assert len(kiosk("audit", "show").out) == 1


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--since", "0001-01-01"),
        ("--since", "9999-12-31 23:59:59"),
        ("--limit", "99999999999999999999"),
        ("--limit", "9223372036854775807"),
    ],
)
def test_numbers_and_times_out_of_range_end_in_one_line(
    kiosk: Command, zone: Callable[[str], None], name: str, option: str, value: str
) -> None:
    zone(name)
    said = kiosk("audit", "show", option, value)
    assert said.status in {0, 2}
    assert not any("Traceback" in line or "damaged" in line for line in said.err)
    assert (said.status == 2) is bool(said.err)


def test_commands_that_only_look_make_no_gallery(kiosk: Command, home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "nobody.png"
    for command in (
        ("audit", "show"),
        ("subjects", "list"),
        ("subjects", "show", "Ada"),
        ("identify", picture),
    ):
        said = kiosk(*command)
        assert (said.status, said.out, len(said.err)) == (2, [], 1)
        assert "there is no gallery yet: enrol somebody first" in said.err[0]
        assert not home.exists()


def test_a_missing_gallery_is_not_shown_as_an_empty_one(kiosk: Command, home: Path, log: None) -> None:
    (home / "gallery.db").unlink()
    for command in (("audit", "show"), ("subjects", "list"), ("subjects", "disable", "Ada")):
        said = kiosk(*command)
        assert (said.status, said.out, len(said.err)) == (2, [], 1)
        assert "the gallery is gone although its key is there" in said.err[0]
