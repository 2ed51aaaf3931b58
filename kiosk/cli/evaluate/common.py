"""Shared by the evaluation commands: arguments, the progress bar, figures as text."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import click

from kiosk.cli import console
from kiosk.cli.console import Row
from kiosk.domain.errors import KioskError
from kiosk.evaluation import plots
from kiosk.evaluation.figures import Rate

T = TypeVar("T")

RELIABLE = 10
"""With fewer false matches a false accept rate says little."""

root_argument = click.argument("root", type=click.Path(path_type=Path))
plot_option = click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the curves into a picture file."
)
pairs_option = click.option(
    "--pairs", required=True, type=click.Path(path_type=Path), help="List of pairs: a file, or one of the tar."
)
report_option = click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures into a JSON file."
)


def check_outputs(plot: Path | None, report: Path | None) -> None:
    """Checks the output files before the long work. Raises KioskError if a file could not be written."""
    if plot:
        plots.check()
    for path in (plot, report):
        if path and not os.access(path if path.exists() else path.parent, os.W_OK):
            raise KioskError(f"{path}: cannot be written there; name a file in a folder that exists")


def write_report(path: Path, row: Row) -> None:
    """Writes a report as JSON. Raises KioskError when it cannot be written."""
    try:
        path.write_text(json.dumps(row, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise KioskError(f"{path}: cannot be written ({error.strerror})") from error


def progress(items: Sequence[T]) -> AbstractContextManager[Iterable[T]]:
    """A progress bar on standard error, if that is a terminal."""
    return console.progress(items, "Pictures")


def percent(share: float) -> str:
    """A share of 0..1 as a percentage."""
    return f"{100 * share:.2f}%"


def rate_line(r: Rate) -> str:
    """A rate with its interval and counts as text."""
    if not r.trials:
        return "none: no such picture with a face"
    return f"{percent(r.rate)} ({percent(r.low)} to {percent(r.high)}), {r.errors} of {r.trials}"


def number(value: float) -> float | None:
    """The value rounded for JSON; None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, 6)


def squared_l2(score: float) -> float:
    """The squared Euclidean distance (FaceNet's measure) of two unit vectors whose cosine is `score`."""
    return 2 - 2 * score
