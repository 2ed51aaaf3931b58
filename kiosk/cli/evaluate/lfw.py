"""`kiosk evaluate lfw`: verification on Labeled Faces in the Wild."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate.common import (
    RELIABLE,
    check_outputs,
    pairs_option,
    percent,
    plot_option,
    progress,
    report_option,
    root_argument,
    squared_l2,
    write_report,
)
from kiosk.evaluation import lfw as protocol
from kiosk.evaluation import plots
from kiosk.evaluation.figures import CrossValidation, Scores, Tar, error_curve, thinned
from kiosk.evaluation.samples import open_samples
from kiosk.vision.models import load

EDGES = np.linspace(-1, 1, 101)
"""Edges of the histograms in the report."""
CURVE_POINTS = 200


@click.command()
@root_argument
@pairs_option
@click.option("--all-pairs", is_flag=True, help="Also the TAR over every pair of the list's pictures.")
@plot_option
@report_option
@config_option
@json_option
def lfw(
    root: Path,
    pairs: Path,
    all_pairs: bool,
    plot: Path | None,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures verification on Labeled Faces in the Wild.

    ROOT is a folder with the pictures at any depth, or a tar. It reads both official lists: one list of N mated and N
    non-mated pairs, which it divides into ten folds, or a list with folds. The threshold always comes from the other
    folds. Each picture's central face goes through detector, alignment, embedder and byte template. A pair with a
    picture without a face is an error, mated or not. The last line is one JSON object; the report also holds the folds,
    the curve and the histograms.
    """
    check_outputs(plot, report)
    config = settings(config_file)
    with open_samples(root) as samples:
        folds = protocol.parse_pairs(protocol.find_list(pairs, root, samples), str(pairs))
        paths = list(protocol.locate(folds, samples, root).items())
        models = load(config.models, config.policy)
        with progress(paths) as shown:
            found = protocol.templates(shown, samples, models.detector, models.embedder.bare)
    model_id = models.embedder_entry.model_id
    result = protocol.verify(folds, found, models.cohort)
    everything = protocol.all_pairs(found, models.cohort) if all_pairs else None
    tars = everything.tars() if everything else {}
    missing = sum(t is None for t in found.values())
    count = sum(len(f) for f in folds)
    if not as_json:
        say(f"{model_id}: {count} pairs of {len(found)} pictures, {len(folds)} folds")
        say(f"FTE       {percent(missing / len(found))}, {missing} pictures")
        _print_lfw(result, tars)
    mated, non_mated = (
        (everything.mated, everything.non_mated) if everything else protocol.scores(folds, found, models.cohort)
    )
    if plot:
        plots.det(mated, non_mated, model_id, plot)
    threshold = float(np.mean(result.thresholds))
    summary: Row = {
        "accuracy": round(result.accuracy, 6),
        "accuracy_se": round(result.standard_error, 6),
        "threshold": round(threshold, 4),
        "threshold_squared_l2": round(squared_l2(threshold), 4),
        "fte": round(missing / len(found), 6),
        "tar": {name: round(t.tar, 6) for name, t in tars.items()},
        "false_matches": {name: t.false_matches for name, t in tars.items()},
        "pairs": count,
        "pictures": len(found),
        "mated_pairs": int(everything.mated.size) if everything else None,
        "non_mated_pairs": int(everything.non_mated.size) if everything else None,
        "model_id": model_id,
    }
    if report:
        write_report(report, {**summary, **_details(result, tars, mated, non_mated)})
    emit(summary)


def _details(result: CrossValidation, tars: Mapping[str, Tar], mated: Scores, non_mated: Scores) -> Row:
    """Figures that are only in the report: the folds, the thresholds of each FAR, the DET curve and the histograms."""
    folds = zip(result.accuracies, result.thresholds, strict=True)
    known = not np.isnan(mated).all() and not np.isnan(non_mated).all()
    curve = thinned(*error_curve(mated, non_mated), points=CURVE_POINTS) if known else []
    return {
        "folds": [{"accuracy": round(a, 6), "threshold": round(t, 4)} for a, t in folds],
        "at_far": {
            name: {
                "tar": round(t.tar, 6),
                "threshold": round(t.threshold, 4),
                "threshold_squared_l2": round(squared_l2(t.threshold), 4),
                "false_matches": t.false_matches,
                "reliable": t.false_matches >= RELIABLE,
            }
            for name, t in tars.items()
        },
        "det": [{"threshold": round(t, 4), "far": round(a, 9), "frr": round(r, 6)} for t, a, r in curve],
        "histogram": [
            {"from": round(low, 2), "mated": int(m), "non_mated": int(n)}
            for low, m, n in zip(EDGES[:-1].tolist(), _counts(mated), _counts(non_mated), strict=True)
        ],
    }


def _counts(scores: Scores) -> list[int]:
    counts: list[int] = np.histogram(scores[~np.isnan(scores)].clip(-1, 1), EDGES)[0].tolist()
    return counts


def _print_lfw(result: CrossValidation, tars: Mapping[str, Tar]) -> None:
    say(f"accuracy  {percent(result.accuracy)}, standard error {percent(result.standard_error)}")
    threshold = float(np.mean(result.thresholds))
    say(f"threshold {threshold:.4f} in the mean of the folds, squared L2 {squared_l2(threshold):.4f}")
    for name, t in tars.items():
        few = "" if t.false_matches >= RELIABLE else ", too few to rely on"
        at = f"at FAR {name}, threshold {t.threshold:.4f} (squared L2 {squared_l2(t.threshold):.4f})"
        say(f"TAR       {percent(t.tar)} {at}, {t.false_matches} false matches{few}")
