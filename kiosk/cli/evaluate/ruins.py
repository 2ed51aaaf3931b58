"""`kiosk evaluate ruins`: measures whether turned and distorted pictures of strangers match one another."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate.common import (
    check_outputs,
    number,
    percent,
    progress,
    report_option,
    root_argument,
    write_report,
)
from kiosk.domain.errors import SampleError
from kiosk.evaluation import ruins as measuring
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.ruin_kinds import RUINS, UPRIGHT, Ruin
from kiosk.evaluation.ruins import RuinFigures
from kiosk.evaluation.samples import open_samples
from kiosk.station import assembly
from kiosk.vision.models import load

PEOPLE = 100
"""Number of people: 4,950 pairs of strangers for each kind."""
MOST_MATCHES = 0.001
MOST_REFUSED = 0.005


@click.command()
@root_argument
@click.option("--people", type=click.IntRange(2, 100_000), default=PEOPLE, show_default=True, help="One picture each.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind; may be given several times.")
@report_option
@config_option
@json_option
def ruins(
    root: Path, people: int, kinds: tuple[str, ...], report: Path | None, config_file: Path | None, as_json: bool
) -> None:
    """Measures whether turned and distorted ("ruined") pictures of strangers match one another.

    ROOT is a folder with pictures at any depth, or a tar, named as in LFW (Name_0001.jpg). The first picture of each
    person is distorted in one way after another and goes through the kiosk's whole quality gate. A refused picture
    matches nobody. The others are compared with one another at the threshold for one reference. The rate is over all
    pairs of strangers that were presented. Exit status 1 if it is above 0.1% in a kind, or if the checks against such
    pictures refuse more than 0.5% of the unchanged pictures that the rest of the gate accepts. The last line is one
    JSON object.
    """
    check_outputs(None, report)
    chosen = _chosen(kinds)
    config = settings(config_file)
    models = load(config.models, config.policy)
    gate = assembly.gate(config.quality, models, assembly.ANY_PLACE)
    threshold = models.thresholds.for_gallery({1: 1}).score
    found: list[RuinFigures] = []
    with open_samples(root) as samples:
        paths = measuring.one_a_person(samples, people)
        if len(paths) < 2:
            raise SampleError(f"{root}: pictures of {len(paths)} people: two strangers are the least")
        with progress(chosen) as shown:
            for ruin in shown:
                seen = measuring.sights(ruin, paths, samples, models.detector, gate, models.embedder)
                found.append(measuring.figures(ruin, seen, models.cohort, threshold))
                if not as_json:
                    say(_line(found[-1]))
    refused = measuring.refused_by_walls(found[0])
    good = refused.rate <= MOST_REFUSED and all(f.matches.rate <= MOST_MATCHES for f in found[1:])
    row: Row = {
        "model_id": models.embedder.model_id,
        "wall": models.embedder_entry.evidence is not None,
        "threshold": round(threshold, 4),
        "people": len(paths),
        "upright_refused": _rate(refused),
        "kinds": [_row(f) for f in found],
        "good": good,
    }
    if not as_json:
        say(f"{models.embedder.model_id}: {percent(refused.rate)} of upright faces refused by the walls")
    if report:
        write_report(report, row)
    emit(row)
    click.get_current_context().exit(0 if good else 1)


def _chosen(kinds: tuple[str, ...]) -> list[Ruin]:
    """The unchanged pictures, and the kinds with these names (all without a name). Raises SampleError for an unknown
    name."""
    known = {r.name: r for r in RUINS}
    unknown = [k for k in kinds if k not in known]
    if unknown:
        raise SampleError(f"there is no kind {unknown[0]!r}; known: {', '.join(known)}")
    return [UPRIGHT, *(known[k] for k in kinds or known)]


def _line(f: RuinFigures) -> str:
    why = ", ".join(f"{count} {reason}" for reason, count in f.reasons.items())
    return (
        f"{f.ruin.name:24}{'*' if f.ruin.kept_out else ' '} {f.matches.errors:4} of {f.matches.trials} pairs match"
        f" ({percent(f.matches.rate)}; {percent(f.matches_compared.rate) if f.matches_compared.trials else '-'} of the"
        f" {f.matches_compared.trials} compared), {f.refused.errors} of {f.refused.trials} refused{why and ': ' + why}"
    )


def _row(f: RuinFigures) -> Row:
    return {
        "kind": f.ruin.name,
        "kept_out": f.ruin.kept_out,
        "matches": _rate(f.matches),
        "matches_compared": _rate(f.matches_compared),
        "refused": _rate(f.refused),
        "reasons": dict(f.reasons),
    }


def _rate(r: Rate) -> Row:
    return {"count": r.errors, "of": r.trials, "rate": number(r.rate), "low": number(r.low), "high": number(r.high)}
