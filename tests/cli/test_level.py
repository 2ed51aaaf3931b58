"""`kiosk level`: the same figures in words and as JSON, for the gallery that is here or for a number of people; and the
file in which a level is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

NUMBER = "# a comment\n[entry]\nnumber = true\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(NUMBER)
    return path


def test_it_says_what_each_level_means_and_which_is_set(kiosk: Command, ada: str, file: Path) -> None:
    said = kiosk("level", "show", "--config", file)
    assert said.status == 0
    assert said.out[0] == "for 1 person and 200 attempts of strangers a day:"
    text = "\n".join(said.out)
    for name in ("configured (set): ", "standard: ", "high: ", "highest: "):
        assert name in text
    assert '[policy] fpir = 1e-05   [entry] verification = "always"' in text
    assert ada not in text
    assert "highest: not possible here" in "\n".join(kiosk("level", "show").out), "where a face alone says who it is"


def test_more_people_and_more_attempts_are_worse(kiosk: Command, file: Path) -> None:
    show = ("level", "show", "--config", file, "--json", "--people")
    few, many = (kiosk(*show, n).rows for n in ("10", "150"))
    assert [row["level"] for row in few] == ["configured", "standard", "high", "highest"]
    assert [row["claim"] for row in few] == [False, False, False, True]
    assert [row["claim"] for row in many] == [False, False, True, True]
    assert few[1]["rate"] == pytest.approx(many[1]["rate"], rel=1e-3), "the same terms, whatever the size"
    assert many[1]["rate"] == pytest.approx(1e-3 * 5 / 3, rel=1e-3)
    rare, often = (kiosk(*show, "10", "--attempts", n).rows[1]["days"] for n in ("10", "1000"))
    assert rare == pytest.approx(100 * often, rel=0.05)


def test_without_a_gallery_it_is_for_one_person_and_makes_nothing(kiosk: Command, home: Path) -> None:
    assert kiosk("level", "show").out[0].startswith("for 1 person")
    assert not home.exists()


def test_a_level_that_was_set_is_the_one_that_is_shown(kiosk: Command, file: Path) -> None:
    for name in ("high", "highest", "standard"):
        said = kiosk("level", "set", name, "--config", file)
        assert said.status == 0
        assert "sudo systemctl restart kiosk" in said.out[-1]
        rows = kiosk("level", "show", "--json", "--config", file).rows
        assert [row["level"] for row in rows if row["set"]] == [name]
        assert file.read_text().startswith("# a comment\n")


def test_a_level_that_this_door_cannot_keep_is_refused_with_what_to_do(kiosk: Command, file: Path) -> None:
    file.write_text("")
    said = kiosk("level", "set", "highest", "--config", file)
    assert said.status == 2
    assert "set number, qr or card_reader in [entry] first" in said.err[-1]
    file.write_text("[policy]\nthreshold = 0.5\n")
    said = kiosk("level", "set", "high", "--config", file)
    assert said.status == 2
    assert "take that line out first" in said.err[-1]
    assert file.read_text() == "[policy]\nthreshold = 0.5\n"
