"""The simulated camera plays the story in real time, and knows which visit a frame belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pytest
from pydantic import ValidationError

from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.direction import Stand
from kiosk.demonstration.story import ADA, STORY
from kiosk.domain.errors import CameraError


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def camera(clock: Clock, **options: float) -> SimulatedCamera:
    made = SimulatedCamera(
        SimulatedOptions.model_validate(options),
        clock=clock,
        sleep=clock.sleep,
        wall=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    made.open()
    return made


def test_the_story_lasts_under_forty_seconds_and_ends(clock: Clock) -> None:
    made = camera(clock, fps=1)
    numbers = [made.read(1.0).number for _ in range(made.frames)]
    assert numbers == list(range(made.frames))
    with pytest.raises(EOFError):
        made.read(1.0)
    assert clock.now - 50.0 == pytest.approx(made.seconds, abs=1.0)
    assert made.seconds < 40


def test_frames_come_at_the_rate_asked_for(clock: Clock) -> None:
    made = camera(clock, fps=10)
    times = [made.read(1.0).captured_at for _ in range(6)]
    assert np.diff(times) == pytest.approx([0.1] * 5)


def test_a_slow_reader_misses_frames_and_the_story_goes_by_the_clock(clock: Clock) -> None:
    made = camera(clock, fps=10)
    numbers = []
    for _ in range(20):
        numbers.append(made.read(1.0).number)
        clock.now += 0.35  # as long as the reader looks at each
    assert numbers[-1] / 10 == pytest.approx(clock.now - 0.35 - 50.0, abs=0.1)


def test_the_story_waits_for_a_reader_that_hangs(clock: Clock) -> None:
    made = camera(clock)
    made.open()
    first = made.read(1.0)
    clock.now += 10.0
    late, next_one = made.read(1.0), made.read(1.0)
    assert [late.number, next_one.number] == [first.number + 8, first.number + 9]
    assert late.captured_at - first.captured_at >= 10.0
    assert 0 < next_one.captured_at - late.captured_at <= 1 / 15


def test_a_frame_that_is_not_due_in_time_is_an_error_and_comes_later(clock: Clock) -> None:
    made = camera(clock, fps=2)
    made.read(1.0)
    with pytest.raises(CameraError, match="no frame yet"):
        made.read(0.2)
    assert made.read(0.4).number == 1


def test_visits_follow_the_story_with_an_empty_room_between(clock: Clock) -> None:
    made = camera(clock)
    visits = [v for v, _ in groupby(made.visit_at(n) for n in range(made.frames))]
    assert visits[::2] == [None] * len(STORY)
    assert tuple(visits[1::2]) == STORY
    assert made.visit_at(-1) is None
    assert made.visit_at(made.frames) is None


def test_a_loop_begins_anew_with_rising_numbers(clock: Clock) -> None:
    made = camera(clock, fps=1, loop=True)
    numbers = [made.read(2.0).number for _ in range(made.frames + 3)]
    assert numbers == list(range(made.frames + 3))
    assert made.visit_at(made.frames + 2) == made.visit_at(2)


def test_opened_again_it_begins_anew(clock: Clock) -> None:
    made = camera(clock)
    first = made.read(1.0)
    made.read(1.0)
    made.close()
    made.open()
    again = made.read(1.0)
    assert again.number == first.number == 0
    # The same but for its noise: a picture that was there before would be taken for that of a frozen camera.
    assert not np.array_equal(again.image, first.image)
    assert np.abs(again.image.astype(int) - first.image).mean() < 3


def test_no_two_frames_are_the_same(clock: Clock) -> None:
    made = camera(clock)
    pictures = [made.read(1.0).image.tobytes() for _ in range(12)]
    assert len(set(pictures)) == 12


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        SimulatedOptions.model_validate({"colour": "red"})


def test_it_hands_out_photos_for_the_gallery() -> None:
    assert SimulatedCamera.enrolment_picture(ADA).shape == (512, 512, 3)


def test_an_empty_room_has_no_end_and_no_two_pictures_alike(clock: Clock) -> None:
    made = camera(clock, fps=15, empty=True)
    frames = [made.read(1.0) for _ in range(made.frames + 10)]
    assert [f.number for f in frames] == list(range(len(frames)))
    assert clock.now - 50.0 == pytest.approx((len(frames) - 1) / 15)
    kept = frames[:150]
    assert len({f.image.tobytes() for f in kept}) == len(kept), "a camera that repeats itself is taken for frozen"
    assert {made.visit_at(f.number) for f in frames} == {None}


def test_the_story_stands_still_while_staff_use_the_kiosk_and_goes_on_with_the_next_visit(clock: Clock) -> None:
    made = camera(clock, fps=10)
    cued: list[str] = []
    made.cue = lambda visit: cued.append(visit.name)
    numbers = [made.read(1.0).number for _ in range(20)]  # the first visitor stands there
    assert made.visit_at(numbers[-1]) is STORY[0]
    made.direct(Stand(ADA, 22.0))
    directed = [made.read(1.0).number for _ in range(100)]
    assert [made.visit_at(number) for number in directed] == [None] * 100
    assert made.visit_at(numbers[-1]) is STORY[0], "what was before is not forgotten"
    made.direct(None)
    seen = [made.visit_at(made.read(1.0).number) for _ in range(12)]
    assert seen[0] is None, "the room is empty first"
    assert seen[-1] is STORY[1]
    assert cued == [visit.name for visit in STORY[:2]]


def test_a_visit_that_was_announced_is_not_passed_over(clock: Clock) -> None:
    made = camera(clock, fps=10)
    made.cue = lambda visit: made.direct(Stand()) if visit is STORY[1] else None
    while made.visit_at(made.read(1.0).number) is not STORY[0]:
        pass
    for _ in range(100):
        made.read(1.0)
    made.direct(None)
    seen = [made.visit_at(made.read(1.0).number) for _ in range(12)]
    assert STORY[1] in seen


def test_the_story_ends_only_when_staff_are_done(clock: Clock) -> None:
    made = camera(clock, fps=1)
    made.direct(Stand())
    for _ in range(2 * made.frames):
        made.read(1.0)
    made.direct(None)
    for _ in range(made.frames):
        made.read(1.0)
    with pytest.raises(EOFError):
        made.read(1.0)
