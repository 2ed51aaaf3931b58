"""`kiosk replay`: runs the pipeline over every frame of a recording, deterministically. It never uses a door."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import click

from kiosk.cameras.sources import stills
from kiosk.cli.console import Row, config_option, emit, json_option, pass_home, say, settings
from kiosk.cli.decisions import decision_line, decision_row
from kiosk.cli.numbers import Finite
from kiosk.domain.decision import Decision
from kiosk.domain.face import Frame
from kiosk.domain.updates import Observed, Proposed
from kiosk.station import assembly
from kiosk.storage.home import Home
from kiosk.vision.models import load


class Tally:
    """Counts of a replay."""

    def __init__(self) -> None:
        self.frames = 0
        self.with_face = 0
        self.flaws: Counter[str] = Counter()
        self.hints: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.latencies: list[float] = []

    def observe(self, event: Observed) -> None:
        """Counts a frame for which the pipeline reported an observation."""
        self.with_face += bool(event.faces)
        if event.quality is not None and event.quality.flaw is not None:
            self.flaws[event.quality.flaw.value] += 1
        if event.hint is not None:
            self.hints[event.hint.value] += 1

    def decide(self, decision: Decision) -> None:
        """Counts a decision."""
        self.outcomes[decision.outcome.value] += 1
        self.reasons[decision.reason.value] += 1

    def row(self) -> Row:
        """The summary as a JSON object."""
        return {
            "event": "summary",
            "frames": self.frames,
            "frames_with_face": self.with_face,
            "decisions": sum(self.outcomes.values()),
            "granted": self.outcomes["granted"],
            "refused": self.outcomes["refused"],
            "reasons": dict(sorted(self.reasons.items())),
            "flaws": dict(sorted(self.flaws.items())),
            "hints": dict(sorted(self.hints.items())),
            "step_ms_p50": round(median(self.latencies), 2) if self.latencies else None,
        }


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--from", "begin", type=Finite(0), default=0.0, help="Seconds of the recording to skip.")
@click.option("--until", "end", type=Finite(0), help="Second of the recording to stop at.")
@config_option
@json_option
@pass_home
def replay(home: Home, source: Path, begin: float, end: float | None, config_file: Path | None, as_json: bool) -> None:
    """Runs the pipeline over a clip or a folder of pictures, and shows what it would have decided and why.

    A new attempt begins after each decision. It opens no door and records nothing.
    """
    config = settings(config_file)
    models = load(config.models, config.policy)
    tally = Tally()
    started = datetime.now(UTC)
    with closing(assembly.rehearsed(home)) as gallery:
        pipeline = assembly.replay_pipeline(config, models, gallery)
        for still in stills(source):
            if still.at < begin:
                continue
            if end is not None and still.at >= end:
                break
            tally.frames += 1
            events = pipeline.step(Frame(still.image, still.number, still.at, started + timedelta(seconds=still.at)))
            seconds = dict(pipeline.stopwatch.seconds)
            tally.latencies.append(1000 * sum(seconds.values()))
            for event in events:
                if isinstance(event, Observed):
                    tally.observe(event)
                elif isinstance(event, Proposed):
                    tally.decide(event.decision)
                    _show(event.decision, still.at, seconds, as_json)
    if as_json:
        emit(tally.row())
    else:
        say(f"{tally.frames} frames, {tally.row()['granted']} granted, {tally.row()['refused']} refused")


def _show(decision: Decision, at: float, seconds: dict[str, float], as_json: bool) -> None:
    if as_json:
        latencies = {stage: round(1000 * s, 2) for stage, s in seconds.items()}
        emit({**decision_row(decision), "at": round(at, 3), "latency_ms": latencies})
    else:
        say(f"{at:7.2f} s  {decision_line(decision, None)}")
