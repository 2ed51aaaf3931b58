"""`kiosk bench --pin`: whether the time of an answer tells a number or a duress PIN."""

from __future__ import annotations

import numpy as np

from kiosk.cli.console import emit, say
from kiosk.evaluation.benchmarks import pins
from kiosk.evaluation.benchmarks.pins import LEAST, MOST, Kind


def measure(runs: int, as_json: bool) -> bool:
    """Prints what it took. Returns whether the time tells nothing."""
    taken = pins.measure(runs)
    p50 = {kind: 1e3 * float(np.median(taken.seconds[kind])) for kind in Kind}
    if not as_json:
        say(", ".join(f"{kind} {ms:.1f}" for kind, ms in p50.items()) + f" ms (p50), {runs} runs each in turns")
        say(f"AUC of a threshold on the time, which must be {LEAST:.2f} to {MOST:.2f}:")
        say(f"{taken.duress:.3f}  a duress PIN against the right one")
        say(f"{taken.unknown:.3f}  nobody's number against somebody's with a wrong PIN")
        say(f"{taken.control:.3f}  a right PIN against a wrong one, which the screen tells anyway")
    emit(
        {
            "runs": runs,
            "p50_ms": {kind.value: round(ms, 3) for kind, ms in p50.items()},
            "auc_duress_right": round(taken.duress, 4),
            "auc_unknown_wrong": round(taken.unknown, 4),
            "auc_right_wrong": round(taken.control, 4),
            "good": taken.good,
        }
    )
    return taken.good
