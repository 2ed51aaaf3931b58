"""`kiosk calibrate faces`: what the site's own gallery says of false matches, and of the level of security."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from kiosk.cli.console import Row, bar, config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.evaluate.common import check_outputs, number, plot_option, report_option, write_report
from kiosk.config import Config
from kiosk.domain.errors import GalleryError
from kiosk.domain.security_level import ATTEMPTS_A_DAY, LevelRow, in_words
from kiosk.domain.thresholds import Thresholds
from kiosk.evaluation import plots
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.site import AtScore, Faces, FalseMatches, Kept, advise, false_matches, searched
from kiosk.station import levels
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import Models, load

HOUR = 1 / 24
"""Of a day. Words for a time begin with it."""


@click.group()
def faces() -> None:
    """False matches among this site's own people."""


@faces.command()
@click.option(
    "--attempts",
    type=click.IntRange(1, 1_000_000),
    default=ATTEMPTS_A_DAY,
    show_default=True,
    help="Attempts of strangers a day.",
)
@report_option
@plot_option
@config_option
@json_option
@pass_home
def show(
    home: Home, attempts: int, report: Path | None, plot: Path | None, config_file: Path | None, as_json: bool
) -> None:
    """Compares this site's people with one another, and says what that means for the level of security.

    Templates are compared in memory only, and nothing is changed. It prints a command, if a stricter level is better;
    never one for a laxer level.
    """
    check_outputs(plot, report)
    config = settings(config_file)
    models = load(config.models, config.policy)
    found = _measured(home, config, models)
    row = _row(found, attempts)
    if plot:
        _draw(found, plot)
    if report:
        write_report(report, row)
    if as_json:
        emit(row)
    else:
        say(*_lines(found, attempts))


@dataclass(frozen=True, slots=True)
class _Found:
    """What was measured. `rows`: the levels, each with what the site says of it. `table`: the network's thresholds."""

    references: int
    gallery: FalseMatches
    rows: tuple[tuple[LevelRow, Kept], ...]
    advice: Kept
    table: Thresholds
    frames: float
    fixed: bool


def _measured(home: Home, config: Config, models: Models) -> _Found:
    """Raises GalleryError where there are not two people to compare."""
    with closing(open_gallery(home, read_only=True)) as opened:
        enrolled = opened.enrolled(models.embedder.model_id)
        sizes = opened.sizes(models.embedder.model_id)
    if sum(sizes.values()) < 2:
        raise GalleryError("fewer than two people of this network are enrolled: there is nobody to compare")
    points = models.embedder_entry.operating_points()
    possible = [row for row in levels.rows(config, points, sizes) if row.means is not None]
    scores = sorted({*(p.score for p in points), *(row.means.score for row in possible if row.means)})
    owners = np.unique([r.subject_id for r in enrolled.references], return_inverse=True)[1]
    all_ = Faces(np.stack([r.template for r in enrolled.references]), owners.astype(np.intp))
    with bar("References", len(owners)) as progress:
        found = false_matches(all_, all_, enrolled.turning.cohort(models.cohort), scores, progress.update)
    frames = config.attempt.window / config.attempt.needed
    rows = tuple((row, _kept(row, found.points)) for row in possible)
    now = advise([kept for _, kept in rows])
    fixed = config.policy.threshold is not None
    return _Found(len(owners), found, rows, now, Thresholds(points, config.policy.fpir), frames, fixed)


def _kept(row: LevelRow, points: Sequence[AtScore]) -> Kept:
    assert row.means is not None
    assert row.terms is not None
    score, people = row.means.score, row.means.people
    (at,) = [point for point in points if point.score == score]
    return Kept(row.level, row.now, row.terms.fpir, searched(at.searches, people))


def _lines(found: _Found, attempts: int) -> Iterator[str]:
    gallery = found.gallery
    yield f"{gallery.people} people with {found.references} references: {gallery.pairs} pairs of people"
    yield "False matches of pictures of the enrolment (FMR, with its 95% interval):"
    for point in gallery.points:
        manifest = _measured_as(found, point)
        yield f"  score {point.score:.4f}{_used(found, point)}: {_share(point.comparisons)}; {manifest}"
    yield f"  with {gallery.pairs} pairs nothing can be said of an FMR below {gallery.least:.2g}"
    yield "False non-matches: pictures of one enrolment say nothing of them"
    for row, kept in found.rows:
        yield from _sentence(row, kept, found.frames, attempts)
    yield from _advice(found)


def _used(found: _Found, point: AtScore) -> str:
    names = [_name(row) for row, _ in found.rows if row.means is not None and row.means.score == point.score]
    return f" ({', '.join(names)})" if names else ""


def _name(row: LevelRow) -> str:
    return f"{row.level.value if row.level else 'configured'}{', set' if row.now else ''}"


def _share(rate: Rate) -> str:
    return f"{rate.rate:.2g} ({rate.low:.2g} to {rate.high:.2g}), {rate.errors} of {rate.trials} comparisons"


def _measured_as(found: _Found, point: AtScore) -> str:
    rate = found.table.fpir(point.score, {1: 1})
    return "below what the manifest measured" if rate is None else f"the manifest's {rate:.2g}"


def _sentence(row: LevelRow, kept: Kept, frames: float, attempts: int) -> Iterator[str]:
    assert row.means is not None
    yield (
        f"{_name(row)}: by this site alone at most one wrong acceptance in {_days(kept, frames, attempts)}; by the "
        f"manifest in {in_words(row.means.days(attempts)[0])}"
    )


def _days(kept: Kept, frames: float, attempts: int) -> str:
    days = 1 / (min(1.0, frames * kept.found[2]) * attempts)
    return in_words(days) if days >= HOUR else "less than 1 hour"


def _advice(found: _Found) -> Iterator[str]:
    now = next(kept for _, kept in found.rows if kept.now)
    point = next(p for row, _ in found.rows if row.now for p in found.gallery.points if _is_of(row, p))
    if point.people:
        yield f"{point.people} people reach the threshold with somebody else: look at them first: kiosk gallery check"
    if not now.broken:
        yield (
            "keep the level: nothing here contradicts the manifest's figure. Where this site says less, it has too few "
            "people to say more"
        )
        return
    yield "the people of this site are more alike than those whom the network was measured with"
    if found.fixed:
        yield "[policy] threshold is set: take that line out, and give this command again"
    elif found.advice.level is None or found.advice.now:
        yield "no stricter level is possible here: a number, QR code or card ([entry]) says who somebody is"
    else:
        yield f"raise the level: sudo kiosk level set {found.advice.level.value}"
        if found.advice.broken:
            yield "even that one does not keep its promise here: who is alike says who it is: kiosk subjects verify WHO"


def _is_of(row: LevelRow, point: AtScore) -> bool:
    return row.means is not None and row.means.score == point.score


def _row(found: _Found, attempts: int) -> Row:
    return {
        "people": found.gallery.people,
        "references": found.references,
        "pairs": found.gallery.pairs,
        "least_fmr": number(found.gallery.least),
        "points": [_point(found, point) for point in found.gallery.points],
        "levels": [_level(row, kept, found.frames, attempts) for row, kept in found.rows],
        "keep": found.advice.now,
        "level": found.advice.level.value if found.advice.level else None,
    }


def _point(found: _Found, point: AtScore) -> Row:
    return {
        "score": point.score,
        "people": point.people,
        "manifest": found.table.fpir(point.score, {1: 1}),
        "comparisons": _rate(point.comparisons),
        "searches": _rate(point.searches),
    }


def _rate(rate: Rate) -> Row:
    share = None if not rate.trials else rate.rate
    return {"errors": rate.errors, "trials": rate.trials, "rate": share, "low": rate.low, "high": rate.high}


def _level(row: LevelRow, kept: Kept, frames: float, attempts: int) -> Row:
    assert row.means is not None
    share, low, high = kept.found
    return {
        "level": row.level.value if row.level else "configured",
        "set": row.now,
        "score": row.means.score,
        "fpir": kept.fpir,
        "site": {"rate": share, "low": low, "high": high},
        "site_days": round(1 / (min(1.0, frames * high) * attempts), 4),
        "manifest_days": round(row.means.days(attempts)[0], 4),
        "broken": kept.broken,
    }


def _draw(found: _Found, plot: Path) -> None:
    points = found.gallery.points
    measured = [(p.score, rate) for p in points if (rate := found.table.fpir(p.score, {1: 1})) is not None]
    plots.site([(p.score, p.comparisons) for p in points], measured, plot)
