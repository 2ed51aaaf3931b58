"""Consent: asked for or said at enrolment, kept sealed, shown to the person, listed by the doctor where it lacks."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.domain.people import Subject
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text('[consent]\nrequired = true\nlanguage = "de"\nalternative = "a badge at the reception"\n')
    return path


def enrolled(home: Path) -> list[Subject]:
    with closing(open_gallery(Home(home))) as gallery:
        return gallery.subjects()


def test_the_texts_are_listed_and_shown(kiosk: Command) -> None:
    assert kiosk("consent", "show").out == ["1/de", "1/en", "visits-1/de", "visits-1/en"]
    assert kiosk("consent", "show", "1").out[0] == "Your face at this door"
    assert kiosk("consent", "show", "1/de").out[0] == "Ihr Gesicht an dieser T\u00fcr"
    said = kiosk("consent", "show", "7")
    assert (said.status, "there are: 1/de, 1/en" in said.err[0]) == (2, True)


def test_a_script_must_say_it_and_what_it_says_is_kept(
    kiosk: Command, portraits: dict[str, Path], config: Path, home: Path
) -> None:
    ada = ["enrol", "--name", "Ada", str(portraits["ada"]), "--config", str(config)]
    said = kiosk(*ada)
    assert (said.status, "--consent 1/de" in said.err[0]) == (2, True)
    assert kiosk(*ada, "--consent", "5").status == 2
    assert not home.exists()
    assert kiosk(*ada, "--consent", "1").status == 0
    (subject,) = enrolled(home)
    consent = subject.consent
    assert consent is not None
    assert (consent.text, consent.language, consent.alternative) == ("1", "de", "a badge at the reception")
    assert "uid" in consent.staff
    assert consent.at <= subject.created_at
    detail = kiosk("audit", "show", "--json").rows[0]["detail"]
    assert isinstance(detail, dict)
    assert detail["consent"] == "1/de"
    (row,) = kiosk("subjects", "export", "Ada").rows
    assert isinstance(row["consent"], dict)
    assert row["consent"]["text"] == "1"
    content = (home / "gallery.db").read_bytes()
    assert b"reception" not in content


def test_a_person_is_asked_on_a_terminal(
    kiosk: Command, portraits: dict[str, Path], config: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = ["enrol", "--name", "Ada", str(portraits["ada"]), "--config", str(config)]
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    said = kiosk(*ada)
    assert said.status != 0
    assert said.out[0] == "Ihr Gesicht an dieser T\u00fcr"
    assert "Instead of the face is offered: a badge at the reception" in said.out
    assert not home.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert kiosk(*ada).status == 0
    assert enrolled(home)[0].consent is not None


def test_where_it_is_not_required_nothing_is_asked_and_the_doctor_lists_who_lacks_it(
    kiosk: Command, portraits: dict[str, Path], home: Path
) -> None:
    assert kiosk("enrol", "--name", "Ada", portraits["ada"]).status == 0
    (ada,) = enrolled(home)
    assert ada.consent is None
    (note,) = [row for row in kiosk("doctor", "--json").checks if row["name"] == "consent"]
    assert (note["state"], ada.id in str(note["what"])) == ("ok", True)
    assert kiosk("consent", "record", "Ada", "1/en").out[0].endswith("1/en")
    assert [row["state"] for row in kiosk("doctor", "--json").checks if row["name"] == "consent"] == ["ok"]
    assert kiosk("audit", "show", "--json").rows[-1]["outcome"] == "consent_recorded"


def test_new_pictures_keep_the_consent_unless_another_is_given(
    kiosk: Command, portraits: dict[str, Path], home: Path
) -> None:
    kiosk("enrol", "--name", "Ada", portraits["ada"], "--consent", "1/de")
    kiosk("enrol", "--again", "Ada", portraits["ada"])
    consent = enrolled(home)[0].consent
    assert consent is not None
    assert consent.language == "de"
    kiosk("enrol", "--again", "Ada", portraits["ada"], "--consent", "1/en")
    consent = enrolled(home)[0].consent
    assert consent is not None
    assert consent.language == "en"


def test_each_line_of_a_table_says_it_or_all_together(
    kiosk: Command, portraits: dict[str, Path], config: Path, home: Path, tmp_path: Path
) -> None:
    for key in ("ada", "ben"):
        (tmp_path / f"{key}.png").write_bytes(portraits[key].read_bytes())
    table = tmp_path / "people.csv"
    table.write_text("name,source,consent\nAda,ada.png,1/en\nBen,ben.png,\n")
    said = kiosk("enrol", "--csv", table, "--config", config)
    assert (said.status, "line 3: [consent] required" in said.err[0]) == (2, True)
    assert not home.exists()
    assert kiosk("enrol", "--csv", table, "--config", config, "--consent", "1").status == 0
    assert [s.consent.language for s in enrolled(home) if s.consent] == ["en", "de"]


def test_withdrawing_erases(kiosk: Command, portraits: dict[str, Path], home: Path) -> None:
    kiosk("enrol", "--name", "Ada", portraits["ada"], "--consent", "1/de")
    assert kiosk("subjects", "erase", "Ada", "--withdrawn", "--yes").status == 0
    assert enrolled(home) == []
