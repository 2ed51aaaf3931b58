"""The bounds of what is said of the screen."""

from __future__ import annotations

import pytest

from kiosk.config import parse
from kiosk.domain.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("diagonal_mm = 10", "screen.diagonal_mm"),
        ("distance_mm = 0", "screen.distance_mm"),
        ("languages = []", "screen.languages"),
        ('languages = ["English"]', "screen.languages"),
        ('languages = ["en", "en"]', "each only once"),
        (f'privacy = "{"x" * 201}"', "screen.privacy"),
        ("font = 3", "unknown key"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"[screen]\n{line}\n", "kiosk.toml", {})
    assert said in str(raised.value)


def test_without_settings_it_is_a_screen_of_seven_inches_read_from_one_and_a_half_metres_in_english() -> None:
    screen = parse("", "kiosk.toml", {}).screen
    assert (screen.diagonal_mm, screen.distance_mm, screen.languages) == (178.0, 1500.0, ("en",))
