"""`kiosk evaluate lfw`: verification on Labeled Faces in the Wild."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from kiosk.cli.console import config_option, emit, json_option, settings
from kiosk.cli.evaluate.common import RELIABLE, percent, plot_option, progress, root_argument
from kiosk.evaluation import lfw as protocol
from kiosk.evaluation import plots
from kiosk.evaluation.figures import CrossValidation, Tar
from kiosk.evaluation.samples import open_samples
from kiosk.vision.models import load


@click.command()
@root_argument
@click.option(
    "--pairs", required=True, type=click.Path(path_type=Path), help="List of pairs: a file, or one of the tar."
)
@click.option("--all-pairs", is_flag=True, help="Also the TAR over every pair of the list's pictures.")
@plot_option
@config_option
@json_option
def lfw(root: Path, pairs: Path, all_pairs: bool, plot: Path | None, config_file: Path | None, as_json: bool) -> None:
    """Verification on Labeled Faces in the Wild.

    ROOT is a folder with the pictures at any depth, or a tar. Both official lists are read: one list of N pairs of
    either kind, put into ten folds, or folds of their own. The threshold always comes from the other folds. Each
    picture's central face goes through detector, alignment, embedder and byte template. A pair with a picture without
    a face is an error, mated or not. The last line is one JSON object.
    """
    if plot:
        plots.check()
    config = settings(config_file)
    with open_samples(root) as samples:
        folds = protocol.parse_pairs(protocol.find_list(pairs, root, samples), str(pairs))
        paths = list(protocol.locate(folds, samples, root).items())
        models = load(config.models, config.policy)
        with progress(paths) as shown:
            found = protocol.templates(shown, samples, models.detector, models.embedder)
    model_id = models.embedder_entry.model_id
    result = protocol.verify(folds, found)
    everything = protocol.all_pairs(found) if all_pairs else None
    tars = everything.tars() if everything else {}
    missing = sum(t is None for t in found.values())
    count = sum(len(f) for f in folds)
    if not as_json:
        click.echo(f"{model_id}: {count} pairs of {len(found)} pictures, {len(folds)} folds")
        click.echo(f"FTE       {percent(missing / len(found))}, {missing} pictures")
        _print_lfw(result, tars)
    if plot:
        mated, non_mated = (everything.mated, everything.non_mated) if everything else protocol.scores(folds, found)
        plots.det(mated, non_mated, model_id, plot)
    emit(
        {
            "accuracy": round(result.accuracy, 6),
            "accuracy_se": round(result.standard_error, 6),
            "threshold": round(float(np.mean(result.thresholds)), 4),
            "fte": round(missing / len(found), 6),
            "tar": {name: round(t.tar, 6) for name, t in tars.items()},
            "false_matches": {name: t.false_matches for name, t in tars.items()},
            "pairs": count,
            "pictures": len(found),
            "mated_pairs": int(everything.mated.size) if everything else None,
            "non_mated_pairs": int(everything.non_mated.size) if everything else None,
            "model_id": model_id,
        }
    )


def _print_lfw(result: CrossValidation, tars: Mapping[str, Tar]) -> None:
    click.echo(f"accuracy  {percent(result.accuracy)}, standard error {percent(result.standard_error)}")
    click.echo(f"threshold {np.mean(result.thresholds):.4f} in the mean of the folds")
    for name, t in tars.items():
        few = "" if t.false_matches >= RELIABLE else ", too few to rely on"
        at = f"at FAR {name}, threshold {t.threshold:.4f}"
        click.echo(f"TAR       {percent(t.tar)} {at}, {t.false_matches} false matches{few}")
