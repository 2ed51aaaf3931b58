"""PAD with one site's own camera: what counts, and which threshold is suggested."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Rules
from kiosk.domain.face import Box, Face, Flaw, Frame, Image, Quality
from kiosk.evaluation.calibration import (
    BONA_FIDE,
    LARGEST,
    NOBODY,
    SECONDS,
    SEVERAL,
    Advice,
    Presentation,
    advise,
    count,
    present,
)
from kiosk.evaluation.pad_attempts import FRAMES, granted

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FACE = Face(Box(250, 180, 140, 168), ((292, 247), (348, 247), (320, 281), (299, 314), (341, 314)), 0.9)
SMALL = Face(Box(20, 20, 30, 36), ((26, 30), (38, 30), (32, 38), (28, 46), (36, 46)), 0.9)
scores = st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.55, 0.7, 0.9]) | st.floats(0, 1), max_size=FRAMES)


def person(*found: float) -> Presentation:
    return Presentation(BONA_FIDE, found)


def phone(*found: float) -> Presentation:
    return Presentation("phone", found)


class Stages:
    """Detector, gate and PAD: each frame's number chooses what they find."""

    def __init__(self, story: list[float | Flaw | str]) -> None:
        self.story = story
        self.asked: list[float] = []

    def detect(self, image: Image) -> list[Face]:
        now = self._now(image)
        if now == NOBODY:
            return []
        return [FACE, FACE] if now == SEVERAL else [FACE, SMALL]

    def assess(self, image: Image, face: Face) -> Quality:
        now = self._now(image)
        return Quality(0.0, now) if isinstance(now, Flaw) else Quality(0.9)

    def score(self, image: Image, face: Face) -> float:
        now = self._now(image)
        assert isinstance(now, float), "only a usable frame is scored"
        self.asked.append(now)
        if math.isnan(now):
            raise ValueError("the PAD network's output is not finite")
        return now

    def _now(self, image: Image) -> float | Flaw | str:
        return self.story[int(image[0, 0, 0])]

    def present(self, fps: float = 15.0) -> Presentation:
        def frames() -> Iterator[Frame]:
            for n in range(len(self.story)):
                yield Frame(np.full((4, 4, 3), n, np.uint8), n, 50.0 + n / fps, NOON)

        return present("phone", frames(), self, self, self, 64.0)


def test_usable_frames_are_scored_and_the_others_told() -> None:
    made = Stages([NOBODY, Flaw.TOO_NEAR, SEVERAL, Flaw.TOO_NEAR, 0.5, math.nan, 0.75]).present()
    assert made == Presentation("phone", (0.5, 0.0, 0.75), "too_near")
    assert Stages([]).present() == Presentation("phone", ())


def test_a_presentation_ends_with_enough_frames_or_with_its_time() -> None:
    stages = Stages([0.5] * 60)
    assert len(stages.present().scores) == len(stages.asked) == FRAMES
    assert len(Stages([0.5] * 60).present(fps=1.0).scores) == SECONDS + 1
    assert Stages([NOBODY] * 30 + [0.5] * 30).present(fps=1.0) == Presentation("phone", (), NOBODY)


@given(scores, st.floats(0, 1))
def test_it_passes_up_to_its_strength_as_an_attempt_does(found: list[float], threshold: float) -> None:
    strength = phone(*found).strength
    passes = granted(found, threshold, Rules())
    assert passes is (None if strength is None else strength >= threshold)


def test_attacks_that_pass_and_people_who_do_not_are_counted() -> None:
    people = [person(0.9, 0.9, 0.9), person(0.9, 0.2, 0.9, 0.9), person(0.9, 0.9)]
    counted = count(people, 0.5)
    assert (counted.attempts.errors, counted.attempts.trials, counted.silent) == (1, 2, 1)
    assert (counted.frames.errors, counted.frames.trials) == (1, 7)
    attacks = [phone(0.1, 0.9, 0.9, 0.9), phone(0.1, 0.1, 0.1)]
    assert (count(attacks, 0.5).attempts.errors, count(attacks, 0.5).attempts.trials) == (1, 2)
    assert count(attacks, 0.5).attempts.high == pytest.approx(0.987421, abs=1e-6), "exact, not an approximation"
    assert (count([phone(0.9)], 0.5).attempts.trials, count([], 0.5).silent) == (0, 0)


def test_where_the_manifests_threshold_does_as_well_it_stays() -> None:
    found = [person(0.9, 0.9, 0.9)] * 5 + [phone(0.1, 0.1, 0.1)]
    assert advise(found, 0.5, 0.0) == Advice(0.5, 0, 5, 0, 1)


def test_a_stricter_one_lies_between_the_attacks_and_the_people() -> None:
    found = [person(0.9, 0.9, 0.9)] * 5 + [phone(0.1, 0.1, 0.1), phone(0.6, 0.6, 0.6)]
    assert advise(found, 0.5, 0.0) == Advice(0.75, 0, 5, 0, 2)


def test_people_bound_it_and_what_passes_then_is_told() -> None:
    found = [person(s, s, s) for s in (0.6, 0.7, 0.8, 0.9)] + [phone(0.65, 0.65, 0.65), phone(0.95, 0.95, 0.95)]
    assert advise(found, 0.5, 0.0) == Advice(0.5, 0, 4, 2, 2)
    assert advise(found, 0.5, 0.25) == Advice(0.675, 1, 4, 1, 2)


def test_where_even_the_manifests_refuses_too_many_none_is_suggested() -> None:
    found = [person(0.4, 0.4, 0.4), person(0.9, 0.9, 0.9)]
    assert advise(found, 0.5, 0.05) == Advice(None, 1, 2, 0, 0)
    with pytest.raises(ValueError, match="nobody"):
        advise([person(0.9), phone(0.9, 0.9, 0.9)], 0.5, 0.05)


@given(
    st.lists(scores, min_size=1, max_size=12), st.lists(scores, max_size=8), st.floats(0.01, 0.98), st.floats(0, 0.5)
)
def test_what_is_suggested_is_never_laxer_keeps_the_bound_and_no_other_lets_fewer_attacks_pass(
    people: list[list[float]], attacks: list[list[float]], least: float, bpcer: float
) -> None:
    found = [person(*s) for s in people] + [phone(*s) for s in attacks]
    if all(p.strength is None for p in found if p.species == BONA_FIDE):
        return
    advice = advise(found, least, bpcer)

    def errors(threshold: float) -> tuple[int, int]:
        passes = [(p.species, p.strength >= threshold) for p in found if p.strength is not None]
        return passes.count((BONA_FIDE, False)), passes.count(("phone", True))

    tried = [least, *(np.linspace(least, LARGEST, 50)), *(p.strength for p in found if p.strength is not None)]
    allowed = [t for t in tried if least <= t <= LARGEST and errors(t)[0] <= bpcer * advice.people + 1e-9]
    if advice.threshold is None:
        assert errors(least)[0] > bpcer * advice.people
        assert not allowed
        return
    assert least <= advice.threshold <= LARGEST
    assert errors(advice.threshold) == (advice.refused, advice.passed)
    assert advice.refused <= bpcer * advice.people + 1e-9
    assert advice.passed == min(errors(t)[1] for t in allowed)
