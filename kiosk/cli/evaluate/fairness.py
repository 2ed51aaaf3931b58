"""`kiosk evaluate fairness`: false match rates by age, gender and race."""

from __future__ import annotations

import math
from pathlib import Path

import click

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate.common import (
    check_outputs,
    number,
    plot_option,
    progress,
    report_option,
    root_argument,
    write_report,
)
from kiosk.cli.numbers import Finite
from kiosk.domain.errors import KioskError, ModelError
from kiosk.evaluation import fairness as protocol
from kiosk.evaluation import plots
from kiosk.evaluation.fairness import FLOOR, Comparisons, GroupRate, Share
from kiosk.evaluation.plots import Mark
from kiosk.sections import PolicyConfig
from kiosk.vision.manifest import EmbedderEntry, Input
from kiosk.vision.model_files import CHECKOUT
from kiosk.vision.models import load
from kiosk.vision.network import Network

HELDOUT = CHECKOUT / "train" / "heldout.csv"
INPUTS = {"bytes": (0.0, 1.0), "signed": (127.5, 127.5)}
"""Mean and scale of the reference network's input."""


@click.command()
@root_argument
@click.option(
    "--reference",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A network of another kind (112 x 112 RGB) that tells which pictures show one person.",
)
@click.option(
    "--reference-input",
    type=click.Choice(list(INPUTS)),
    default="bytes",
    show_default=True,
    help="What it takes: 0 to 255, or -1 to 1.",
)
@click.option(
    "--heldout",
    default=HELDOUT,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The people kept out of training.  [default: models/train/heldout.csv of the checkout]",
)
@click.option("--min-age", type=click.IntRange(0, 120), default=0, help="Only people of at least this age.")
@click.option(
    "--threshold",
    "chosen",
    multiple=True,
    type=Finite(-1, 1),
    help="A score; may be given several times.  [default: the manifest's at FMR 1e-3 and 1e-4, and a fixed one]",
)
@plot_option
@report_option
@config_option
@json_option
def fairness(
    root: Path,
    reference: Path,
    reference_input: str,
    heldout: Path,
    min_age: int,
    chosen: tuple[float, ...],
    plot: Path | None,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures false match rates by group.

    ROOT holds an aligned.csv with the columns shard, path, source, age, gender, race, and its shards. Only pictures in
    the list of held-out people count. Pairs that score above 0.5 with the reference network count as one person and are
    left out; the figures with them are also shown. Rates below 1e-4 are not stated. Intervals are 95%, by bootstrap
    over people. The last line is one JSON object.
    """
    check_outputs(plot, report)
    config = settings(config_file)
    models = load(config.models, config.policy)
    entry = models.embedder_entry
    thresholds = sorted(set(chosen)) or defaults(entry, config.policy)
    teacher = _reference(reference, reference_input, config.models.threads)
    with protocol.open_portraits(root, heldout, min_age) as portraits, progress(portraits) as shown:
        faces = protocol.embed(shown, models, teacher)
    comparisons = Comparisons(faces, thresholds[0])
    results = {threshold: comparisons.rates(threshold) for threshold in thresholds}
    if not as_json:
        who = f"{len(faces.groups)} people" + (f" of {min_age} years and over" if min_age else "")
        say(f"{entry.model_id}: {who}, {faces.no_face} pictures without a face")
        say(f"{len(comparisons.removed)} of {comparisons.pairs} pairs left out: taken for one person")
        for threshold, rates in results.items():
            _print(threshold, rates)
    if plot:
        _plot(results, plot)
    row: Row = {
        "thresholds": [
            {"threshold": round(threshold, 4), "groups": [_row(r) for r in rates]}
            for threshold, rates in results.items()
        ],
        "people": len(faces.groups),
        "no_face": faces.no_face,
        "pairs": comparisons.pairs,
        "removed": len(comparisons.removed),
        "min_age": min_age,
        "floor": FLOOR,
        "model_id": entry.model_id,
        "reference": reference.name,
    }
    if report:
        write_report(report, row)
    emit(row)


def defaults(entry: EmbedderEntry, policy: PolicyConfig) -> list[float]:
    """The thresholds measured at FMR FLOOR or above, and the configuration's fixed one. Raises KioskError if there are
    none."""
    points = {p.score for p in entry.operating_points() if p.fmr >= FLOOR * (1 - 1e-9)}
    if policy.threshold is not None:
        points.add(policy.threshold)
    if not points:
        raise KioskError(f"{entry.name}: no threshold at FMR {FLOOR:g} or above is known: name one with --threshold")
    return sorted(points)


def _reference(path: Path, kind: str, threads: int) -> Network:
    mean, std = INPUTS[kind]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    spec = Input(colour="rgb", mean=(mean,) * 3, std=(std,) * 3, size=(112, 112))
    return Network(content, spec, str(path), threads)


def _print(threshold: float, rates: list[GroupRate]) -> None:
    say(f"threshold {threshold:.4f}")
    say(f"  {'group':14}{'people':>7}{'FMR within':>30}{'ratio':>7}{'FMR across':>30}{'unremoved':>11}")
    for r in rates:
        name = f"{r.attribute} {r.group}"
        ratio = "" if math.isnan(r.ratio) else f"{r.ratio:.2f}"
        alone = _rate(r.unremoved.rate, r.unremoved)
        say(f"  {name:14}{r.people:>7}{_share(r.within):>30}{ratio:>7}{_share(r.across):>30}{alone:>11}")


def _share(s: Share) -> str:
    if s.pairs < 1 / FLOOR:
        return _rate(s.rate, s)
    return f"{_rate(s.rate, s)} [{_rate(s.interval.low, s)}, {_rate(s.interval.high, s)}]"


def _rate(rate: float, share: Share) -> str:
    if share.pairs < 1 / FLOOR:
        return "too few"
    return f"<{FLOOR:g}" if math.isnan(rate) else f"{rate:.2e}"


def _row(r: GroupRate) -> Row:
    return {
        "attribute": r.attribute,
        "group": r.group,
        "people": r.people,
        "within": _share_row(r.within),
        "across": _share_row(r.across),
        "ratio": number(r.ratio),
        "unremoved": _share_row(r.unremoved),
    }


def _share_row(s: Share) -> Row:
    return {
        "pairs": s.pairs,
        "false_matches": s.false_matches,
        "fmr": number(s.rate),
        "low": number(s.interval.low),
        "high": number(s.interval.high),
    }


def _plot(results: dict[float, list[GroupRate]], path: Path) -> None:
    panels = {
        f"FMR within, threshold {threshold:.4f}": [
            Mark(f"{r.attribute} {r.group}", r.within.rate, r.within.interval.low, r.within.interval.high)
            for r in reversed(rates)
        ]
        for threshold, rates in results.items()
    }
    plots.rates(panels, FLOOR, "false match rate", path)
