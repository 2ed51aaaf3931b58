"""`kiosk enrol --csv FILE`: enrols many people at once, from a table and their folders of photographs.

The table is read and checked as a whole before anybody is enrolled. Then each person stands alone: who cannot be
enrolled is named with the reason, and the others are enrolled. Whoever is enrolled already is passed over, so that the
same table can be given again after the pictures that were refused have been taken anew.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from kiosk.cli import moments
from kiosk.cli.consent import given
from kiosk.cli.console import called, emit, progress, say, settings, told_or_not
from kiosk.cli.registers import register_of
from kiosk.cli.subjects import check_badge
from kiosk.config import Config
from kiosk.domain.errors import CameraError, ConsentError, KioskError, SampleError, UnsafeError, os_trouble
from kiosk.domain.naming import cleaned
from kiosk.domain.number import checked
from kiosk.domain.people import Consent, Need, Subject
from kiosk.station import assembly
from kiosk.station.enrolment import Enroller, Enrolment
from kiosk.station.register import Applicant, Register
from kiosk.storage.home import Home
from kiosk.system.files import read_at_most
from kiosk.vision.models import load

REQUIRED, OPTIONAL = ("name", "source"), ("valid_from", "valid_until", "badge", "consent", "number", *Need)
LARGEST = 1 << 20
"""Bytes of a table: thousands of people."""
CHOSEN = "new"
"""In the column number: the kiosk chooses one."""


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the table. Times in UTC."""

    line: int
    name: str
    source: Path
    valid_from: datetime | None
    valid_until: datetime | None
    badge: int | None
    consent: Consent | None
    number: str | None
    """CHOSEN, or the personal number itself."""
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line. `trouble` says why nobody was enrolled; `already`: the person was there before."""

    line: int
    subject: Subject | None = None
    references: int = 0
    already: bool = False
    trouble: str = ""
    left_out: tuple[str, ...] = ()
    """What is wrong with pictures that were not used."""


def enrol_list(home: Home, file: Path, config_file: Path | None, as_json: bool, consented: str | None = None) -> bool:
    """Enrols the people of a table. `consented`: the text that all have agreed to whose line names no other. True when
    all of them are enrolled now. Raises KioskError; who was enrolled before it stays enrolled."""
    config = settings(config_file)
    people = read_list(file, config, consented)
    models = load(config.models, config.policy)
    enroller = assembly.enroller(config, models)
    enrolment = partial(Enrolment, enroller, models=models, called=lambda who: called(who.name, who.id, error=True))
    with register_of(home, model_id=models.compared[0], enrolment=enrolment, earlier=models.compared[1:]) as register:
        _refuse_taken(file, people, [each.subject for each in register.everybody()])
        with progress(people, "enrolling") as shown:
            results = [_enrol(person, enroller, register) for person in shown]
    with told_or_not():
        _tell(results, as_json)
    return all(result.subject for result in results)


def read_list(file: Path, config: Config, consented: str | None = None) -> list[Person]:
    """The table: UTF-8, with a header, commas or semicolons between the columns; sources are relative to its folder.
    Raises KioskError, which names the line, for anything that is missing, unknown, or there twice."""
    try:
        text = read_at_most(file, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KioskError(f"{file}: this is no text in UTF-8: save it as CSV (UTF-8)") from error
    except OSError as error:
        raise KioskError(f"{file}: {os_trouble(error)}") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in head and "," not in head else ",", strict=True)
    columns = [(name or "").strip().lower() for name in reader.fieldnames or []]
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in REQUIRED + OPTIONAL]
    if missing or unknown or len(set(columns)) != len(columns):
        what = (
            f"{missing[0]} is missing" if missing else f"{unknown[0]!r} is unknown" if unknown else "one is there twice"
        )
        raise KioskError(f"{file}: its first line names the columns {', '.join(REQUIRED + OPTIONAL)}: {what}")
    reader.fieldnames = columns
    try:
        people = [_person(row, file, reader.line_num, config, consented) for row in reader if _filled(row)]
    except csv.Error as error:
        raise KioskError(f"{file}, line {reader.line_num}: {error}") from error
    if not people:
        raise KioskError(f"{file}: nobody is in it")
    _refuse_twice(file, people, "name", lambda person: person.name)
    _refuse_twice(file, people, "badge number", lambda person: person.badge)
    _refuse_twice(file, people, "personal number", _own_number)
    return people


def _filled(row: dict[str, str | None]) -> bool:
    """Whether it is more than separators, which office programs write below a table."""
    return any(value for value in row.values())


def _person(row: dict[str, str | None], file: Path, line: int, config: Config, consented: str | None) -> Person:
    values = {name: (row.get(name) or "").strip() for name in REQUIRED + OPTIONAL}
    try:
        if None in row or None in row.values():
            raise ValueError("it has more or fewer columns than the first line")
        source = file.parent / values["source"]
        if not values["source"] or not source.exists():
            raise ValueError(f"{source}: there are no pictures: name a photograph, a folder of them, or a clip")
        begin, end = (_moment(values[name]) for name in ("valid_from", "valid_until"))
        valid_from, valid_until = moments.begin(begin), moments.end(end)
        if valid_from is not None and valid_until is not None and valid_from >= valid_until:
            raise ValueError("the validity ends before it begins")
        badge = _badge(values["badge"], config)
        agreed = _consent(values["consent"] or consented, config)
        number = values["number"] or None
        if number not in {None, CHOSEN}:
            checked(values["number"])
        needs = tuple(need for need in Need if _yes(need, values[need]))
        name = cleaned(values["name"])
        return Person(line, name, source, valid_from, valid_until, badge, agreed, number, needs)
    except click.ClickException as error:
        raise KioskError(f"{file}, line {line}: {error.format_message()}") from error
    except (ValueError, OSError, KioskError) as error:
        raise KioskError(f"{file}, line {line}: {error}") from error


def _moment(text: str) -> datetime | None:
    return None if not text else moments.MOMENT.convert(text, None, None)


def _badge(text: str, config: Config) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{text!r} is no badge number")
    check_badge(int(text), config)
    return int(text)


def _yes(column: str, text: str) -> bool:
    if text.lower() not in {"", "no", "yes"}:
        raise ValueError(f"{column}: yes, no or nothing, not {text!r}")
    return text.lower() == "yes"


def _own_number(person: Person) -> str | None:
    return None if person.number == CHOSEN else person.number


def _consent(name: str | None, config: Config) -> Consent | None:
    """Nobody can be asked for each line."""
    if name is None and config.consent.required:
        raise ConsentError("[consent] required: say which text they have agreed to: --consent, or a column consent")
    return given(config.consent, name, "")


def _refuse_twice(file: Path, people: list[Person], what: str, key: Callable[[Person], object]) -> None:
    first: dict[object, int] = {}
    for person in people:
        value = key(person)
        if value is not None and first.setdefault(value, person.line) != person.line:
            raise KioskError(f"{file}, line {person.line}: the {what} of line {first[value]} again")


def _refuse_taken(file: Path, people: list[Person], enrolled: list[Subject]) -> None:
    owners = {("badge", str(subject.badge)): subject for subject in enrolled if subject.badge is not None}
    owners |= {("number", subject.number): subject for subject in enrolled if subject.number is not None}
    for person in people:
        for what, value in (("badge", person.badge), ("number", _own_number(person))):
            owner = None if value is None else owners.get((what, str(value)))
            if owner is not None and owner.name != person.name:
                raise KioskError(
                    f"{file}, line {person.line}: {what} {value} is that of {owner.id}: clear it there first"
                )


def _enrol(person: Person, enroller: Enroller, register: Register) -> Result:
    validity, chosen = (person.valid_from, person.valid_until), person.number == CHOSEN
    who = Applicant(person.name, *validity, person.badge, person.consent, chosen, _own_number(person), person.needs)
    try:
        gathered = enroller.gather([person.source])
        samples = enroller.best(gathered.samples)
        enrolled = register.enrol(samples, who, once=True)
    except (SampleError, UnsafeError, CameraError) as error:
        return Result(person.line, trouble=str(error))
    references = 0 if enrolled.already else len(samples)
    return Result(person.line, enrolled.subject, references, enrolled.already, left_out=tuple(gathered.left_out))


def _tell(results: list[Result], as_json: bool) -> None:
    if as_json:
        for result in results:
            who = result.subject.id if result.subject else None
            known = {
                "already": result.already,
                "number": result.subject.number if result.subject else None,
                "error": result.trouble or None,
                "left_out": "; ".join(result.left_out) or None,
            }
            emit({"line": result.line, "subject": who, "references": result.references, **known})
        return
    say(*_lines(results))


def _lines(results: list[Result]) -> Iterator[str]:
    for result in results:
        if result.subject is None:
            yield f"line {result.line}: NOT enrolled: {result.trouble}"
        else:
            who = called(result.subject.name, result.subject.id)
            how = "was enrolled already" if result.already else f"enrolled with {result.references} reference(s)"
            how += f", number {result.subject.number}" if result.subject.number else ""
            yield f"line {result.line}: {who} {how}"
            yield from (f"line {result.line}: left out: {trouble}" for trouble in result.left_out)
    missing = sum(result.subject is None for result in results)
    yield f"{len(results) - missing} of {len(results)} are enrolled" + (
        ": give the same table again" if missing else ""
    )
