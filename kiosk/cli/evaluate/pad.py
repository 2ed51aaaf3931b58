"""`kiosk evaluate pad`: measures presentation attack detection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate import pad_species
from kiosk.cli.evaluate.common import (
    check_outputs,
    number,
    percent,
    plot_option,
    progress,
    rate_line,
    report_option,
    root_argument,
    write_report,
)
from kiosk.config import Config
from kiosk.domain.errors import ModelError, SampleError
from kiosk.evaluation import pad as attacks
from kiosk.evaluation import pad_plot
from kiosk.evaluation.pad import PadFigures, Scored
from kiosk.vision.detector import FaceDetector
from kiosk.vision.manifest import Input, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load, load_pad
from kiosk.vision.network import Network
from kiosk.vision.pad import FusedPad

MINIFASNET_CLASSES = 3
"""Number of classes of MiniFASNet. A network with one output more gives two answers, as ours do."""


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one network, or of the mean of several."""

    name: str
    threshold: float
    scored: list[Scored]
    overall: PadFigures
    sources: Mapping[str, PadFigures]


@click.command()
@root_argument
@click.option(
    "--source", "sources", multiple=True, help="Only pictures of this source or subject; may be given several times."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="A network of the manifest in place of the configured ones; the mean of several.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="FILE@CONTEXT",
    help="Another network beside them, for instance fasnet.onnx@2.7; may be given several times.",
)
@click.option(
    "--species",
    is_flag=True,
    help="Draw the attacks as a door sees them (cut out, bent, filling the frame; near and far) and judge attempts.",
)
@click.option(
    "--pictures",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="With --species: attacks of each source that are drawn, each in 13 ways; four times as many bona fide.",
)
@click.option(
    "--bona-fide",
    "clips",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="CLIP_OR_FOLDER",
    help="With --species: clips of people beside the pictures; may be given several times.",
)
@plot_option
@report_option
@config_option
@json_option
def pad(
    root: Path,
    sources: tuple[str, ...],
    models: tuple[str, ...],
    references: tuple[str, ...],
    species: bool,
    pictures: int,
    clips: tuple[Path, ...],
    plot: Path | None,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures presentation attack detection.

    ROOT holds the folders bona_fide and attack, or a pad.csv and its pad-NN.tar (print and attack are attacks). The
    largest face of each picture is scored, at the threshold of the kiosk. A picture without a face is in no rate, but
    counted. Intervals are Clopper and Pearson's, 95%. The last line is one JSON object.

    A reference network takes 80 x 80 BGR pictures of CONTEXT times the face's box, 0 to 255, and its class 1 is bona
    fide, as with MiniFASNet. Its rates are at the threshold that refuses as many bona fide presentations as the kiosk's
    does. This threshold is chosen on the same pictures, in the reference's favour.

    --species measures attempts instead. From each attack it draws frames as a camera at a door would see them (cut out
    around the head on plain and on busy background, bent, filling the frame; near, middle and far): 15 frames an
    attempt, with a hand's movement and a sensor's noise. An attempt passes with 3 frames in a row that PAD lets
    through. A denied frame voids those before; the third one ends the attempt. Bona fide are the people of the set, the
    clips and the demonstration.
    """
    check_outputs(plot, report)
    config = settings(config_file)
    if species:
        if references or plot:
            raise click.UsageError("--species goes with neither --reference nor --plot")
        with attacks.open_set(root) as presentations:  # the tars are read while attempts are made
            name, network, detector = _ours(config, models)
            found = pad_species.trials(attacks.select(presentations, sources), clips, detector, network, pictures)
        lines, figures = pad_species.report(found, network.threshold, name)
        _write(() if as_json else lines, figures, report)
        return
    if clips:
        raise click.UsageError("--bona-fide goes with --species")
    others = {reference: _reference(reference, config.models.threads) for reference in references}
    with attacks.open_set(root) as presentations:
        chosen = attacks.select(presentations, sources)
        names, ours, detector = _ours(config, models)
        with progress(chosen) as shown:
            scored = list(attacks.run(shown, detector, [ours, *others.values()]))
    columns = [list(column) for column in zip(*scored, strict=True)] or [[]]
    first = _result(names, ours.threshold, columns[0])
    if not first.overall.apcer.trials + first.overall.bpcer.trials:
        raise SampleError(f"{root}: no face was found in any picture")
    if others and not first.overall.bpcer.trials:
        raise SampleError(f"{root}: a reference needs bona fide presentations: its threshold follows from them")
    results = [first, *(_beside(first, name, column) for name, column in zip(others, columns[1:], strict=True))]
    if plot:
        pad_plot.draw({r.name: pad_plot.System(*attacks.scores(r.scored), r.threshold) for r in results}, plot)
    row: Row = {
        **_figures_row(first.overall),
        **_system_row(first),
        "references": [{**_figures_row(r.overall), **_system_row(r)} for r in results[1:]],
    }
    _write(() if as_json else _printed(results), row, report)


def _write(lines: Sequence[str], row: Row, report: Path | None) -> None:
    say(*lines)
    if report:
        write_report(report, row)
    emit(row)


def _ours(config: Config, models: Sequence[str]) -> tuple[str, FusedPad, FaceDetector]:
    """Name, PAD networks and detector of the kiosk. Raises ModelError."""
    loaded = load(config.models, config.policy)
    if not models:
        return ", ".join(config.models.pad), loaded.pad, loaded.detector
    manifest = Manifest(config.models.folder or default_folder())
    entries = [manifest.entry(name, PadEntry) for name in models]
    return (
        ", ".join(models),
        load_pad(manifest, entries, config.models.threads, provider=config.models.provider),
        loaded.detector,
    )


def _reference(text: str, threads: int) -> FusedPad:
    """Loads a reference network, given as FILE@CONTEXT. Raises ModelError."""
    name, _, context = text.rpartition("@")
    path = Path(name)
    try:
        times = float(context)
        content = path.read_bytes()
    except ValueError as error:
        raise ModelError(f"{text}: write FILE@CONTEXT, for instance fasnet.onnx@2.7") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if not 1 <= times <= 10:
        raise ModelError(f"{text}: a context is 1 to 10 times the face's box")
    pixels = Input(colour="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), size=(80, 80))
    network = Network(content, pixels, str(path), threads)
    twice = network.run(np.zeros((80, 80, 3), np.uint8)).shape[1] > MINIFASNET_CLASSES
    entry = PadEntry(
        name=path.stem,
        role="pad",
        model_id=path.stem,
        file=path.name,
        sha256="0" * 64,
        licence="",
        data="",
        teacher="",
        input=pixels,
        context=times,
        bona_fide_class=1,
        cut_out_threshold=0.5 if twice else None,
        threshold=0.5,
        threshold_apcer=1.0,
        threshold_bpcer=1.0,
    )
    return FusedPad([(network, entry)], entry.threshold)


def _result(name: str, threshold: float, scored: list[Scored]) -> Result:
    return Result(name, threshold, scored, attacks.measure(scored, threshold), attacks.by_source(scored, threshold))


def _beside(ours: Result, name: str, scored: list[Scored]) -> Result:
    """The result of a reference network at our BPCER."""
    bona_fide, _ = attacks.scores(scored)
    return _result(name, attacks.threshold_with(bona_fide, ours.overall.bpcer.errors), scored)


def _printed(results: Sequence[Result]) -> list[str]:
    lines: list[str] = []
    for r in results:
        lines.append(f"{r.name} at threshold {r.threshold:.4f}")
        for name, figures in r.sources.items() if len(r.sources) > 1 else ():
            lines += [name, *_lines(figures)]
        lines += ["all", *_lines(r.overall)]
    if len(results) > 1:
        lines.append("attacks passed + bona fide refused, and the mean of APCER and BPCER over the sources")
        for r in results:
            wrong = [f"{name} {_errors(figures)}" for name, figures in r.sources.items()]
            lines.append(f"  {r.name}: {', '.join(wrong)}, all {_errors(r.overall)}, mean {_share(_mean(r))}")
    return lines


def _errors(r: PadFigures) -> str:
    return f"{r.apcer.errors}/{r.apcer.trials} + {r.bpcer.errors}/{r.bpcer.trials}"


def _share(value: float) -> str:
    return "none" if math.isnan(value) else percent(value)


def _mean(r: Result) -> float:
    return attacks.mean_error(r.sources)


def _lines(r: PadFigures) -> list[str]:
    eer = "none" if math.isnan(r.eer) else f"{percent(r.eer)} at threshold {r.eer_threshold:.4f}"
    return [
        f"  APCER {rate_line(r.apcer)}",
        f"  BPCER {rate_line(r.bpcer)}",
        f"  EER   {eer}",
        f"  no face in {r.no_face} pictures",
    ]


def _system_row(r: Result) -> Row:
    return {
        "threshold": r.threshold,
        "models": r.name,
        "mean_error": number(_mean(r)),
        "sources": {name: _figures_row(figures) for name, figures in r.sources.items()},
    }


def _figures_row(r: PadFigures) -> Row:
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
