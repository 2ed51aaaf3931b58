"""`kiosk evaluate detector`: measures the face detector on faces at known places."""

from __future__ import annotations

import math
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
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
from kiosk.domain.errors import SampleError
from kiosk.evaluation import detector as protocol
from kiosk.evaluation import detector_figures, plots
from kiosk.evaluation.detector import BANDS
from kiosk.evaluation.detector_figures import Interval, Result, Seen
from kiosk.evaluation.figures import Curve, Rate, clopper_pearson
from kiosk.evaluation.truth import Pictures, read_truth

CURVE_POINTS = 200


@click.command()
@root_argument
@click.option(
    "--truth", type=click.Path(path_type=Path), help="List of the faces, in CSV; the pictures' names are below ROOT."
)
@click.option("--reference", type=click.Path(path_type=Path), help="YuNet as OpenCV Zoo publishes it, to compare with.")
@plot_option
@report_option
@config_option
@json_option
def detector(
    root: Path,
    truth: Path | None,
    reference: Path | None,
    plot: Path | None,
    report: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Measures the face detector: recall by size, landmarks, false detections, time.

    With --truth it uses the faces of the list, and crops of its pictures without faces. Without it, ROOT is a folder or
    a tar of pictures with one known face each, over the centre, as in Labeled Faces in the Wild; other faces do not
    count. The networks get the whole picture, at most 640 pixels long, at the threshold of the kiosk. "door" is what
    the kiosk does: one pass over a small picture, then one over the part with the face. Faces count from 40 pixels.
    Intervals are 95%: Clopper and Pearson's, or by bootstrap over pictures. Times are processor time of one thread. The
    last line is one JSON object; the report also holds the curves.
    """
    check_outputs(plot, report)
    config = settings(config_file).models
    entry, finders, door = protocol.load(config, reference)
    door_name = f"{entry.model_id}, door"
    with Pictures(root) as source:
        pictures = read_truth(truth) if truth else source.centred()
        with progress(pictures) as shown:
            result = protocol.run(shown, source, finders, door, door_name)
    if not result.counted.any():
        raise SampleError(f"{truth or root}: lists no face from {detector_figures.COUNTED:.0f} pixels")
    threshold = entry.score_threshold
    names = list(finders)
    rows = {name: _row(result, name, threshold) for name in result.seen}
    against: dict[str, Row] = {}
    if reference:
        pair = (names[0], names[1])
        ours, theirs = protocol.network_times(config, reference)
        against = {
            "recall_difference": _interval_row(detector_figures.recall_difference(result, pair, threshold)),
            "landmark_ratio": _interval_row(detector_figures.landmark_ratio(result, pair, threshold)),
            "time": {
                "network_ms": round(ours, 3),
                "reference_network_ms": round(theirs, 3),
                "network_ratio": round(theirs / ours, 3),
                "detector_ratio": round(_ratio(result.seen[names[1]], result.seen[names[0]]), 3),
            },
        }
    if not as_json:
        say(f"{entry.model_id} at threshold {threshold:.2f}: {len(pictures)} pictures")
        for name in result.seen:
            say(name, *_lines(result, name, threshold))
        if reference:
            say(*_comparison(result, (names[0], names[1]), threshold, against["time"]))
    curves = {name: _curve(result, name, len(pictures)) for name in result.seen}
    if plot:
        bands = {name: [result.recall(name, threshold, result.band(*b)) for b in BANDS] for name in result.seen}
        plots.recall({n: (c[1], c[2]) for n, c in curves.items()}, [_band(*b) for b in BANDS], bands, plot)
    summary: Row = {
        "model_id": entry.model_id,
        "threshold": threshold,
        "pictures": len(pictures),
        "faces": int(result.counted.sum()),
        "detectors": rows,
        **against,
    }
    if report:
        write_report(report, {**summary, "curves": {name: _points_of(c) for name, c in curves.items()}})
    emit(summary)


def _lines(result: Result, name: str, threshold: float) -> list[str]:
    seen, errors = result.seen[name], _known(result, name, threshold)
    lines = [f"  recall        {rate_line(result.recall(name, threshold, result.counted))}"]
    for low, high in BANDS:
        rate = result.recall(name, threshold, result.band(low, high))
        lines += [f"    {_band(low, high):<11} {rate_line(rate)}"] if rate.trials else []
    for source in sorted(set(result.sources)) if len(set(result.sources)) > 1 else ():
        rate = result.recall(name, threshold, _of(result, source))
        lines += [f"    {source:<11} {rate_line(rate)}"] if rate.trials else []
    if errors.size:
        lines.append(
            f"  landmarks     {percent(errors.mean())} of the eyes' distance, 95% of the faces below "
            f"{percent(np.percentile(errors, 95))}, {errors.size} faces"
        )
    if result.located:
        lines.append(f"  false         {_above(seen.false, threshold)} on the pictures")
    if seen.crops:
        lines.append(f"  false, crops  {rate_line(clopper_pearson(_above(seen.crops, threshold), len(seen.crops)))}")
    lines.append(f"  time          {np.median(seen.seconds) * 1e3:.1f} ms a picture")
    return lines


def _comparison(result: Result, names: tuple[str, str], threshold: float, time: Row) -> list[str]:
    recall = detector_figures.recall_difference(result, names, threshold)
    ratio = detector_figures.landmark_ratio(result, names, threshold)
    landmarks = f"{ratio.value:.3f} times the error ({ratio.low:.3f} to {ratio.high:.3f})"
    return [
        f"{names[0]} beside {names[1]}",
        f"  recall        {_points(recall.value)} points ({_points(recall.low)} to {_points(recall.high)})",
        f"  landmarks     {'not known' if math.isnan(ratio.value) else landmarks}",
        f"  time          {time['network_ratio']} times as fast, the network alone at {protocol.NETWORK_SIDE} px; "
        f"{time['detector_ratio']} times, the whole detector",
    ]


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"


def _row(result: Result, name: str, threshold: float) -> Row:
    seen, errors = result.seen[name], _known(result, name, threshold)
    crops = clopper_pearson(_above(seen.crops, threshold), len(seen.crops))
    return {
        **_rate_row(result.recall(name, threshold, result.counted)),
        "bands": {_band(*b): _rate_row(result.recall(name, threshold, result.band(*b))) for b in BANDS},
        "sources": {s: _rate_row(result.recall(name, threshold, _of(result, s))) for s in sorted(set(result.sources))},
        "landmark_error": number(float(errors.mean())) if errors.size else None,
        "landmark_error_p95": number(float(np.percentile(errors, 95))) if errors.size else None,
        "landmark_faces": errors.size,
        "false": _above(seen.false, threshold) if result.located else None,
        "crops": crops.trials,
        "false_crops": crops.errors,
        "false_crops_high": number(crops.high) if crops.trials else None,
        "ms": round(float(np.median(seen.seconds)) * 1e3, 3),
    }


def _rate_row(r: Rate) -> dict[str, float | int | None]:
    return {"recall": number(r.rate), "recall_low": number(r.low), "recall_high": number(r.high), "faces": r.trials}


def _interval_row(i: Interval) -> Row:
    return {"value": number(i.value), "low": number(i.low), "high": number(i.high)}


def _known(result: Result, name: str, threshold: float) -> detector_figures.Numbers:
    errors = result.errors(name, threshold)
    return errors[~np.isnan(errors)]


def _of(result: Result, source: str) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = result.counted & (np.array(result.sources) == source)
    return chosen


def _above(scores: list[float], threshold: float) -> int:
    return sum(s >= threshold for s in scores)


def _band(low: float, high: float) -> str:
    return f"{low:.0f} px on" if math.isinf(high) else f"{low:.0f}-{high:.0f} px"


def _ratio(slow: Seen, fast: Seen) -> float:
    """The median over the pictures of the first detector's time divided by the second's."""
    return float(np.median(np.array(slow.seconds) / np.array(fast.seconds)))


def _curve(result: Result, name: str, pictures: int) -> tuple[Curve, Curve, Curve]:
    """(thresholds, false detections a picture, recall), from the highest threshold to the lowest."""
    seen = result.seen[name]
    scores = np.sort(np.array(seen.scores)[result.counted])
    false = np.sort(seen.false)
    thresholds = np.unique(np.concatenate([scores[scores > 0], false]))[::-1]
    return (
        thresholds,
        (false.size - np.searchsorted(false, thresholds, "left")) / pictures,
        1 - np.searchsorted(scores, thresholds, "left") / scores.size,
    )


def _points_of(curve: tuple[Curve, Curve, Curve]) -> list[Row]:
    """At most CURVE_POINTS points of a curve."""
    thinned = [c[np.unique(np.linspace(0, c.size - 1, CURVE_POINTS).astype(int))] if c.size else c for c in curve]
    return [
        {"threshold": round(t, 4), "false_a_picture": round(f, 6), "recall": round(r, 6)}
        for t, f, r in zip(*(c.tolist() for c in thinned), strict=True)
    ]
