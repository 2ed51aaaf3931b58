"""`kiosk calibrate faces`: what the site's own gallery and visits say of errors, and of the level of security."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import click
import numpy as np

from kiosk.cli.calibrate_lines import Found, Seen, draw, lines
from kiosk.cli.calibrate_lines import row as row_of
from kiosk.cli.calibrate_study import start, stop
from kiosk.cli.console import bar, config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.evaluate.common import check_outputs, plot_option, report_option, write_report
from kiosk.cli.level import attempts_option
from kiosk.config import Config
from kiosk.domain.decision import Proof
from kiosk.domain.errors import GalleryError
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Reference
from kiosk.domain.security_level import LevelRow
from kiosk.domain.thresholds import Thresholds
from kiosk.evaluation.site import (
    Faces,
    FalseMatches,
    Kept,
    advise,
    false_matches,
    false_non_matches,
    mated_scores,
    searched,
)
from kiosk.station import levels
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import TEMPLATE_BYTES
from kiosk.storage.visits import Visit, Visits
from kiosk.vision.models import Models, load


@click.group()
def faces() -> None:
    """How often this site's own people are taken for one another, or refused."""


faces.add_command(start)
faces.add_command(stop)


@faces.command()
@attempts_option
@report_option
@plot_option
@config_option
@json_option
@pass_home
def show(
    home: Home, attempts: int, report: Path | None, plot: Path | None, config_file: Path | None, as_json: bool
) -> None:
    """Compares this site's people with one another, and says what that means for the level of security.

    With visits that are kept (start) it compares these too, and says how many of them the threshold refuses.
    Templates are compared in memory only, and nothing is changed. It prints a command, if a stricter level is better;
    never one for a laxer level.
    """
    check_outputs(plot, report)
    config = settings(config_file)
    models = load(config.models, config.policy)
    found = _measured(home, config, models)
    row = row_of(found, attempts)
    if plot:
        draw(found, plot)
    if report:
        write_report(report, row)
    if as_json:
        emit(row)
    else:
        say(*lines(found, attempts))


def _measured(home: Home, config: Config, models: Models) -> Found:
    """Raises GalleryError where there are not two people to compare."""
    with closing(open_gallery(home, read_only=True)) as opened:
        enrolled = opened.enrolled(models.embedder.model_id)
        sizes = opened.sizes(models.embedder.model_id)
        kept = Visits(opened)
        visits, unproven = [v for v in kept.kept() if v.model_id == models.embedder.model_id], kept.counted()
        watched = kept.study() is not None
    if sum(sizes.values()) < 2:
        raise GalleryError("fewer than two people of this network are enrolled: there is nobody to compare")
    points = models.embedder_entry.operating_points()
    possible = [row for row in levels.rows(config, points, sizes) if row.means is not None]
    scores = sorted({*(p.score for p in points), *(row.means.score for row in possible if row.means)})
    who = {one: place for place, one in enumerate(sorted({r.subject_id for r in enrolled.references}))}
    all_, cohort = _faces(enrolled.references, who), enrolled.turning.cohort(models.cohort)
    visits = [visit for visit in visits if visit.subject_id in who]
    with bar("Templates", len(enrolled.references) + len(visits)) as progress:
        found = false_matches(all_, all_, cohort, scores, progress.update)
        seen = _of_visits(visits, unproven, who, all_, cohort, scores, progress.update) if visits or unproven else None
    frames = config.attempt.window / config.attempt.needed
    rows = tuple((row, _kept(row, found, seen)) for row in possible)
    now = advise([kept for _, kept in rows])
    fixed = config.policy.threshold is not None
    return Found(
        len(enrolled.references), found, seen, watched, rows, now, Thresholds(points, config.policy.fpir), frames, fixed
    )


def _faces(made: Sequence[Reference] | Sequence[Visit], who: dict[str, int]) -> Faces:
    rows = np.stack([each.template for each in made]) if made else np.empty((0, TEMPLATE_BYTES), np.int8)
    return Faces(rows, np.array([who[each.subject_id] for each in made], np.intp))


def _of_visits(
    visits: Sequence[Visit],
    unproven: int,
    who: dict[str, int],
    references: Faces,
    cohort: Cohort,
    scores: Sequence[float],
    moved: Callable[[int], object],
) -> Seen:
    named = [visit for visit in visits if visit.proof is not Proof.SEARCH]
    probes = _faces(named, who)
    mated = mated_scores(probes, references, cohort)
    return Seen(
        {proof: sum(v.proof is proof for v in visits) for proof in (Proof.PIN, Proof.VERIFICATION, Proof.SEARCH)},
        sum(not visit.granted for visit in named),
        unproven,
        false_matches(_faces(visits, who), references, cohort, scores, moved),
        tuple(false_non_matches(mated, probes.owners, score) for score in scores),
    )


def _kept(row: LevelRow, found: FalseMatches, seen: Seen | None) -> Kept:
    """By the gallery, or by the visits if they show more errors for certain."""
    assert row.means is not None
    assert row.terms is not None
    score, people = row.means.score, row.means.people
    points = [*found.points, *(seen.matches.points if seen else ())]
    rates = [searched(point.searches, people) for point in points if point.score == score]
    return Kept(row.level, row.now, row.terms.fpir, max(rates, key=lambda rate: rate[1]))
