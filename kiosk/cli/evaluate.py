"""`kiosk evaluate`: the error rates of this program, end to end, on research sets."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

from kiosk.cli.console import Row, config_option, emit, json_option, settings
from kiosk.domain.errors import SampleError
from kiosk.evaluation import lfw as protocol
from kiosk.evaluation import pad as attacks
from kiosk.evaluation import plots
from kiosk.evaluation.figures import CrossValidation, Rate, Tar
from kiosk.evaluation.pad import PadFigures
from kiosk.evaluation.samples import open_samples
from kiosk.vision.models import load

T = TypeVar("T")

RELIABLE = 10
"""False matches below which a false accept rate says little."""

root_argument = click.argument("root", type=click.Path(path_type=Path))
plot_option = click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the DET curve into a picture file."
)


def progress(items: Sequence[T]) -> AbstractContextManager[Iterable[T]]:
    """A bar on standard error, if that is a terminal."""
    return click.progressbar(items, label="Pictures", file=sys.stderr, hidden=not sys.stderr.isatty())


@click.group()
def evaluate() -> None:
    """Measure the error rates on a research set."""


@evaluate.command()
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
        click.echo(f"FTE       {_percent(missing / len(found))}, {missing} pictures")
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


@evaluate.command()
@root_argument
@click.option("--source", "sources", multiple=True, help="Only pictures of this source; may be given several times.")
@plot_option
@config_option
@json_option
def pad(root: Path, sources: tuple[str, ...], plot: Path | None, config_file: Path | None, as_json: bool) -> None:
    """Presentation attack detection.

    ROOT holds the folders bona_fide and attack, or a pad.csv and its pad-NN.tar (print and attack are attacks). The
    largest face of each picture is scored, at the threshold of the kiosk. A picture without a face is left out of the
    rates and counted. Intervals are Clopper and Pearson's, 95%. The last line is one JSON object.
    """
    if plot:
        plots.check()
    config = settings(config_file)
    with attacks.open_set(root) as presentations:
        chosen = attacks.select(presentations, sources)
        models = load(config.models, config.policy)
        with progress(chosen) as shown:
            scored = list(attacks.run(shown, models.detector, models.pad))
    threshold = models.pad.threshold
    overall = attacks.measure(scored, threshold)
    if not overall.apcer.trials + overall.bpcer.trials:
        raise SampleError(f"{root}: no face was found in any picture")
    by_source = {
        name: attacks.measure([s for s in scored if s.source == name], threshold)
        for name in sorted({s.source for s in scored})
    }
    if not as_json:
        click.echo(f"{', '.join(config.models.pad)} at threshold {threshold:.4f}")
        for name, result in by_source.items() if len(by_source) > 1 else ():
            click.echo(f"{name}\n{_pad_lines(result)}")
        click.echo(f"all\n{_pad_lines(overall)}")
    if plot:
        plots.det(*attacks.scores(scored), ", ".join(config.models.pad), plot)
    emit(
        {
            **_pad_row(overall),
            "threshold": threshold,
            "models": ", ".join(config.models.pad),
            "sources": {name: _pad_row(result) for name, result in by_source.items()},
        }
    )


def _print_lfw(result: CrossValidation, tars: Mapping[str, Tar]) -> None:
    click.echo(f"accuracy  {_percent(result.accuracy)}, standard error {_percent(result.standard_error)}")
    click.echo(f"threshold {np.mean(result.thresholds):.4f} in the mean of the folds")
    for name, t in tars.items():
        few = "" if t.false_matches >= RELIABLE else ", too few to rely on"
        at = f"at FAR {name}, threshold {t.threshold:.4f}"
        click.echo(f"TAR       {_percent(t.tar)} {at}, {t.false_matches} false matches{few}")


def _pad_lines(r: PadFigures) -> str:
    eer = "none" if math.isnan(r.eer) else f"{_percent(r.eer)} at threshold {r.eer_threshold:.4f}"
    return f"  APCER {_rate(r.apcer)}\n  BPCER {_rate(r.bpcer)}\n  EER   {eer}\n  no face in {r.no_face} pictures"


def _pad_row(r: PadFigures) -> Row:
    return {
        "apcer": _number(r.apcer.rate),
        "apcer_low": _number(r.apcer.low),
        "apcer_high": _number(r.apcer.high),
        "bpcer": _number(r.bpcer.rate),
        "bpcer_low": _number(r.bpcer.low),
        "bpcer_high": _number(r.bpcer.high),
        "eer": _number(r.eer),
        "attacks": r.apcer.trials,
        "bona_fides": r.bpcer.trials,
        "no_face": r.no_face,
    }


def _rate(r: Rate) -> str:
    if not r.trials:
        return "none: no such picture with a face"
    return f"{_percent(r.rate)} ({_percent(r.low)} to {_percent(r.high)}), {r.errors} of {r.trials}"


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else round(value, 6)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
