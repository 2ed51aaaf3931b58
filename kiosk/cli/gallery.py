"""`kiosk gallery check`: finds faults of the gallery by clustering its templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from kiosk.cli.console import Row, called, config_option, emit, json_option, pass_home, say, settings
from kiosk.domain.clusters import Findings, Limits, check
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import load

FOUND = 1
"""Exit status when something was found."""


@click.group()
def gallery() -> None:
    """Looks after the gallery as a whole."""


@gallery.command("check")
@config_option
@json_option
@pass_home
def check_command(home: Home, config_file: Path | None, as_json: bool) -> None:
    """Finds one person enrolled twice, two people under one name, and people who are hard to tell apart.

    Compares all templates with one another, in memory only, and changes nothing. What it finds are hints: look at the
    people before you remove anybody. Ends with 1 when it found something.
    """
    config = settings(config_file)
    models = load(config.models, config.policy)
    with closing(open_gallery(home, read_only=True)) as opened:
        enrolled = opened.enrolled(models.embedder.model_id)
        sizes = opened.sizes(models.embedder.model_id)
        names = {subject.id: subject.name for subject in opened.subjects()}
    threshold = models.thresholds.for_gallery(sizes).score
    limits = Limits.of(models.embedder_entry.operating_points(), sum(sizes.values()), threshold)
    found = check(enrolled.references, enrolled.turning.cohort(models.cohort), limits)
    if as_json:
        for row in _rows(found):
            emit(row)
    else:
        _tell(found, threshold, lambda subject: called(names.get(subject, subject), subject))
    if found.mixtures or found.duplicates or found.look_alikes:
        click.get_current_context().exit(FOUND)


def _rows(found: Findings) -> Iterator[Row]:
    for duplicate in found.duplicates:
        of: list[Row] = [
            {"subject": subject, "all_references": subject not in duplicate.stray} for subject in duplicate.subjects
        ]
        yield {"kind": "one_person_twice", "score": round(duplicate.score, 4), "subjects": of}
    for mixture in found.mixtures:
        parts: list[Row] = [
            {"reference": r, "person": place} for place, group in enumerate(mixture.groups, 1) for r in group
        ]
        yield {"kind": "several_people", "score": round(mixture.score, 4), "subject": mixture.subject_id,
               "references": parts}  # fmt: skip
    for pair in found.look_alikes:
        both: list[Row] = [{"subject": pair.first}, {"subject": pair.second}]
        yield {"kind": "hard_to_tell_apart", "score": round(pair.score, 4), "subjects": both}


def _tell(found: Findings, threshold: float, who: Callable[[str], str]) -> None:
    say(f"{found.references} references of {found.subjects} people; the door's threshold is {threshold:.3f}")
    for duplicate in found.duplicates:
        people = " and ".join(map(who, duplicate.subjects))
        say(f"one person twice? {people} (score {duplicate.score:.3f})")
        for subject in duplicate.stray:
            say(f"    of {who(subject)} only some references: are they somebody else's pictures?")
        say("    if it is one person: kiosk subjects erase WHO, but one of them")
    for mixture in found.mixtures:
        parts = " + ".join(str(len(group)) for group in mixture.groups)
        say(f"two people under one name? {who(mixture.subject_id)}: {parts} references (score {mixture.score:.3f})")
        say("    take new pictures of this person: kiosk enrol --again")
    for pair in found.look_alikes:
        say(f"hard to tell apart: {who(pair.first)} and {who(pair.second)} (score {pair.score:.3f})")
        say("    let both say who they are before the face counts: kiosk subjects verify WHO --on")
    if not (found.duplicates or found.mixtures or found.look_alikes):
        say("nothing is wrong")
