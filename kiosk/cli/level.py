"""`kiosk level`: what the levels of security mean at this door, in words."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from kiosk.cli.console import config_option, emit, json_option, pass_home, say, settings
from kiosk.config import Config
from kiosk.domain.security_level import ATTEMPTS_A_DAY, LEVELS, Meaning, Terms, in_words, meaning
from kiosk.domain.thresholds import Sizes, Thresholds
from kiosk.domain.verification import Verification
from kiosk.sections import PolicyConfig
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import Models, load


@click.command()
@click.option("--people", type=click.IntRange(1, 1_000_000), help="For so many people.  [default: who is enrolled]")
@click.option("--references", type=click.IntRange(1, 100), default=5, show_default=True, help="Of each of --people.")
@click.option(
    "--attempts",
    type=click.IntRange(1, 1_000_000),
    default=ATTEMPTS_A_DAY,
    show_default=True,
    help="Attempts of strangers a day.",
)
@config_option
@json_option
@pass_home
def level(
    home: Home, people: int | None, references: int, attempts: int, config_file: Path | None, as_json: bool
) -> None:
    """Says what the configuration and each level of security mean: how often a stranger would be let in at most.

    The figures are bounds, from what was measured of the network, each with its 95% interval. A level is set by two
    lines of the configuration, which are printed.
    """
    config = settings(config_file)
    models = load(config.models, config.policy)
    sizes = _enrolled(home, models) if people is None else {references: people}
    number = sum(sizes.values())
    own = Terms(config.policy.fpir, config.entry.verification)
    rows = [("configured", own), *((name.value, terms) for name, terms in LEVELS.items())]
    if not as_json:
        say(f"for {number} {'person' if number == 1 else 'people'} and {attempts} attempts of strangers a day:")
    for name, terms in rows:
        policy = config.policy if name == "configured" else PolicyConfig(fpir=terms.fpir)
        means = _meaning(config, models, policy, terms, sizes)
        days, soonest, latest = means.days(attempts)
        if as_json:
            emit(
                {
                    "level": name,
                    "fpir": terms.fpir,
                    "verification": terms.verification.value,
                    "claim": means.claim,
                    "rate": means.rate,
                    "rate_low": means.interval[0],
                    "rate_high": means.interval[1],
                    "days": round(days, 2),
                    "face_alone_carries": means.carries,
                }
            )
            continue
        how = "number, QR code or card, then the face" if means.claim else "a face alone"
        span = (
            in_words(soonest) if in_words(soonest) == in_words(latest) else f"{in_words(soonest)} to {in_words(latest)}"
        )
        say(f"{name}: {how}: at most one wrong acceptance in {in_words(days)} ({span})")
        say(f'    [policy] fpir = {terms.fpir:g}   [entry] verification = "{terms.verification.value}"')
        if terms.verification is not Verification.ALWAYS:
            say(
                f"    a face alone carries {means.carries} people with {max(sizes, default=references)} references each"
            )


def _enrolled(home: Home, models: Models) -> Sizes:
    """The sizes of the gallery that is here; one person where there is none. Raises KioskError."""
    if not home.database.exists():
        return {1: 1}
    with closing(open_gallery(home, read_only=True, with_key=False)) as gallery:
        return gallery.sizes(models.embedder.model_id) or {1: 1}


def _meaning(config: Config, models: Models, policy: PolicyConfig, terms: Terms, sizes: Sizes) -> Meaning:
    """Of these terms, with the configured networks."""
    thresholds = Thresholds(models.embedder_entry.operating_points(), policy.fpir, policy.threshold)
    return meaning(thresholds, terms, sizes, config.attempt.window / config.attempt.needed)
