"""`kiosk identify`: who somebody is, and who is nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_enrol_and_identify(kiosk: Command, portraits: dict[str, Path]) -> None:
    (row,) = kiosk("enrol", "--json", "--name", "Ada Example", portraits["ada"]).rows
    ada = row["subject"]
    rows = kiosk("identify", "--json", portraits["ada"], portraits["ben"]).rows
    assert [row["subject"] for row in rows] == [ada, None]
    assert rows[0]["score"] > rows[0]["threshold"] > rows[1]["score"]
    said = kiosk("identify", portraits["ada"])
    assert "Ada Example" in said.out[0]


def test_a_bad_picture_stops_nothing_and_who_may_not_pass_is_said(
    kiosk: Command, ada: str, portraits: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "torn.png").write_bytes(b"x")
    assert kiosk("subjects", "disable", ada).status == 0
    said = kiosk("identify", tmp_path / "torn.png", portraits["ada"])
    assert (said.status, said.err) == (2, [f"kiosk: {tmp_path}/torn.png: not a readable picture"])
    (line,) = said.out
    assert f"({ada}), subject disabled, score" in line
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["passes"] == "subject_disabled"
    assert kiosk("subjects", "enable", ada).status == 0
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["passes"] == "matched"
    assert "disabled" not in kiosk("identify", portraits["ada"]).out[0]


def test_a_removed_subject_is_no_longer_found(kiosk: Command, ada: str, portraits: dict[str, Path]) -> None:
    assert kiosk("subjects", "remove", "--yes", ada[:6]).status == 0
    assert kiosk("subjects", "list", "--json").rows == []
    assert kiosk("identify", "--json", portraits["ada"]).rows[0]["subject"] is None
    assert kiosk("subjects", "show", ada).status == 2
