"""`kiosk evaluate`: measures the error rates of this program, end to end, on research sets. One module a command."""

from __future__ import annotations

import click

from kiosk.cli.evaluate import detector, fairness, lfw, linkage, pad, quantization, ruins


@click.group()
def evaluate() -> None:
    """Measure the error rates on a research set."""


for command in (
    detector.detector,
    fairness.fairness,
    lfw.lfw,
    linkage.linkage,
    pad.pad,
    quantization.quantization,
    ruins.ruins,
):
    evaluate.add_command(command)
