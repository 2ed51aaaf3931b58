"""`kiosk subjects number|qr|card|verify|extended`: other ways in for a person beside the face."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.asking import ask_secretly
from kiosk.cli.codes import check_place, code_options, hand_out
from kiosk.cli.console import called, complain, config_option, json_option, pass_home, say, told_or_not
from kiosk.cli.registers import ask_the_kiosk, register_of
from kiosk.cli.subject_lines import tell_of
from kiosk.domain.entry import Means
from kiosk.domain.errors import KioskError
from kiosk.domain.people import Need
from kiosk.storage.claims import card_text, digest, new_code
from kiosk.storage.home import Home


@click.command()
@click.argument("who")
@click.argument("number", required=False)
@click.option("--new", is_flag=True, help="One of six digits that nobody has.")
@click.option("--clear", is_flag=True, help="No number any more.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def number(
    home: Home, who: str, number: str | None, new: bool, clear: bool, config_file: Path | None, as_json: bool
) -> None:
    """Sets the personal NUMBER (4 to 8 digits) that a person types to say who it is. It is no secret."""
    if [number is not None, new, clear].count(True) != 1:
        raise click.UsageError("give a number, --new or --clear")
    with register_of(home) as register:
        subject = register.set_number(register.find(who).id, number, new)
    tell_of(subject, as_json)


@click.command()
@click.argument("who")
@code_options
@click.option("--clear", is_flag=True, help="No code any more.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def qr(
    home: Home, who: str, out: Path | None, show: bool, clear: bool, config_file: Path | None, as_json: bool
) -> None:
    """Makes a QR code that says who a person is, to be printed or shown on a telephone.

    The kiosk keeps no copy: a lost code is replaced by a new one, and the one of before is void at once.
    """
    if clear and (out is not None or show):
        raise click.UsageError("--clear makes no code")
    if not clear:
        check_place(out, show)
    code = None if clear else new_code()
    with register_of(home) as register:
        subject = register.set_code(register.find(who).id, Means.QR, None if code is None else digest(code))
    if code is not None:
        try:
            hand_out(code, out)
        except KioskError as error:
            raise KioskError(f"{error}; the code of before is void too: give the command again") from error
    tell_of(subject, as_json)
    if out is not None and not as_json:
        with told_or_not():
            say(f"written: {out} (give it to {called(subject.name, subject.id)} alone, then remove it)")


@click.command()
@click.argument("who")
@click.option("--clear", is_flag=True, help="No card any more.")
@config_option
@json_option
@ask_the_kiosk
@pass_home
def card(home: Home, who: str, clear: bool, config_file: Path | None, as_json: bool) -> None:
    """Learns a person's card: hold it before a reader that types like a keyboard, when the command asks."""
    with register_of(home) as register:
        found = register.find(who).id
        kept = None if clear else digest(card_text(ask_secretly("Hold the card before the reader")))
        subject = register.set_code(found, Means.CARD, kept)
    tell_of(subject, as_json)


def _need(need: Need, sentence: str) -> click.Command:
    @click.command(need.value, help=sentence)
    @click.argument("who")
    @click.option("--on", is_flag=True, help="From now on.")
    @click.option("--off", is_flag=True, help="No longer.")
    @config_option
    @json_option
    @ask_the_kiosk
    @pass_home
    def command(home: Home, who: str, on: bool, off: bool, config_file: Path | None, as_json: bool) -> None:
        if on is off:
            raise click.UsageError("give --on or --off")
        with register_of(home) as register:
            subject = register.set_need(register.find(who).id, need, on)
        tell_of(subject, as_json)
        if subject.verify and subject.number is None and need is Need.VERIFY:
            complain(f"{subject.id} has no number: give one, a QR code or a card, or this person cannot come in")

    return command


verify = _need(
    Need.VERIFY,
    "Says whether this person must say who it is (number, QR code, card) before the face counts: for people who look "
    "alike, or wherever a face alone is not enough.",
)
extended = _need(Need.EXTENDED, "Says whether the lock is released for longer for this person.")
COMMANDS = (number, qr, card, verify, extended)
