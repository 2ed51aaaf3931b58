"""`kiosk subjects`: lists and changes the enrolled subjects."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli import subjects_erase, subjects_export, subjects_ways
from kiosk.cli.asking import ask_secretly
from kiosk.cli.console import complain, config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.cli.subject_lines import line, row, tell_of
from kiosk.config import Config
from kiosk.domain.badge import LARGEST_BADGE
from kiosk.domain.errors import ConfigError, GalleryError, ModelError
from kiosk.domain.rights import Role
from kiosk.storage.home import Home
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder


def check_badge(badge: int, config: Config) -> None:
    """Raises GalleryError for a badge number that does not fit into the panel's card format (without a panel: any
    format)."""
    largest = LARGEST_BADGE if config.panel is None else config.panel.cards.largest
    if not 1 <= badge <= largest:
        where = "" if config.panel is None else f" in the {config.panel.card_bits} bits of [panel]"
        raise GalleryError(f"{badge}: a badge number is 1 to {largest}{where}")


def compared_models(config_file: Path | None) -> tuple[str, ...]:
    """The model_ids whose references are compared, that of the configured embedder first. If they cannot be found,
    prints why on standard error and returns none: an admin who must shut somebody out needs the list then too."""
    try:
        models = settings(config_file).models
        manifest = Manifest(models.folder or default_folder())
        names = (models.embedder, *(() if models.previous is None else (models.previous,)))
        return tuple(manifest.entry(name, EmbedderEntry).model_id for name in names)
    except (ConfigError, ModelError) as error:
        complain(f"{error}; who is to be enrolled again is not known")
        return ()


@click.group()
def subjects() -> None:
    """Who is enrolled, and what each person is known by: list, show, change, export, erase."""


@subjects.command("list")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def list_(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Lists everybody in the order of enrolment, and marks who must be enrolled again because of another network."""
    compared = compared_models(config_file)
    model_id = compared[0] if compared else None
    with register_of(home, read_only=True, model_id=model_id, earlier=compared[1:]) as register:
        everybody = register.everybody()
    for each in everybody:
        if as_json:
            emit({**row(each.subject), "enrol_again": each.enrol_again})
        else:
            say(line(each.subject, each.enrol_again is True))
    if not everybody and not as_json:
        say("nobody is enrolled: see `kiosk enrol --help`")


@subjects.command()
@click.argument("who")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def show(home: Home, who: str, config_file: Path | None, as_json: bool) -> None:
    """Shows one subject, given by id, by the beginning of the id, or by name."""
    with register_of(home, read_only=True) as register:
        subject = register.find(who)
    if as_json:
        emit(row(subject))
    else:
        say(line(subject))


@subjects.command()
@click.argument("who")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def disable(home: Home, who: str, config_file: Path | None, as_json: bool) -> None:
    """Shuts somebody out without forgetting them."""
    _switch(home, who, True, as_json)


@subjects.command()
@click.argument("who")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def enable(home: Home, who: str, config_file: Path | None, as_json: bool) -> None:
    """Lets somebody in again."""
    _switch(home, who, False, as_json)


@subjects.command()
@click.argument("who")
@click.argument("number", type=int, required=False)
@click.option("--clear", is_flag=True, help="No number any more.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def badge(home: Home, who: str, number: int | None, clear: bool, config_file: Path | None, as_json: bool) -> None:
    """Sets the badge NUMBER by which a panel knows a person ([panel] in the configuration)."""
    if (number is None) is not clear:
        raise click.UsageError("give the badge's number, or --clear")
    if number is not None:
        check_badge(number, settings(config_file))
    with register_of(home) as register:
        subject = register.set_badge(register.find(who).id, number)
    tell_of(subject, as_json)


@subjects.command()
@click.argument("who")
@click.option("--clear", is_flag=True, help="No PIN any more.")
@click.option("--duress", is_flag=True, help="A second one too, which opens like the first and calls for help.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def pin(home: Home, who: str, clear: bool, duress: bool, config_file: Path | None, as_json: bool) -> None:
    """Gives a person a PIN, which the person types; for admins and root. A forgotten one is replaced in this way.

    With --duress the person types two, which differ by more than a slip of the finger. Whoever is made to open the
    door types the second: the door opens, nothing there shows a difference, and only remote notifiers are told. A new
    PIN ends the duress PIN of before.
    """
    if clear and duress:
        raise click.UsageError("--clear takes both PINs away")
    with register_of(home) as register:
        found = register.find(who).id
        first = None if clear else ask_secretly("PIN, typed by the person", again=True)
        second = ask_secretly("Duress PIN, typed by the person", again=True) if duress else None
        subject = register.set_pin(found, first, second)
    tell_of(subject, as_json)


@subjects.command()
@click.argument("who")
@click.argument("role", type=click.Choice([*(each.value for each in Role), "none"]))
@config_option
@json_option
@ask_the_kiosk
@pass_home
def role(home: Home, who: str, role: str, config_file: Path | None, as_json: bool) -> None:
    """Says what a person with a PIN may do at the kiosk; for admins and root. There is no role without a PIN."""
    with register_of(home) as register:
        subject = register.set_role(register.find(who).id, None if role == "none" else Role(role))
    tell_of(subject, as_json)


def _switch(home: Home, who: str, disabled: bool, as_json: bool) -> None:
    with register_of(home) as register:
        subject = register.set_disabled(register.find(who).id, disabled)
    tell_of(subject, as_json)


for each_way in subjects_ways.COMMANDS:
    subjects.add_command(each_way)
subjects.add_command(subjects_export.export)
subjects.add_command(subjects_erase.erase)
subjects.add_command(subjects_erase.erase, "remove")  # its name of before
