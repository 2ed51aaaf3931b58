"""`kiosk enrol --csv`: an office at once; who cannot be enrolled is named, and the table can be given again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

Command = Callable[..., Any]


@pytest.fixture
def office(portraits: dict[str, Path], tmp_path: Path) -> Path:
    """A folder with a folder of pictures for each of three people; the third one's is a picture of nobody."""
    for key in ("ada", "ben"):
        (tmp_path / "office" / key).mkdir(parents=True)
        (tmp_path / "office" / key / "1.png").write_bytes(portraits[key].read_bytes())
    (tmp_path / "office" / "cleo").mkdir()
    cv2.imwrite(str(tmp_path / "office" / "cleo" / "1.png"), np.full((480, 640, 3), 90, np.uint8))
    return tmp_path / "office"


def table(office: Path, *lines: str, head: str = "name,source", encoding: str = "utf-8") -> Path:
    file = office / "people.csv"
    file.write_bytes("\n".join((head, *lines, "")).encode(encoding))
    return file


ADA, BEN, CLEO = "Ada Example,ada", "Bén Example,ben", "Cleo,cleo"


def test_who_cannot_be_enrolled_is_named_and_the_others_are_enrolled(kiosk: Command, office: Path) -> None:
    said = kiosk("enrol", "--csv", table(office, ADA, CLEO, BEN))
    assert said.status == 1
    assert "line 3: NOT enrolled: " in said.out[1]
    assert "no face is found" in said.out[1]
    assert said.out[-1] == "2 of 3 are enrolled: give the same table again"
    assert [row["name"] for row in kiosk("subjects", "list", "--json").rows] == ["Ada Example", "Bén Example"]


def test_the_same_table_again_enrols_only_who_is_missing(
    kiosk: Command, office: Path, portraits: dict[str, Path]
) -> None:
    file = table(office, ADA, CLEO)
    first = kiosk("enrol", "--csv", file, "--json")
    assert [(row["line"], row["subject"] is None, row["already"]) for row in first.rows] == [
        (2, False, False),
        (3, True, False),
    ]
    (office / "cleo" / "1.png").write_bytes(portraits["ben"].read_bytes())
    again = kiosk("enrol", "--csv", file, "--json")
    assert again.status == 0
    assert [(row["subject"] is None, row["already"]) for row in again.rows] == [(False, True), (False, False)]
    assert again.rows[0]["subject"] == first.rows[0]["subject"]
    assert len(kiosk("subjects", "list", "--json").rows) == 2


def test_the_same_face_under_two_names_and_another_face_under_a_name_are_refused(
    kiosk: Command, office: Path, portraits: dict[str, Path]
) -> None:
    (office / "cleo" / "1.png").write_bytes(portraits["ada"].read_bytes())
    said = kiosk("enrol", "--csv", table(office, ADA, CLEO))
    assert said.status == 1
    assert "who is enrolled already" in said.out[1]
    (office / "ada" / "1.png").write_bytes(portraits["ben"].read_bytes())
    other = kiosk("enrol", "--csv", table(office, ADA))
    assert other.status == 1
    assert "somebody else of this name is enrolled" in other.out[0]


def test_number_and_needs_come_from_the_table(kiosk: Command, office: Path) -> None:
    head = "name,source,number,verify,extended"
    said = kiosk("enrol", "--csv", table(office, f"{ADA},4711,yes,no", f"{BEN},NEW,,Yes", head=head))
    assert said.status == 2
    assert "line 3" in said.err[-1]
    file = table(office, f"{ADA},4711,yes,no", f"{BEN},new,,Yes", head=head)
    first = kiosk("enrol", "--csv", file, "--json")
    assert first.status == 0
    ada, ben = kiosk("subjects", "list", "--json").rows
    assert (ada["number"], ada["verify"], ada["extended"]) == ("4711", True, False)
    assert (len(ben["number"]), ben["verify"], ben["extended"]) == (6, False, True)
    assert [row["number"] for row in first.rows] == ["4711", ben["number"]]
    record = next(r for r in kiosk("audit", "show", "--json").rows if r["subject"] == ada["subject"])
    assert record["detail"]["needs"] == "verify"
    assert kiosk("enrol", "--csv", file).out[0].endswith("was enrolled already, number 4711")


@pytest.mark.parametrize(
    ("cells", "trouble"),
    [
        ("471,,", "a personal number has 4 to 8 digits"),
        ("47 11,,", "a personal number has 4 to 8 digits"),
        ("4711,maybe,", "verify: yes, no or nothing"),
        (",,1", "extended: yes, no or nothing"),
    ],
)
def test_a_bad_number_or_need_is_one_line_that_names_the_row(
    kiosk: Command, office: Path, cells: str, trouble: str
) -> None:
    said = kiosk("enrol", "--csv", table(office, f"{ADA},{cells}", head="name,source,number,verify,extended"))
    assert said.status == 2
    (line,) = said.err
    assert "line 2: " in line
    assert trouble in line
    assert kiosk("subjects", "list", "--json").rows == []


def test_a_number_twice_or_of_somebody_else_enrols_nobody(kiosk: Command, office: Path) -> None:
    twice = kiosk("enrol", "--csv", table(office, f"{ADA},4711", f"{BEN},4711", head="name,source,number"))
    assert (twice.status, "line 3: the personal number of line 2 again" in twice.err[-1]) == (2, True)
    assert kiosk("enrol", "--csv", table(office, f"{ADA},4711", head="name,source,number")).status == 0
    taken = kiosk("enrol", "--csv", table(office, f"{BEN},4711", head="name,source,number"))
    assert (taken.status, "line 2: number 4711 is that of" in taken.err[-1]) == (2, True)


def test_validity_and_badge_come_from_the_table_as_office_programs_write_it(kiosk: Command, office: Path) -> None:
    head = "Name;Source;Valid_From;Valid_Until;Badge"
    file = table(office, "Ada;ada;2026-01-01;2030-01-01;17", ";;;;", head=head, encoding="utf-8-sig")
    assert kiosk("enrol", "--csv", file).status == 0
    (row,) = kiosk("subjects", "list", "--json").rows
    assert row["badge"] == 17
    assert str(row["valid_until"]).startswith(("2029-12-31", "2030-01-01"))


@pytest.mark.parametrize(
    ("lines", "head", "words"),
    [
        ((ADA,), "name,folder", "source is missing"),
        ((ADA,), "name,source,colour", "'colour' is unknown"),
        ((ADA,), "name,source,name", "one is there twice"),
        ((), "name,source", "nobody is in it"),
        ((ADA, "Ada Example,ben"), "name,source", "line 3: the name of line 2 again"),
        (("Ada,ada,7", "Ben,ben,7"), "name,source,badge", "line 3: the badge number of line 2 again"),
        (("Ada,nowhere",), "name,source", "there are no pictures"),
        (("Ada,",), "name,source", "there are no pictures"),
        ((",ada",), "name,source", "a name is 1 to 100 printable characters"),
        (("Ada,ada,more",), "name,source", "more or fewer columns"),
        (("Ada",), "name,source", "more or fewer columns"),
        (("Ada,ada,soon",), "name,source,valid_from", "does not match the formats"),
        (("Ada,ada,2027-01-01,2026-01-01",), "name,source,valid_from,valid_until", "ends before it begins"),
        (("Ada,ada,²",), "name,source,badge", "is no badge number"),
        (("Ada,ada,0",), "name,source,badge", "a badge number is 1 to"),
        (('"Ada,ada',), "name,source", "line "),
    ],
)
def test_a_table_that_is_wrong_is_one_line_and_enrols_nobody(
    kiosk: Command, office: Path, home: Path, lines: tuple[str, ...], head: str, words: str
) -> None:
    said = kiosk("enrol", "--csv", table(office, *lines, head=head))
    assert (said.status, said.out, len(said.err)) == (2, [], 1)
    assert words in said.err[0]
    assert not (home / "gallery.db").exists()


def test_a_table_that_is_no_text_no_file_or_not_alone_is_one_line(kiosk: Command, office: Path) -> None:
    for file in (office / "ada" / "1.png", office, office / "missing.csv"):
        said = kiosk("enrol", "--csv", file)
        assert (said.status, len(said.err)) == (2, 1)
    said = kiosk("enrol", "--csv", table(office, ADA), "--name", "Ada")
    assert (said.status, len(said.err)) == (2, 1)
    assert "give nothing else" in said.err[0]
    assert "name the pictures" in kiosk("enrol", "--name", "Ada").err[0]


def test_a_badge_that_somebody_else_has_is_said_before_anybody_is_enrolled(
    kiosk: Command, office: Path, portraits: dict[str, Path]
) -> None:
    assert kiosk("enrol", "--name", "Ben", "--badge", "7", portraits["ben"]).status == 0
    said = kiosk("enrol", "--csv", table(office, "Ada,ada,7", head="name,source,badge"))
    assert said.status == 2
    assert "line 2: badge 7 is that of" in said.err[0]
    assert len(kiosk("subjects", "list", "--json").rows) == 1
