"""Draws scores of presentation attack detection with matplotlib (the extra `plots`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiosk.domain.errors import KioskError
from kiosk.evaluation import plots
from kiosk.evaluation.figures import Scores, error_curve

BINS = np.linspace(0, 1, 41)


@dataclass(frozen=True, slots=True)
class System:
    """One network's scores, and the threshold of its rates."""

    bona_fide: Scores
    attacks: Scores
    threshold: float


def draw(systems: Mapping[str, System], path: Path) -> None:
    """Draws BPCER over APCER of all systems, and beside it the histograms of each. Raises KioskError when there is
    nothing to draw, or the file cannot be written or has an unknown suffix."""
    plots.check()
    if any(not s.bona_fide.size or not s.attacks.size for s in systems.values()):
        raise KioskError(f"{path}: a curve needs scores of both kinds")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - an optional extra

    figure, panels = plt.subplots(1, 1 + len(systems), figsize=(5 * (1 + len(systems)), 5), layout="constrained")
    for axes, (name, system) in zip(panels[1:], systems.items(), strict=True):
        _, apcer, bpcer = error_curve(system.bona_fide, system.attacks)
        panels[0].step(apcer, bpcer, where="post", label=name)
        for scores, label in ((system.attacks, "attacks"), (system.bona_fide, "bona fide")):
            axes.hist(scores, bins=BINS, weights=np.full(scores.size, 1 / scores.size), alpha=0.6, label=label)
        axes.axvline(system.threshold, color="black", linestyle=":", label=f"threshold {system.threshold:.3f}")
        axes.set(title=name, xlabel="score", ylabel="share of the presentations", yscale="log")
        axes.legend()
    panels[0].set(xlabel="APCER", ylabel="BPCER", xlim=(-0.02, 1), ylim=(-0.02, 1))
    panels[0].grid(visible=True, alpha=0.3)
    panels[0].legend()
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise KioskError(f"{path}: the picture cannot be written ({error})") from error
    finally:
        plt.close(figure)
