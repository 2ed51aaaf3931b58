"""`kiosk evaluate pad`: presentation attack detection."""

from __future__ import annotations

import math
from pathlib import Path

import click

from kiosk.cli.console import Row, config_option, emit, json_option, settings
from kiosk.cli.evaluate.common import number, percent, plot_option, progress, rate_line, root_argument
from kiosk.domain.errors import SampleError
from kiosk.evaluation import pad as attacks
from kiosk.evaluation import plots
from kiosk.evaluation.pad import PadFigures
from kiosk.vision.models import load


@click.command()
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


def _pad_lines(r: PadFigures) -> str:
    eer = "none" if math.isnan(r.eer) else f"{percent(r.eer)} at threshold {r.eer_threshold:.4f}"
    return (
        f"  APCER {rate_line(r.apcer)}\n  BPCER {rate_line(r.bpcer)}\n  EER   {eer}\n  no face in {r.no_face} pictures"
    )


def _pad_row(r: PadFigures) -> Row:
    return {
        "apcer": number(r.apcer.rate),
        "apcer_low": number(r.apcer.low),
        "apcer_high": number(r.apcer.high),
        "bpcer": number(r.bpcer.rate),
        "bpcer_low": number(r.bpcer.low),
        "bpcer_high": number(r.bpcer.high),
        "eer": number(r.eer),
        "attacks": r.apcer.trials,
        "bona_fides": r.bpcer.trials,
        "no_face": r.no_face,
    }
