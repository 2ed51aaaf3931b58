"""The newest frame, and nothing older."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame
from kiosk.station.latest import LatestFrame


def frame(number: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), number, float(number), datetime(2026, 1, 1, tzinfo=UTC))


def test_only_the_newest_frame_is_given_and_only_once() -> None:
    latest = LatestFrame()
    for number in (1, 2, 3):
        latest.put(frame(number))
    assert latest.take(0).number == 3
    assert latest.dropped == 2
    with pytest.raises(CameraError, match="no frame"):
        latest.take(0)


def test_a_fault_voids_the_frame_before_it() -> None:
    latest = LatestFrame()
    latest.put(frame(1))
    latest.fail("unplugged")
    with pytest.raises(CameraError, match="unplugged"):
        latest.take(0)


def test_the_last_frame_is_given_before_the_end() -> None:
    latest = LatestFrame()
    latest.put(frame(1))
    latest.end()
    assert latest.take(0).number == 1
    with pytest.raises(EOFError):
        latest.take(0)


def test_a_waiting_thread_is_woken() -> None:
    latest = LatestFrame()
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.append(latest.take(10).number))
    thread.start()
    latest.put(frame(7))
    thread.join(10)
    assert taken == [7]


def test_a_recording_waits_until_its_frame_was_taken() -> None:
    latest = LatestFrame()
    taken: list[int] = []

    def take() -> None:
        taken.append(latest.take(10).number)
        taken.append(latest.take(10).number)

    thread = threading.Thread(target=take)
    thread.start()
    for number in (1, 2):
        latest.put(frame(number))
        latest.wait_taken(10)
    thread.join(10)
    assert taken == [1, 2]
    assert latest.dropped == 0
