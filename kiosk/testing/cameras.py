"""What every camera must do: the fixture `camera` is the subclass's. It is read by a clock that the test moves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kiosk.domain.errors import CameraError
from kiosk.domain.ports.camera import Camera


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = 0.0
        """Seconds that the machine was suspended: CLOCK_BOOTTIME counts them, the driver's clock does not."""

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Nobody waits: the clock is moved on."""
        self.now += max(0.0, seconds)


class CameraContract:
    """Subclass it as Test..., with the fixture `camera`, not open yet. Its times and pauses are those of `clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of the test."""
        return Clock()

    @pytest.fixture
    def camera(self, clock: Clock) -> Camera:
        """The camera."""
        raise NotImplementedError

    def test_frames_are_pictures_with_rising_numbers_and_times(self, camera: Camera) -> None:
        camera.open()
        frames = [camera.read(1.0) for _ in range(10)]
        camera.close()
        assert all(f.image.dtype == np.uint8 and f.image.ndim == 3 and f.image.shape[2] == 3 for f in frames)
        for a, b in itertools.pairwise(frames):
            assert a.number < b.number
            assert a.captured_at < b.captured_at
            assert a.wall_at <= b.wall_at
        assert frames[0].wall_at.tzinfo is not None

    def test_a_frame_is_not_of_the_future_nor_old(self, camera: Camera, clock: Clock) -> None:
        camera.open()
        for _ in range(10):
            frame = camera.read(1.0)
            assert 0 <= clock.now - frame.captured_at < 0.2

    def test_a_closed_camera_delivers_nothing_and_may_be_opened_again(self, camera: Camera) -> None:
        camera.close()
        with pytest.raises(CameraError):
            camera.read(0.1)
        camera.open()
        camera.read(1.0)
        camera.close()
        camera.close()
        with pytest.raises(CameraError):
            camera.read(0.1)

    def test_pictures_once_given_do_not_change(self, camera: Camera) -> None:
        camera.open()
        first = camera.read(1.0).image
        copy = first.copy()
        for _ in range(5):
            camera.read(1.0)
        assert np.array_equal(first, copy)
