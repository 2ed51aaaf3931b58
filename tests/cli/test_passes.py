"""`kiosk passes`: issued, listed, revoked."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import pytest

from kiosk.domain.passes import PassWord
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes
from kiosk.vision import codes
from tests.cli.conftest import Command
from tests.storage.conftest import a_reference

TONIGHT = (datetime.now().astimezone() + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")


@pytest.fixture
def ada(home: Path) -> str:
    with closing(open_gallery(Home(home))) as gallery:
        return gallery.add_subject("Ada", [a_reference(1)]).id


def shown(home: Path, file: Path, door: str = "main") -> PassWord:
    """What the kiosk says of the code in this file."""
    picture = cv2.imread(str(file))
    assert picture is not None
    (text,) = codes.read(picture)  # type: ignore[arg-type]
    with closing(open_gallery(Home(home))) as gallery:
        return Passes(gallery).use(text, door, datetime.now(UTC)).word


def test_a_pass_is_issued_used_listed_and_revoked(kiosk: Command, ada: str, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "visitor.png"
    issued = kiosk("passes", "issue", "Ada", "--until", TONIGHT, "--uses", "2", "--out", file, "--json")
    (row,) = issued.rows
    assert (row["sponsor"], row["uses"], row["doors"], row["revoked"]) == (ada, 2, {"main": 0}, None)
    assert file.stat().st_mode & 0o077 == 0
    assert shown(home, file) is PassWord.GOOD
    (listed,) = kiosk("passes", "list", "--json").rows
    assert listed == {**row, "doors": {"main": 1}}
    assert "used: main 1 of 2" in kiosk("passes", "list").out[0]
    assert "revoked" in kiosk("passes", "revoke", str(row["pass"])[:6]).out[0]
    assert shown(home, file) is PassWord.REVOKED
    said = kiosk("passes", "revoke", "ffffffffff")
    assert (said.status, "kiosk passes list" in said.err[0]) == (2, True)
    assert [r["outcome"] for r in kiosk("audit", "show", "--json").rows][-3:] == ["issued", "used", "revoked"]


def test_a_pass_names_its_doors(kiosk: Command, ada: str, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "visitor.png"
    kiosk("passes", "issue", ada, "--until", TONIGHT, "--door", "lab", "--door", "back", "--out", file)
    assert [shown(home, file, door) for door in ("main", "lab", "back", "lab")] == [
        PassWord.OTHER_DOOR, PassWord.GOOD, PassWord.GOOD, PassWord.USED_UP,
    ]  # fmt: skip


def test_no_pass_is_no_error(kiosk: Command, ada: str) -> None:
    assert kiosk("passes", "list").out == ["there are no passes: see `kiosk passes issue --help`"]
    assert kiosk("passes", "list", "--json").out == []


def test_a_pass_that_cannot_be_is_one_line(kiosk: Command, ada: str, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "a.png"]
    for wrong in (
        [ada, *out],
        [ada, "--until", "2020-01-01", *out],
        [ada, "--until", "9999-12-31", *out],
        [ada, "--until", "2099-01-01", *out],
        [ada, "--until", TONIGHT, "--uses", "0", *out],
        [ada, "--until", TONIGHT, "--door", "Main", *out],
        [ada, "--until", TONIGHT, "--door", "a" * 40, *out],
        ["Nobody", "--until", TONIGHT, *out],
        [ada, "--until", TONIGHT],
    ):
        said = kiosk("passes", "issue", *wrong)
        assert (said.status, len(said.err), said.out) == (2, 1, [])
    assert kiosk("passes", "list", "--json").out == []


def test_a_pass_that_cannot_be_handed_out_is_void(
    kiosk: Command, ada: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kiosk.cli.codes.replace", full)
    assert kiosk("passes", "issue", ada, "--until", TONIGHT, "--out", tmp_path / "a.png").status == 2
    (row,) = kiosk("passes", "list", "--json").rows
    assert row["revoked"] is not None
