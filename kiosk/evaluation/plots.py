"""Curves of an evaluation, with matplotlib (the extra `plots`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kiosk.domain.errors import KioskError
from kiosk.evaluation.figures import Scores, error_curve


def check() -> None:
    """Raises KioskError where matplotlib is missing: before the work, not after it."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, imported only where it is used
    except ImportError as error:
        raise KioskError("--plot needs matplotlib: pip install 'face-kiosk[plots]'") from error
    mpl.use("Agg")


def det(mated: Scores, non_mated: Scores, title: str, path: Path) -> None:
    """Draws a DET curve: false reject rate over false accept rate, both logarithmic. Raises KioskError when there is
    nothing to draw, or the file cannot be written or has an unknown suffix."""
    check()
    if np.isnan(mated).all() or np.isnan(non_mated).all():
        raise KioskError(f"{path}: a curve needs scores of both kinds")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    _, false_accepts, false_rejects = error_curve(mated, non_mated)
    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    axes.step(false_accepts, false_rejects, where="post")
    axes.set(
        xscale="log", yscale="log", xlabel="false accept rate", ylabel="false reject rate", title=title, ylim=(1e-3, 1)
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise KioskError(f"{path}: the curve cannot be written ({error})") from error
    finally:
        plt.close(figure)
