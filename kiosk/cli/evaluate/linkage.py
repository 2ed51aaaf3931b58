"""`kiosk evaluate linkage`: measures what the secret matrix of a gallery costs and hides."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.console import Row, config_option, emit, json_option, say, settings
from kiosk.cli.evaluate.common import (
    check_outputs,
    number,
    progress,
    rate_line,
    report_option,
    root_argument,
    write_report,
)
from kiosk.evaluation import linkage as measuring
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.samples import open_samples
from kiosk.vision.models import load

PEOPLE = 1000
MOST_CHANGED = 5 / 10_000
"""Most mated decisions that may be another one because templates are turned."""


@click.command()
@root_argument
@click.option(
    "--people", type=click.IntRange(2, 100_000), default=PEOPLE, show_default=True, help="Most people of a gallery."
)
@click.option(
    "--keys", type=click.IntRange(1, 1000), default=measuring.KEYS, show_default=True, help="Matrices for each figure."
)
@report_option
@config_option
@json_option
def linkage(root: Path, people: int, keys: int, report: Path | None, config_file: Path | None, as_json: bool) -> None:
    """Measures what the secret matrix of a gallery costs, and what it hides.

    ROOT is a folder with pictures at any depth, or a tar, named as in LFW (Name_0001.jpg). All mated pairs are decided
    at the threshold for one reference, without and with a matrix and after a renewal. Templates of the same pictures
    are looked for across two galleries. And a matrix is recovered from some known people, by the pictures that are
    enrolled and by others of theirs: with enough of them that succeeds. Exit status 1 if more than 5 of 10,000
    decisions change, or if people are found across galleries more often than by chance. The last line is one JSON
    object.
    """
    check_outputs(None, report)
    config = settings(config_file)
    models = load(config.models, config.policy)
    threshold = models.thresholds.for_gallery({1: 1}).score
    with open_samples(root) as samples, progress(measuring.named_pictures(samples)) as paths:
        given = measuring.faces(samples, models.detector, models.embedder.bare, paths)
    changed = measuring.changed(given, models.cohort, threshold, keys)
    across = measuring.across(given, people, keys)
    found = measuring.table(given, people, keys=keys)
    among = across.trials // keys
    good = changed.turned.rate <= MOST_CHANGED and across.low <= 1 / among
    row: Row = {
        "model_id": models.embedder.model_id,
        "pictures": len(given.people),
        "threshold": round(threshold, 4),
        "changed_by_turning": _rate(changed.turned),
        "changed_by_renewal": _rate(changed.renewed),
        "changed_by_rounding": _rate(changed.rounded),
        "changed_by_turning_and_rounding": _rate(changed.turned_and_rounded),
        "across_two_keys": {**_rate(across), "people": among, "chance": number(1 / among)},
        "recovered": {
            name: [
                {"known": r.known, "among": r.among, "rank_1": number(r.found), "with_the_matrix": number(r.most)}
                for r in rows
            ]
            for name, rows in found.items()
        },
        "good": good,
    }
    if not as_json:
        say(
            f"{models.embedder.model_id}: {len(given.people)} pictures, {keys} matrices",
            f"mated decisions changed by turning  {_share(changed.turned)}",
            f"  by one renewal after that         {_share(changed.renewed)}",
            f"bytes against floats: not turned    {_share(changed.rounded)}",
            f"  turned                            {_share(changed.turned_and_rounded)}",
            f"rank 1 across two matrices          {rate_line(across)}; by chance 1 of {among}",
        )
        for name, rows in found.items():
            for r in rows:
                say(
                    f"{r.known:4} known by {name.replace('_', ' ')}: rank 1 {r.found:.3f} of {r.among} others "
                    f"(with the matrix itself {r.most:.3f})"
                )
    if report:
        write_report(report, row)
    emit(row)
    click.get_current_context().exit(0 if good else 1)


def _share(r: Rate) -> str:
    return f"{1e4 * r.rate:.2f} of 10,000 ({1e4 * r.low:.2f} to {1e4 * r.high:.2f}), {r.errors} of {r.trials}"


def _rate(r: Rate) -> Row:
    return {"count": r.errors, "of": r.trials, "rate": number(r.rate), "low": number(r.low), "high": number(r.high)}
