"""`kiosk bench --notify`, in small: a real kiosk-notify that reaches nobody, beside a pipeline of fakes."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Box, Face, Image, Quality
from kiosk.domain.people import Embedding
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.evaluation.benchmarks.frame import RandomGallery, frames
from kiosk.evaluation.benchmarks.notify import BLOCK, CAPACITY, NOTIFIERS, Kept, NotifyTiming, measure
from kiosk.station.pipeline import Pipeline
from kiosk.station.stages import Stages


class Everything:
    """Each stage of the pipeline, content with what it sees."""

    threshold = 0.5
    model_id = "m"

    def detect(self, image: Image) -> list[Face]:
        return [Face(Box(200, 100, 200, 200), ((0, 0),) * 5, 0.9)]

    def assess(self, image: Image, face: Face) -> Quality:
        return Quality(1.0)

    def upright(self, image: Image, face: Face) -> bool:
        return True

    def score(self, image: Image, face: Face) -> float:
        return 1.0

    def embed(self, image: Image, face: Face) -> Embedding:
        return Embedding(np.ones(128, np.float32))


@pytest.mark.prove
def test_notifiers_that_reach_nobody_lose_nothing_that_they_must_not() -> None:
    stage = Everything()
    gallery = RandomGallery("m", 128, Thresholds([OperatingPoint(1e-3, 0.5)], 1e-3))
    way = Pipeline(
        Stages(stage, stage, stage, stage, gallery),
        Rules(pause=0, rest=0, fresh_frames=0, fresh_seconds=0, again=True),
        80,
        door_ready=lambda: True,
    )
    pictures = cycle([np.full((480, 640, 3), level, np.uint8) for level in (10, 20)])
    taken = measure(way, frames(pictures), 4 * BLOCK)
    assert taken.good, taken
    assert taken.frames == 4 * BLOCK
    assert taken.recorded == taken.decisions > 2 * CAPACITY
    assert set(taken.kept) == set(NOTIFIERS)
    for kept in taken.kept.values():
        assert kept.waiting == CAPACITY
        assert kept.dropped > 0


@pytest.mark.parametrize(
    ("recorded", "kept"),
    [
        (9, Kept(20, 0, told=True, alarm=True, in_order=True)),
        (-1, Kept(20, 0, told=True, alarm=True, in_order=True)),
        (10, Kept(21, 0, told=True, alarm=True, in_order=True)),
        (10, Kept(20, 0, told=False, alarm=True, in_order=True)),
        (10, Kept(20, 0, told=True, alarm=False, in_order=True)),
        (10, Kept(20, 0, told=True, alarm=True, in_order=False)),
    ],
)
def test_what_is_missing_is_not_good(recorded: int, kept: Kept) -> None:
    assert not NotifyTiming(1, 1, 1, 1, 30, 10, recorded, 20, {"broker": kept}).good
    whole = Kept(20, 5, told=True, alarm=True, in_order=True)
    assert NotifyTiming(1, 1, 1, 1, 30, 10, 10, 20, {"broker": whole}).good
