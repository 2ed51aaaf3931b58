"""What each level of security means at this door, for `kiosk level` and staff's page of settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kiosk.config import SYSTEM_CONFIG, Config
from kiosk.domain.security_level import Level, LevelRow, Meaning, Settings, Terms, level_of, meaning, terms_at
from kiosk.domain.thresholds import OperatingPoint, Sizes, Thresholds

Points = Sequence[OperatingPoint]
"""What was measured of the configured embedder."""

RESTART = "sudo systemctl restart kiosk"
"""After it a changed configuration counts."""


def rows(config: Config, points: Points, sizes: Sizes) -> tuple[LevelRow, ...]:
    """The levels for a gallery of these sizes; before them the settings themselves, if they are none of them."""
    claims = bool(config.entry.means)
    own = Terms(config.policy.fpir, config.entry.verification)
    fixed = config.policy.threshold
    now = level_of(own, claims) if fixed is None else None
    found: list[LevelRow] = []
    if now is None:
        found.append(LevelRow(None, own, True, _meaning(config, points, own, sizes, fixed)))
    for level in Level:
        terms = terms_at(level, claims)
        means = None if terms is None else _meaning(config, points, terms, sizes)
        found.append(LevelRow(level, terms, level is now, means))
    return tuple(found)


def settings(config: Config, points: Points, sizes: Sizes) -> Settings:
    """What staff's page shows."""
    screen, file = config.screen, config.source
    option = "" if file in {"", str(SYSTEM_CONFIG)} else f" --config {file}"
    found = tuple(
        replace(row, command=f"sudo kiosk level set {row.level}{option}" if row.level and row.terms else "")
        for row in rows(config, points, sizes or {1: 1})
    )
    of_screen = (screen.distance_mm, screen.languages, screen.sounds, f"sudo kiosk screen set{option}")
    return Settings(sum(sizes.values()), found, *of_screen, RESTART)


def _meaning(config: Config, points: Points, terms: Terms, sizes: Sizes, fixed: float | None = None) -> Meaning:
    thresholds = Thresholds(points, terms.fpir, fixed)
    return meaning(thresholds, terms, sizes, config.attempt.window / config.attempt.needed)
