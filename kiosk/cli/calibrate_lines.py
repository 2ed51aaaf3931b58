"""What `kiosk calibrate faces show` has found, as lines for people, as JSON and as a drawing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiosk.cli.console import Row
from kiosk.cli.evaluate.common import number
from kiosk.domain.decision import Proof
from kiosk.domain.security_level import LevelRow, in_words
from kiosk.domain.thresholds import Thresholds
from kiosk.evaluation import plots
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.site import AtScore, FalseMatches, Kept

HOUR = 1 / 24
"""Of a day. Words for a time begin with it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What visits say. `kept`: how many, by what showed who it was. `refused`: among those that something beside the
    face named, how many the door's face refused. `unproven`: refused claims of which nobody knows whose face it was."""

    kept: dict[Proof, int]
    refused: int
    unproven: int
    matches: FalseMatches
    misses: tuple[Rate, ...]
    """False non-matches of one frame, at the scores of `matches`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured. `rows`: the levels, each with what the site says of it. `table`: the network's thresholds."""

    references: int
    gallery: FalseMatches
    visits: Seen | None
    watched: bool
    """Whether visits are kept now."""
    rows: tuple[tuple[LevelRow, Kept], ...]
    advice: Kept
    table: Thresholds
    frames: float
    fixed: bool


def lines(found: Found, attempts: int) -> Iterator[str]:
    gallery = found.gallery
    yield f"{gallery.people} people with {found.references} references: {gallery.pairs} pairs of people"
    yield "False matches of pictures of the enrolment (FMR, with its 95% interval):"
    for point in gallery.points:
        manifest = _measured_as(found, point)
        yield f"  score {point.score:.4f}{_used(found, point)}: {_share(point.comparisons)}; {manifest}"
    yield f"  with {gallery.pairs} pairs nothing can be said of an FMR below {gallery.least:.2g}"
    yield from _visit_lines(found)
    for row, kept in found.rows:
        yield from _sentence(row, kept, found.frames, attempts)
    yield from _advice(found)


def _visit_lines(found: Found) -> Iterator[str]:
    visits = found.visits
    if visits is None:
        what = "none is kept yet" if found.watched else "kiosk calibrate faces start"
        yield f"False non-matches: only visits tell of them: {what}"
        return
    number, trials = visits.kept, visits.misses[0].trials
    yield (
        f"visits: {number[Proof.PIN]} that a PIN named after the face was refused, {number[Proof.VERIFICATION]} that a "
        f"claim named and the face proved, {number[Proof.SEARCH]} by the face alone"
    )
    yield "False matches of visits with other people's references:"
    for point in visits.matches.points:
        yield f"  score {point.score:.4f}{_used(found, point)}: {_share(point.comparisons)}"
    yield (
        f"False non-matches (FNMR) of the first frame, {trials} mated trials (none by the face alone, where those who "
        "were refused are missing):"
    )
    for point, rate in zip(visits.matches.points, visits.misses, strict=True):
        yield f"  score {point.score:.4f}{_used(found, point)}: {_trials(rate)}"
    yield (
        f"of these {trials} visits {visits.refused} were refused by the face; {visits.unproven} more claims were, and "
        "nothing showed whose face it was: somebody else's code, or a false non-match that is missing above"
    )


def _trials(rate: Rate) -> str:
    if not rate.trials:
        return "no trial"
    return f"{rate.rate:.2g} ({rate.low:.2g} to {rate.high:.2g}), {rate.errors} of {rate.trials}"


def _used(found: Found, point: AtScore) -> str:
    names = [_name(row) for row, _ in found.rows if row.means is not None and row.means.score == point.score]
    return f" ({', '.join(names)})" if names else ""


def _name(row: LevelRow) -> str:
    return f"{row.level.value if row.level else 'configured'}{', set' if row.now else ''}"


def _share(rate: Rate) -> str:
    return f"{_trials(rate)} comparisons"


def _measured_as(found: Found, point: AtScore) -> str:
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


def _advice(found: Found) -> Iterator[str]:
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


def row(found: Found, attempts: int) -> Row:
    return {
        "people": found.gallery.people,
        "references": found.references,
        "pairs": found.gallery.pairs,
        "least_fmr": number(found.gallery.least),
        "points": [_point(found, point) for point in found.gallery.points],
        "visits": None if found.visits is None else _visit_row(found.visits),
        "levels": [_level(row, kept, found.frames, attempts) for row, kept in found.rows],
        "keep": found.advice.now,
        "level": found.advice.level.value if found.advice.level else None,
    }


def _visit_row(visits: Seen) -> Row:
    points = zip(visits.matches.points, visits.misses, strict=True)
    return {
        "pin": visits.kept[Proof.PIN],
        "claim": visits.kept[Proof.VERIFICATION],
        "face_alone": visits.kept[Proof.SEARCH],
        "refused": visits.refused,
        "unproven": visits.unproven,
        "points": [
            {"score": at.score, "comparisons": _rate(at.comparisons), "fnmr": _rate(rate)} for at, rate in points
        ],
    }


def _point(found: Found, point: AtScore) -> Row:
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


def draw(found: Found, plot: Path) -> None:
    points = found.gallery.points
    measured = [(p.score, rate) for p in points if (rate := found.table.fpir(p.score, {1: 1})) is not None]
    plots.site([(p.score, p.comparisons) for p in points], measured, plot)
