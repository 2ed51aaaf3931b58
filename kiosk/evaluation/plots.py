"""Draws curves of an evaluation with matplotlib (the extra `plots`)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kiosk.domain.errors import KioskError
from kiosk.evaluation.figures import Curve, Rate, Scores, error_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 80


@dataclass(frozen=True, slots=True)
class Mark:
    """A rate with its interval for a drawing; NaN for values that are not stated."""

    label: str
    rate: float
    low: float
    high: float


def check() -> None:
    """Raises KioskError if matplotlib is missing. Call it before the long work."""
    if "MPLCONFIGDIR" not in os.environ:
        # matplotlib writes its list of fonts there, so that it writes nothing into the user's home.
        os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="kiosk-plots-")
        atexit.register(shutil.rmtree, os.environ["MPLCONFIGDIR"], ignore_errors=True)
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise KioskError("--plot needs matplotlib: pip install 'face-kiosk[plots]'") from error
    mpl.use("Agg")


def det(mated: Scores, non_mated: Scores, title: str, path: Path) -> None:
    """Draws a DET curve (false reject rate over false accept rate, both logarithmic) and beside it the histograms of
    the scores. Raises KioskError when there is nothing to draw, or the file cannot be written or has an unknown
    suffix."""
    _comparable({title: (mated, non_mated)}, path)
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    _curve(left, mated, non_mated, title)
    left.set(title=title)
    both = np.concatenate([mated, non_mated])
    edges = np.linspace(np.nanmin(both), np.nanmax(both), BINS)
    for scores, label in ((non_mated, "non-mated"), (mated, "mated")):
        known = scores[~np.isnan(scores)]
        right.hist(known, bins=edges, weights=np.full(known.size, 1 / known.size), alpha=0.6, label=label)
    right.set(xlabel="score", ylabel="share of the comparisons")
    right.legend(loc="upper left")
    _save(figure, path)


def dets(systems: Mapping[str, tuple[Scores, Scores]], path: Path) -> None:
    """Draws the DET curves of several systems. `systems`: (mated, non-mated) scores by name. Raises as `det` does."""
    _comparable(systems, path)
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    for label, (mated, non_mated) in systems.items():
        _curve(axes, mated, non_mated, label)
    axes.legend(loc="lower left")
    _save(figure, path)


def rates(panels: Mapping[str, Sequence[Mark]], floor: float, xlabel: str, path: Path) -> None:
    """Draws rates of groups with their intervals, in panels on one logarithmic axis that starts at `floor`. An interval
    without a stated low end also starts there. Raises KioskError when the file cannot be written or has an unknown
    suffix."""
    check()
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, columns = plt.subplots(1, len(panels), figsize=(6 * len(panels), 5), layout="constrained", squeeze=False)
    highest = max((m.high for marks in panels.values() for m in marks if not np.isnan(m.high)), default=floor)
    limits = (floor, 10 ** np.ceil(np.log10(max(highest, floor * 10)) - 1e-9))
    for axes, (title, marks) in zip(columns[0], panels.items(), strict=True):
        for place, mark in enumerate(marks):
            axes.plot([np.nan_to_num(mark.low, nan=floor), mark.high], [place, place], color="tab:gray")
            axes.plot([mark.rate], [place], "o", color="tab:blue")
        axes.set_yticks(range(len(marks)), [mark.label for mark in marks])
        axes.set(xscale="log", xlabel=xlabel, title=title, xlim=limits, ylim=(-0.5, len(marks) - 0.5))
        axes.grid(visible=True, axis="x", alpha=0.3)
    _save(figure, path)


def recall(
    curves: Mapping[str, tuple[Curve, Curve]], bands: Sequence[str], rates: Mapping[str, Sequence[Rate]], path: Path
) -> None:
    """Draws recall over false detections a picture ((x, y) for each detector), and beside it recall with its interval
    in each band of sizes. Raises KioskError when the file cannot be written or has an unknown suffix."""
    check()
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for name, (false, found) in curves.items():
        left.step(false, found, where="post", label=name)
    left.set(xlabel="false detections a picture", ylabel="recall")
    left.set_xscale("symlog", linthresh=0.01)
    left.set_ylim(0.5, 1.01)
    for i, (name, row) in enumerate(rates.items()):
        shown = [(b + 0.1 * i, r) for b, r in enumerate(row) if r.trials]
        span = np.array([(r.rate - r.low, r.high - r.rate) for _, r in shown]).reshape(-1, 2).T
        right.errorbar([b for b, _ in shown], [r.rate for _, r in shown], span, fmt="o", capsize=3, label=name)
    right.set(xticks=range(len(bands)), xticklabels=bands, xlabel="size of the face in pixels", ylabel="recall")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    _save(figure, path)


def site(here: Sequence[tuple[float, Rate]], manifest: Sequence[tuple[float, float]], path: Path) -> None:
    """Draws a site's false match rates over the scores, with their intervals, and those of the manifest. A rate of 0
    is drawn as its upper end alone. Raises KioskError as `det`."""
    check()
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(8, 6), layout="constrained")
    axes.plot(*zip(*manifest, strict=True), marker="o", label="manifest")
    axes.vlines([s for s, _ in here], [r.low or 1e-9 for _, r in here], [r.high for _, r in here], label="this site")
    axes.plot([s for s, r in here if r.errors], [r.rate for _, r in here if r.errors], "x", color="black")
    lowest = min(rate for _, rate in manifest) / 10
    axes.set(yscale="log", xlabel="score", ylabel="false match rate", ylim=(lowest, 1))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    _save(figure, path)


def _comparable(systems: Mapping[str, tuple[Scores, Scores]], path: Path) -> None:
    check()
    if any(np.isnan(scores).all() for pair in systems.values() for scores in pair):
        raise KioskError(f"{path}: a curve needs scores of both kinds")


def _curve(axes: Axes, mated: Scores, non_mated: Scores, label: str) -> None:
    _, false_accepts, false_rejects = error_curve(mated, non_mated)
    axes.step(false_accepts, false_rejects, where="post", label=label)
    axes.set(xscale="log", yscale="log", xlabel="false accept rate", ylabel="false reject rate", ylim=(1e-3, 1))
    axes.grid(visible=True, which="both", alpha=0.3)


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise KioskError(f"{path}: the curve cannot be written ({error})") from error
    finally:
        plt.close(figure)
