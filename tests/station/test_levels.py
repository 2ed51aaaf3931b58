"""The levels at one door: which of them is set, which is not possible, and the command that sets each."""

from __future__ import annotations

from kiosk.config import parse
from kiosk.domain.security_level import Level
from kiosk.domain.thresholds import OperatingPoint
from kiosk.station.levels import rows, settings

POINTS = [OperatingPoint(1e-3, 0.4), OperatingPoint(1e-5, 0.5), OperatingPoint(1e-7, 0.6)]
NUMBER = '[entry]\nnumber = true\nverification = "beyond"\n'


def test_the_level_that_is_set_is_marked() -> None:
    config = parse(f"{NUMBER}[policy]\nfpir = 1e-4\n", "/etc/kiosk/kiosk.toml", {})
    found = rows(config, POINTS, {5: 10})
    assert [(row.level, row.now) for row in found] == [
        (Level.STANDARD, False),
        (Level.HIGH, True),
        (Level.HIGHEST, False),
    ]


def test_settings_that_are_no_level_come_first_and_a_fixed_threshold_is_none() -> None:
    for text in ("[policy]\nfpir = 2e-4\n", "[policy]\nthreshold = 0.5\n"):
        found = rows(parse(text, "x", {}), POINTS, {5: 10})
        assert (found[0].level, found[0].now) == (None, True)
        assert not any(row.now for row in found[1:])


def test_a_door_of_faces_alone_has_no_highest_level() -> None:
    found = settings(parse("", "x", {}), POINTS, {1: 3})
    highest = found.levels[-1]
    assert (highest.level, highest.means, highest.command) == (Level.HIGHEST, None, "")
    assert found.levels[0].now, "the defaults are the standard level of such a door"


def test_commands_name_the_file_where_it_is_not_the_usual_one() -> None:
    usual = settings(parse(NUMBER, "/etc/kiosk/kiosk.toml", {}), POINTS, {1: 3})
    assert usual.levels[-1].command == "sudo kiosk level set highest"
    other = settings(parse(NUMBER, "/srv/other.toml", {}), POINTS, {1: 3})
    assert other.levels[-1].command == "sudo kiosk level set highest --config /srv/other.toml"
    assert other.set_screen == "sudo kiosk screen set --config /srv/other.toml"


def test_nobody_enrolled_is_told_as_nobody() -> None:
    assert settings(parse("", "x", {}), POINTS, {}).people == 0
