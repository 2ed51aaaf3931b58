"""What the commands of an evaluation share: arguments, the progress bar, figures as words."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import click

from kiosk.evaluation.figures import Rate

T = TypeVar("T")

RELIABLE = 10
"""False matches below which a false accept rate says little."""

root_argument = click.argument("root", type=click.Path(path_type=Path))
plot_option = click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the curves into a picture file."
)


def progress(items: Sequence[T]) -> AbstractContextManager[Iterable[T]]:
    """A bar on standard error, if that is a terminal."""
    return click.progressbar(items, label="Pictures", file=sys.stderr, hidden=not sys.stderr.isatty())


def percent(share: float) -> str:
    """0..1 in hundredths."""
    return f"{100 * share:.2f}%"


def rate_line(r: Rate) -> str:
    """A rate with its interval and counts."""
    if not r.trials:
        return "none: no such picture with a face"
    return f"{percent(r.rate)} ({percent(r.low)} to {percent(r.high)}), {r.errors} of {r.trials}"


def number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else round(value, 6)
