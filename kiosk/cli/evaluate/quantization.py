"""`kiosk evaluate quantization`: measures what accuracy the int8 network and the byte template cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate.common import (
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
from kiosk.domain.errors import KioskError, SampleError
from kiosk.evaluation import lfw as protocol
from kiosk.evaluation import plots
from kiosk.evaluation import quantization as protocols
from kiosk.evaluation.quantization import FARS, FP32, INT8, LOSS_FAR, REDUCED, Loss, Result
from kiosk.evaluation.samples import open_samples
from kiosk.vision.models import load

WANTED = (
    "--float FILE is needed: the fp32 network that the int8 one was made from "
    "(python -m models.train.embedder export leaves it in its work folder, NAME_fp32.onnx)"
)


@click.command()
@root_argument
@pairs_option
@click.option("--float", "float_file", type=click.Path(dir_okay=False, path_type=Path), help="The fp32 network.")
@click.option(
    "--reduced",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The network with weights of 7 bits (models.train.embedder export --reduce-range): onnxruntime's path for x86 "
    "processors without VNNI, where 8-bit products can overflow.",
)
@plot_option
@report_option
@config_option
@json_option
def quantization(
    root: Path,
    pairs: Path,
    float_file: Path | None,
    reduced: Path | None,
    plot: Path | None,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Compares the int8 network with its fp32 original, and byte templates with floats and bits.

    ROOT, the list, detector and alignment are those of `kiosk evaluate lfw`. The loss is the loss in TAR at FAR 1e-3
    over all pairs of the pictures, with a paired 95% interval by bootstrap over people. The last line is one JSON
    object.
    """
    check_outputs(plot, report)
    if float_file is None:
        raise KioskError(WANTED)
    config = settings(config_file)
    models = load(config.models, config.policy)
    entry = models.embedder_entry
    networks = {FP32: protocols.like(entry, float_file, config.models.threads), INT8: models.embedder}
    if reduced:
        networks[REDUCED] = protocols.like(entry, reduced, config.models.threads)
    with open_samples(root) as samples:
        folds = protocol.parse_pairs(protocol.find_list(pairs, root, samples), str(pairs))
        paths = list(protocol.locate(folds, samples, root).items())
        with progress(paths) as shown:
            faces = protocols.aligned_faces(shown, samples, models.detector)
    try:
        results = protocols.run(networks, faces, folds, entry.template_scale)
    except ValueError as error:
        raise SampleError(f"{root}: no accuracy can be told: {error}") from error
    losses = protocols.losses(results)
    if not as_json:
        _print(results, losses)
    if plot:
        plots.dets({r.name: r.scores for r in results}, plot)
    row: Row = {
        "rows": [_result(r) for r in results],
        "losses": [_loss(loss) for loss in losses],
        "pairs": sum(len(f) for f in folds),
        "pictures": len(faces),
        "fte": round(sum(f is None for f in faces.values()) / len(faces), 6),
        "model_id": entry.model_id,
    }
    if report:
        write_report(report, row)
    emit(row)


def _print(results: Sequence[Result], losses: Sequence[Loss]) -> None:
    say(f"{'network':9}{'template':10}{'accuracy':>16}" + "".join(f"{f'TAR@{far:g}':>14}" for far in FARS))
    for r in results:
        accuracy = f"{percent(r.view.accuracy)} ({percent(r.view.standard_error)})"
        say(f"{r.network:9}{r.form:10}{accuracy:>16}" + "".join(f"{percent(t.tar):>14}" for t in r.tars))
    say(f"loss in TAR at FAR {LOSS_FAR:g}, with its 95% interval over people:")
    for loss in losses:
        span = f"{percent(loss.interval.low)} to {percent(loss.interval.high)}"
        say(f"  {percent(loss.loss):>7} ({span})  {loss.after} against {loss.before}")


def _result(r: Result) -> Row:
    return {
        "network": r.network,
        "template": r.form.value,
        "accuracy": round(r.view.accuracy, 6),
        "accuracy_se": round(r.view.standard_error, 6),
        "at_far": [
            {
                "far": t.far,
                "tar": round(t.tar, 6),
                "threshold": round(t.threshold, 4),
                "threshold_squared_l2": round(squared_l2(t.threshold), 4),
                "false_matches": t.false_matches,
            }
            for t in r.tars
        ],
    }


def _loss(loss: Loss) -> Row:
    return {
        "after": loss.after,
        "before": loss.before,
        "far": LOSS_FAR,
        "loss": round(loss.loss, 6),
        "low": round(loss.interval.low, 6),
        "high": round(loss.interval.high, 6),
    }
