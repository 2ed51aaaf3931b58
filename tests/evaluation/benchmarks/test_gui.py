"""`kiosk bench --gui`: the rate with and without the window in turns, and the time to a decision."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest

from kiosk.domain.face import Frame
from kiosk.domain.updates import Update, Waiting
from kiosk.evaluation.benchmarks import gui
from kiosk.evaluation.benchmarks.gui import BLOCK, Approaches, Delays, Rates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Way:
    """Stands for the pipeline."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def step(self, frame: Frame) -> list[Waiting]:
        self.steps.append(frame.number)
        return [Waiting(frame.number)]


def test_every_other_block_is_shown_and_all_are_stepped() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    source = (Frame(image, number, 0.0, NOW) for number in itertools.count())
    shown: list[int] = []
    published: list[Update] = []
    way = Way()
    found = gui.rates(way, source, 2, lambda frame: shown.append(frame.number), published.append)  # type: ignore[arg-type]
    assert len(way.steps) == 5 * BLOCK
    assert shown == [*range(BLOCK, 2 * BLOCK), *range(3 * BLOCK, 4 * BLOCK)]
    assert len(published) == len(shown)
    assert found.without > 0


def test_ten_percent_and_no_more() -> None:
    assert Rates(10.0, 9.0).good
    assert not Rates(10.0, 8.9).good


def test_a_late_or_a_missed_decision_is_not_good() -> None:
    assert Delays((0.3,) * 20, 0).good
    assert not Delays((0.3,) * 20, 1).good
    assert not Delays((0.5,) * 20, 0).good
    assert not Delays((*(0.3,) * 18, 0.9, 0.9), 0).good
    assert not Delays((), 0).good


def test_people_come_one_after_another_and_no_picture_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gui.time, "sleep", lambda _: None)
    eye = Approaches(2)
    eye.open()
    frames = [eye.read(1.0) for _ in range(2 * (round(gui.GAP * gui.RATE) + round((gui.WALK + gui.STAY) * gui.RATE)))]
    with pytest.raises(EOFError):
        eye.read(1.0)
    assert [eye.visit_of(frame.number) for frame in (frames[0], frames[-1])] == [0, 1]
    assert eye.captured == [frame.captured_at for frame in frames]
    assert len({frame.image.tobytes() for frame in frames}) == len(frames)


@pytest.mark.prove
def test_the_whole_kiosk_lets_the_visitors_in() -> None:
    """How soon is for `kiosk bench --gui` to judge."""
    found = gui.delays(2, lambda _: None, lambda _: None)
    assert len(found.seconds) == 2
    assert found.missed == 0
