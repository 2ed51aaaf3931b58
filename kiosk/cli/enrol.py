"""`kiosk enrol`: enrols a person, or enrols one again, from photographs or clips."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from kiosk.cli import consent, moments
from kiosk.cli.consent import consent_option
from kiosk.cli.console import (
    Row,
    called,
    complain,
    config_option,
    emit,
    json_option,
    pass_home,
    say,
    settings,
    told_or_not,
)
from kiosk.cli.enrol_list import enrol_list
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.cli.subjects import check_badge
from kiosk.domain.errors import GalleryError
from kiosk.domain.matching import enrol_again
from kiosk.domain.naming import cleaned
from kiosk.gui import probe
from kiosk.station import assembly
from kiosk.station.enrolment import Enroller, Enrolment, EnrolmentSample
from kiosk.station.register import Applicant
from kiosk.storage.home import Home
from kiosk.vision.models import load


@click.command()
@click.option("--name", help="Somebody new: the person's name, for people to read.")
@click.option("--again", metavar="WHO", help="Somebody enrolled, by id or name: new pictures in place of the old ones.")
@click.option("--valid-from", type=moments.MOMENT, help="Not let in before (local time).")
@click.option("--valid-until", type=moments.MOMENT, help="Not let in from then on (local time).")
@click.option("--badge", type=int, help="The number that a panel knows the person by ([panel]).")
@click.option("--number", is_flag=True, help="Choose a personal number for a new person, and print it.")
@consent_option
@click.option(
    "--csv", "table", metavar="FILE", type=click.Path(path_type=Path), help="Many at once, from a table (see below)."
)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@config_option
@json_option
@ask_the_kiosk
@pass_home
def enrol(
    home: Home,
    name: str | None,
    again: str | None,
    valid_from: datetime | None,
    valid_until: datetime | None,
    badge: int | None,
    number: bool,
    given: str | None,
    table: Path | None,
    sources: Sequence[Path],
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Enrols NAME, or WHO again, from photographs, folders of them, or clips of one person.

    All must show the same, single person. A poor photograph is left out, and said; of a clip the best frames are taken.
    Where a panel owns the lock, only a person with a badge number is let in. Enrol a person again after a change of the
    embedder, or with better pictures: id, validity and badge number stay. The new pictures must match the old
    references if these were made with the same network. If not, only you can tell who is on the pictures.

    --consent says which text the person has agreed to. Where [consent] requires it, a terminal shows the text and asks;
    a script must say it.

    --csv FILE takes a table instead: its first line is name,source and, if wanted, valid_from,valid_until,badge,
    consent,number,verify and extended; each further line is a person, whose source lies beside the table. A number is
    that of the person, or "new"; verify and extended are "yes" or "no" (kiosk subjects verify, extended). Who cannot be
    enrolled is named with the reason, the others are enrolled (exit status 1 then), and the same table can be given
    again.
    """
    if table is not None:
        if sources or number or (name, again, valid_from, valid_until, badge) != (None, None, None, None, None):
            raise click.UsageError("--csv: the table says who they are: give nothing else")
        click.get_current_context().exit(0 if enrol_list(home, table, config_file, as_json, given) else 1)
    if not sources:
        raise click.UsageError("name the pictures: photographs, a folder of them, or a clip")
    if (name is None) is (again is None):
        raise click.UsageError("name somebody new with --name, or somebody enrolled with --again")
    if again is not None and (number or (valid_from, valid_until, badge) != (None, None, None)):
        raise click.UsageError("--again leaves validity, badge and number as they are: see `kiosk subjects --help`")
    begin, end = moments.begin(valid_from), moments.end(valid_until)
    check_name(name)
    config = settings(config_file)
    if badge is not None:
        check_badge(badge, config)
    agreed = consent.given(config.consent, given, name or again or "")
    models = load(config.models, config.policy)
    enroller = assembly.enroller(config, models)
    samples = _samples(enroller, sources)
    model_id = models.embedder_entry.model_id
    enrolment = partial(Enrolment, enroller, models=models, called=lambda who: called(who.name, who.id, error=True))
    with register_of(home, model_id=model_id, enrolment=enrolment, earlier=models.compared[1:]) as register:
        if again is None:
            enrolled = register.enrol(samples, Applicant(name or "", begin, end, badge, agreed, number))
        else:
            enrolled = register.renew(samples, register.find(again).id, agreed)
    subject = enrolled.subject
    if enrolled.unusable:
        complain(enrol_again(enrolled.unusable))
    if lacking := probe.undrawable([] if subject.name.isascii() else [subject.name]):
        packages = " ".join(probe.font_packages(lacking))
        complain(f"no font here draws this name, the window leaves it out: sudo apt-get install {packages}")
    with told_or_not():
        if as_json:
            row: Row = {"subject": subject.id, "references": len(samples), "model_id": model_id}
            emit({**row, "number": subject.number} if number else row)
        else:
            who = called(subject.name, subject.id)
            told = f", number {subject.number}" if number else ""
            say(f"enrolled {who}{' again' if again else ''} with {len(samples)} reference(s){told}")


def _samples(enroller: Enroller, sources: Sequence[Path]) -> list[EnrolmentSample]:
    """The best samples; says which pictures were left out, and why. Raises SampleError."""
    gathered = enroller.gather(sources)
    samples = enroller.best(gathered.samples)
    for trouble in gathered.left_out:
        complain(f"left out: {trouble}")
    return samples


def check_name(name: str | None) -> None:
    """Checks the name before the pictures are read. Raises GalleryError for a text that cannot be a name."""
    try:
        cleaned(name if name is not None else "nobody new")
    except ValueError as error:
        raise GalleryError(str(error)) from error
