"""`kiosk level`: what the levels of security mean at this door, in words, and which of them is set."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from kiosk.cli.console import config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.rewriting import change
from kiosk.domain.errors import ConfigError
from kiosk.domain.security_level import ATTEMPTS_A_DAY, Level, LevelRow, in_words, terms_at
from kiosk.domain.thresholds import Sizes
from kiosk.domain.verification import Verification
from kiosk.station import levels
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import Models, load

RESTART = f"it counts from the kiosk's next start: {levels.RESTART}"


attempts_option = click.option(
    "--attempts",
    type=click.IntRange(1, 1_000_000),
    default=ATTEMPTS_A_DAY,
    show_default=True,
    help="Attempts of strangers a day.",
)


@click.group()
def level() -> None:
    """Security by name, and what it means at this gallery's size."""


@level.command()
@click.option("--people", type=click.IntRange(1, 1_000_000), help="For so many people.  [default: who is enrolled]")
@click.option("--references", type=click.IntRange(1, 100), default=5, show_default=True, help="Of each of --people.")
@attempts_option
@config_option
@json_option
@pass_home
def show(
    home: Home, people: int | None, references: int, attempts: int, config_file: Path | None, as_json: bool
) -> None:
    """Says what the configuration and each level of security mean: how often a stranger would be let in at most.

    The figures are bounds, from what was measured of the network, each with its 95% interval.
    """
    config = settings(config_file)
    models = load(config.models, config.policy)
    points = models.embedder_entry.operating_points()
    sizes = _enrolled(home, models) if people is None else {references: people}
    number = sum(sizes.values())
    if not as_json:
        say(f"for {number} {'person' if number == 1 else 'people'} and {attempts} attempts of strangers a day:")
    for row in levels.rows(config, points, sizes):
        if as_json:
            emit(_json(row, attempts))
        else:
            say(*_lines(row, attempts, max(sizes, default=references)))


@level.command("set")
@click.argument("name", type=click.Choice([each.value for each in Level]))
@config_option
def set_(name: str, config_file: Path | None) -> None:
    """Sets a level in the configuration file, whose comments stay.

    The kiosk reads it when it starts again.
    """
    config = settings(config_file)
    if config.policy.threshold is not None:
        raise ConfigError("[policy] threshold is set, and with it no level counts: take that line out first")
    terms = terms_at(Level(name), bool(config.entry.means))
    if terms is None:
        raise ConfigError(
            f"the level {name} asks everybody for a number, QR code or card, and this door offers none of them: set "
            "number, qr or card_reader in [entry] first"
        )
    values = [("policy", "fpir", terms.fpir), ("entry", "verification", terms.verification.value)]
    path = change(config_file, values)
    say(f"{path}: the level is {name}", RESTART)


def _lines(row: LevelRow, attempts: int, references: int) -> list[str]:
    name = row.level.value if row.level else "configured"
    if row.means is None or row.terms is None:
        return [f"{name}: not possible here: it needs number, qr or card_reader in [entry]"]
    days, soonest, latest = (in_words(each) for each in row.means.days(attempts))
    how = "number, QR code or card, then the face" if row.means.claim else "a face alone"
    span = soonest if soonest == latest else f"{soonest} to {latest}"
    guess = ", estimated: larger than what was measured" if row.means.estimated else ""
    said = [f"{name}{' (set)' if row.now else ''}: {how}: at most one wrong acceptance in {days} ({span}{guess})"]
    said.append(f'    [policy] fpir = {row.terms.fpir:g}   [entry] verification = "{row.terms.verification.value}"')
    if row.terms.verification is not Verification.ALWAYS:
        said.append(f"    a face alone carries {row.means.carries} people with {references} references each")
    return said


def _json(row: LevelRow, attempts: int) -> dict[str, str | float | bool | None]:
    name = row.level.value if row.level else "configured"
    if row.means is None or row.terms is None:
        return {"level": name, "set": False, "possible": False}
    return {
        "level": name,
        "set": row.now,
        "possible": True,
        "fpir": row.terms.fpir,
        "verification": row.terms.verification.value,
        "claim": row.means.claim,
        "estimated": row.means.estimated,
        "rate": row.means.rate,
        "rate_low": row.means.interval[0],
        "rate_high": row.means.interval[1],
        "days": round(row.means.days(attempts)[0], 2),
        "face_alone_carries": row.means.carries,
    }


def _enrolled(home: Home, models: Models) -> Sizes:
    """The sizes of the gallery that is here; one person where there is none. Raises KioskError."""
    if not home.database.exists():
        return {1: 1}
    with closing(open_gallery(home, read_only=True, with_key=False)) as gallery:
        return gallery.sizes(models.embedder.model_id) or {1: 1}
