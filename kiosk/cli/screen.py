"""`kiosk screen`: how the screen speaks, in units that people use."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.console import config_option, emit, json_option, say, settings
from kiosk.cli.level import RESTART
from kiosk.cli.numbers import Finite
from kiosk.cli.rewriting import Value, change
from kiosk.gui.catalogue import texts


@click.group()
def screen() -> None:
    """Reading distance, languages and sounds of the screen."""


@screen.command()
@config_option
@json_option
def show(config_file: Path | None, as_json: bool) -> None:
    """Shows what is set."""
    config = settings(config_file).screen
    if as_json:
        emit(
            {"distance_m": config.distance_mm / 1000, "languages": ",".join(config.languages), "sounds": config.sounds}
        )
        return
    say(f"distance   {config.distance_mm / 1000:g} m: people read the screen from here")
    say(f"languages  {', '.join(config.languages)}: the screen begins with the first")
    say(f"sounds     {'on' if config.sounds else 'off'}")


@screen.command("set")
@click.option("--distance", type=Finite(0.3, 5.0), help="From where people read the screen, in metres.")
@click.option("--languages", help="As codes, the first one first: de,en")
@click.option("--sounds/--no-sounds", default=None, help="A tone when somebody is let in, and when not.")
@config_option
def set_(distance: float | None, languages: str | None, sounds: bool | None, config_file: Path | None) -> None:
    """Sets these in the configuration file, whose comments stay.

    The kiosk reads it when it starts again.
    """
    values: list[tuple[str, str, Value]] = []
    if distance is not None:
        values.append(("screen", "distance_mm", round(1000 * distance, 1)))
    if languages is not None:
        codes = [code.strip() for code in languages.split(",")]
        for code in codes:
            texts(code)  # raises ConfigError, which says in which languages there are texts
        values.append(("screen", "languages", codes))
    if sounds is not None:
        values.append(("screen", "sounds", sounds))
    if not values:
        raise click.UsageError("nothing to set: say --distance, --languages or --sounds/--no-sounds")
    path = change(config_file, values)
    say(f"{path}: set", RESTART)
