"""`kiosk level`: the same figures in words and as JSON, for the gallery that is here or for a number of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_it_says_what_each_level_means_and_how_it_is_set(kiosk: Command, ada: str) -> None:
    said = kiosk("level")
    assert said.status == 0
    assert said.out[0] == "for 1 person and 200 attempts of strangers a day:"
    text = "\n".join(said.out)
    for name in ("configured: ", "standard: ", "high: ", "highest: "):
        assert name in text
    assert '[policy] fpir = 1e-05   [entry] verification = "always"' in text
    assert ada not in text


def test_more_people_and_more_attempts_are_worse(kiosk: Command) -> None:
    few, many = (kiosk("level", "--json", "--people", n).rows for n in ("10", "150"))
    assert [row["level"] for row in few] == ["configured", "standard", "high", "highest"]
    assert [row["claim"] for row in few] == [False, False, False, True]
    assert [row["claim"] for row in many] == [False, False, True, True]
    assert few[1]["rate"] == pytest.approx(many[1]["rate"], rel=1e-3), "the same terms, whatever the size"
    assert many[1]["rate"] == pytest.approx(1e-3 * 5 / 3, rel=1e-3)
    rare, often = (kiosk("level", "--json", "--people", "10", "--attempts", n).rows[1]["days"] for n in ("10", "1000"))
    assert rare == pytest.approx(100 * often, rel=0.05)


def test_without_a_gallery_it_is_for_one_person_and_makes_nothing(kiosk: Command, home: Path) -> None:
    assert kiosk("level").out[0].startswith("for 1 person")
    assert not home.exists()
