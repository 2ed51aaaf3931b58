"""`kiosk calibrate faces start|stop`: has templates of visits kept for a measurement, and ends that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from kiosk.cli.console import config_option, pass_home, say, settings, told_or_not
from kiosk.cli.doctor_check import Finding, ok
from kiosk.cli.moments import shown
from kiosk.cli.registers import ask_the_kiosk, own_gallery, running_kiosk
from kiosk.domain.audit import AuditReason
from kiosk.domain.errors import ConsentError, GalleryError
from kiosk.ipc.control_messages import BeginStudyRequest, EndStudyRequest
from kiosk.station import consent as texts
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.visits import LONGEST_DAYS, MOST, MOST_EACH, Visits


@click.command()
@click.option("--days", type=click.IntRange(1, LONGEST_DAYS), required=True, help="For so many days.")
@click.option(
    "--consent",
    "version",
    metavar="VERSION",
    help="Of who has agreed to this text, which says that visits are kept (`kiosk consent show visits-1`).",
)
@click.option(
    "--told", is_flag=True, help="Of everybody: all were told of it, and there is another ground than consent."
)
@config_option
@ask_the_kiosk
@pass_home
def start(home: Home, days: int, version: str | None, told: bool, config_file: Path | None) -> None:
    """Keeps templates of visits for some days, so that `kiosk calibrate faces show` can tell how many are refused.

    One for each visit of somebody whom a claim or PIN names, or the face; 20 of a person and 5,000 in all at most.
    Sealed with the person's own key, in no backup, erased at the end, with the person, and with the gallery's matrix or
    key. No decision waits for it. Never a picture.
    """
    if (version is None) is not told:
        raise ConsentError("say either --consent VERSION, or --told: nobody's visits are kept without their knowing it")
    text = None if version is None else texts.find(settings(config_file).consent, version).version
    ends = _begin(home, days, text)
    with told_or_not():
        whose = "everybody" if text is None else f"who has agreed to the text {text} (kiosk consent record WHO {text})"
        say(
            f"visits are kept until {shown(ends)}, of {whose}: {MOST_EACH} of a person and {MOST} in all at most",
            "see kiosk calibrate faces show; erased before then by: kiosk calibrate faces stop",
        )


@click.command()
@config_option
@ask_the_kiosk
@pass_home
def stop(home: Home, config_file: Path | None) -> None:
    """Erases all visits that are kept, and keeps no more."""
    running = running_kiosk()
    if running is not None:
        number = running.study(EndStudyRequest()).visits
    else:
        _refuse_none(home)
        with own_gallery(home) as gallery:
            number = Visits(gallery).end(AuditReason.ASKED)
    with told_or_not():
        say(f"{number} visits were erased, and none are kept from now on")


def findings(gallery: Gallery) -> Iterator[Finding]:
    """For `kiosk doctor`: that a study is under way."""
    visits = Visits(gallery)
    study = visits.study()
    if study is not None:
        yield ok(
            f"templates of visits are kept until {shown(study.ends)}: {visits.count()} so far",
            "kiosk calibrate faces stop",
        )


def _begin(home: Home, days: int, text: str | None) -> datetime:
    running = running_kiosk()
    if running is None:
        _refuse_none(home)
        with own_gallery(home) as gallery:
            return Visits(gallery).begin(days, text).ends
    ends = running.study(BeginStudyRequest(days=days, text=text)).ends
    assert ends is not None
    return ends


def _refuse_none(home: Home) -> None:
    if not home.database.exists():
        raise GalleryError(f"{home.database}: there is no gallery yet: enrol somebody first")
