"""`kiosk enrol`: enrols a person, or enrols one again, from photographs or clips."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click

from kiosk.cameras.sources import is_clip, stills
from kiosk.cli import moments
from kiosk.cli.console import called, complain, config_option, emit, json_option, pass_home, say, settings, told_or_not
from kiosk.cli.subjects import check_badge
from kiosk.domain.errors import GalleryError, SampleError
from kiosk.domain.matching import ReferenceMatrix, enrol_again
from kiosk.domain.naming import cleaned
from kiosk.domain.people import NewReference
from kiosk.gui import probe
from kiosk.station import assembly
from kiosk.station.enrolment import Enroller, EnrolmentSample, with_another
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import load

CLIP_STEP = 5
"""Of a clip, enrolment uses every fifth frame."""


@click.command()
@click.option("--name", help="Somebody new: the person's name, for people to read.")
@click.option("--again", metavar="WHO", help="Somebody enrolled, by id or name: new pictures in place of the old ones.")
@click.option("--valid-from", type=moments.MOMENT, help="Not let in before (local time).")
@click.option("--valid-until", type=moments.MOMENT, help="Not let in from then on (local time).")
@click.option("--badge", type=int, help="The number that a panel knows the person by ([panel]).")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@json_option
@pass_home
def enrol(
    home: Path,
    name: str | None,
    again: str | None,
    valid_from: datetime | None,
    valid_until: datetime | None,
    badge: int | None,
    sources: Sequence[Path],
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Enrols NAME, or WHO again, from photographs, folders of them, or clips of one person.

    All must show the same, single person. A poor photograph is refused; of a clip the best frames are taken. Where a
    panel owns the lock, only a person with a badge number is let in. Enrol a person again after a change of the
    embedder, or with better pictures: id, validity and badge number stay. The new pictures must match the old
    references if these were made with the same network. If not, only you can tell who is on the pictures.
    """
    if (name is None) is (again is None):
        raise click.UsageError("name somebody new with --name, or somebody enrolled with --again")
    if again is not None and (valid_from, valid_until, badge) != (None, None, None):
        raise click.UsageError("--again leaves validity and badge as they are: see `kiosk subjects --help`")
    begin, end = moments.begin(valid_from), moments.end(valid_until)
    check_name(name)
    config = settings(config_file)
    if badge is not None:
        check_badge(badge, config)
    models = load(config.models, config.policy)
    enroller = assembly.enroller(config, models)
    samples = enroller.best([s for source in sources for s in gather(enroller, source)])
    entry = models.embedder_entry
    new = [NewReference(s.template, entry.model_id, s.quality) for s in samples]
    with closing(open_gallery(Home(home))) as gallery:
        subject = None if again is None else gallery.find(again)
        known = gallery.references(entry.model_id)
        own_id = None if subject is None else subject.id
        own = [r for r in known if r.subject_id == own_id]
        others = [r for r in known if r.subject_id != own_id]
        rest = ReferenceMatrix(entry.model_id, entry.dimension, models.cohort, others)
        twin = enroller.already(samples, rest)
        if twin is not None:
            other = gallery.subject(twin)
            who = called(other.name, other.id, error=True) if other else twin
            raise SampleError(
                f"the pictures look like {who}, who is enrolled already: enrol them --again, or remove them"
            )
        if len(samples) > len(own):
            enroller.refuse_too_many(with_another(rest.sizes, len(samples)))
        if subject is not None:
            # Id, badge and validity must not pass to another person's face, as far as that can be detected.
            old = ReferenceMatrix(entry.model_id, entry.dimension, models.cohort, own)
            if own and enroller.already(samples, old) is None:
                who = called(subject.name, subject.id, error=True)
                raise SampleError(
                    f"the pictures do not look like {who} as enrolled: "
                    "if it is the same person, remove them and enrol them anew"
                )
            gallery.renew(subject.id, new)
        else:
            subject = gallery.add_subject(name or "", new, begin, end, badge)
        unusable = gallery.unusable(entry.model_id)
    if unusable:
        complain(enrol_again(unusable))
    if lacking := probe.undrawable([] if subject.name.isascii() else [subject.name]):
        packages = " ".join(probe.font_packages(lacking))
        complain(f"no font here draws this name, the window leaves it out: sudo apt-get install {packages}")
    with told_or_not():
        if as_json:
            emit({"subject": subject.id, "references": len(samples), "model_id": entry.model_id})
        else:
            who = called(subject.name, subject.id)
            say(f"enrolled {who}{' again' if again else ''} with {len(samples)} reference(s)")


def check_name(name: str | None) -> None:
    """Checks the name before the pictures are read. Raises GalleryError for a text that cannot be a name."""
    try:
        cleaned(name if name is not None else "nobody new")
    except ValueError as error:
        raise GalleryError(str(error)) from error


def gather(enroller: Enroller, source: Path) -> list[EnrolmentSample]:
    """The samples of one source. Raises SampleError for a poor photograph, or for a clip without a good frame."""
    if not is_clip(source):
        return [enroller.sample(still) for still in stills(source)]
    good: list[EnrolmentSample] = []
    poor = SampleError(f"{source}: the clip holds no frames")
    for still in stills(source):
        if still.number % CLIP_STEP:
            continue
        try:
            good.append(enroller.sample(still))
        except SampleError as error:
            poor = error
    if not good:
        raise poor
    return enroller.best_of_clip(good)
