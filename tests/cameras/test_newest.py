"""Whatever a driver's queue holds: a frame that comes out of it is fresh, and has its true age."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.cameras.newest import MAX_QUEUE, MAX_SPOILT, Newest, Taken, is_picture
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.testing.cameras import Clock

GOOD = np.zeros((2, 2, 3), np.uint8)
BAD: list[Image | None] = [None, np.zeros((2, 2), np.uint8), np.zeros((0, 2, 3), np.uint8)]


class Queue:
    """Frames of so many seconds ago, each a good picture or none."""

    def __init__(self, frames: list[tuple[float, bool]]) -> None:
        self.clock = Clock()
        self.frames = frames
        self.held = 0
        self.taken = 0

    def take(self, timeout: float) -> Taken:
        assert timeout >= 0
        if not self.frames:
            raise CameraError("it is empty")
        age, good = self.frames.pop(0)
        self.held += 1
        self.taken += 1
        return Taken(self.clock.now - age, lambda: GOOD if good else BAD[self.taken % 3], self.let_go)

    def let_go(self) -> None:
        self.held -= 1

    def read(self) -> Frame:
        wall = datetime(2026, 1, 1, tzinfo=UTC)
        return Newest("eye", 30.0, self.clock, lambda: wall, self.clock).read(self.take, 1.0)


@given(st.lists(st.tuples(st.floats(-100, 1000), st.booleans()), max_size=20))
def test_only_a_fresh_picture_comes_out_and_all_memory_goes_back(frames: list[tuple[float, bool]]) -> None:
    queue = Queue(list(frames))
    try:
        frame = queue.read()
    except CameraError:
        frame = None
    assert queue.held == 0
    assert queue.taken <= MAX_QUEUE + MAX_SPOILT
    passed = frames[: queue.taken]
    if frame is not None:
        age, good = passed.pop()
        assert good
        assert -0.05 <= age <= 2 / 30 + 0.05 + 1e-9
        assert frame.captured_at == pytest.approx(queue.clock.now - max(age, 0.0))
    assert not [age for age, good in passed if good and 0 <= age <= 2 / 30], "no fresh one is left out"


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([(5.0, True)] * 30, "eye: the camera lags 5.0 s behind"),
        ([(0.0, False)] * 30, "eye: the camera gave 10 frames in a row that cannot be read"),
        ([(1e6, True)] * 30, "eye: the driver's time stamps are not of the monotonic clock"),
        ([], "it is empty"),
    ],
)
def test_a_camera_without_a_good_frame_says_why(frames: list[tuple[float, bool]], said: str) -> None:
    with pytest.raises(CameraError, match=f"^{said}$"):
        Queue(frames).read()


def test_memory_goes_back_when_a_picture_fails() -> None:
    given_back: list[int] = []

    def broken() -> Image:
        raise OSError("driver")

    with pytest.raises(OSError, match="driver"):
        Newest("eye", 30.0, Clock(), lambda: datetime.now(UTC), Clock()).read(
            lambda _: Taken(1000.0, broken, lambda: given_back.append(1)), 1.0
        )
    assert given_back == [1]


def test_what_is_a_picture() -> None:
    assert is_picture(GOOD)
    assert not any(is_picture(bad) for bad in BAD if bad is not None)
    assert not is_picture(GOOD.astype(np.float32))  # type: ignore[arg-type]
