"""A camera that repeats earlier pictures, as a whole or in the face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache

import cv2
import numpy as np
import pytest

from kiosk.demonstration.scene import HOLD_BEGINS, Scene
from kiosk.demonstration.story import STORY
from kiosk.domain.face import Box, Frame, Image
from kiosk.domain.tracking import Seen
from kiosk.vision.frozen import REMEMBERED_FRAMES, Memory

FPS = 15.0
BOX = Box(256, 130, 128, 160)
"""The face of the scene's first visitor, standing."""
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@cache
def living(count: int = 45) -> list[Image]:
    scene = Scene()
    return [scene.render(STORY[0], HOLD_BEGINS + i / FPS, i) for i in range(count)]


@cache
def empty_room(count: int) -> list[Image]:
    scene = Scene()
    return [scene.render(None, i / FPS, i) for i in range(count)]


def with_clock(image: Image, number: int) -> Image:
    out = image.copy()
    cv2.putText(out, f"{number // 15:02d}.{number % 15:02d}", (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 1)
    return out


def brighter(image: Image, gain: float) -> Image:
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def faces(images: Iterator[Image] | list[Image], fps: float = FPS) -> list[Seen]:
    """What is known of the face in each."""
    memory, found = Memory(), []
    for number, image in enumerate(images):
        seen = memory.take(Frame(image, number, 100 + number / fps, NOON))
        found.append(memory.face(BOX) if seen is Seen.NEW else seen)
    return found


def test_a_living_face_before_a_sensor_with_noise_is_new_in_each_frame() -> None:
    assert set(faces(living())) == {Seen.NEW}


STILL: dict[str, Callable[[int], Image]] = {
    "plain": lambda n: living()[20],
    "clock": lambda n: with_clock(living()[20], n),
    "two in turns": lambda n: living()[20 + n % 2],
    "three in turns": lambda n: living()[20 + n % 3],
    "eight in turns, with a clock": lambda n: with_clock(living()[20 + n % 8], n),
    "getting darker": lambda n: brighter(living()[20], 1 - 0.002 * n),
    "brighter and darker": lambda n: brighter(living()[20], 1 + 0.2 * np.sin(n / 8)),
    "two in turns, getting darker, with a clock": lambda n: with_clock(
        brighter(living()[20 + n % 2], 1 - 0.002 * n), n
    ),
}


@pytest.mark.parametrize("kind", STILL)
@pytest.mark.parametrize("fps", [10.0, 15.0, 30.0])
def test_a_face_that_repeats_is_soon_known_and_stays_so(kind: str, fps: float) -> None:
    found = faces([STILL[kind](n) for n in range(60)], fps)
    soon = max(9, round(0.5 * fps))
    assert Seen.NEW not in found[soon:]
    assert found[soon:].count(Seen.FROZEN) > 0.9 * len(found[soon:])


def test_one_picture_given_twice_is_told_from_a_frozen_one() -> None:
    pictures = living()[:10]
    doubled = [image for image in pictures for _ in range(2)]
    assert faces(doubled) == [Seen.NEW, Seen.AGAIN] * 10


def test_a_loop_of_some_seconds_is_known_when_it_comes_round() -> None:
    found = faces([with_clock(image, n) for n, image in enumerate(living() * 2)])
    assert set(found[:45]) == {Seen.NEW}
    assert set(found[45:]) == {Seen.FROZEN}


def frozen_after(images: Iterator[Image]) -> float | None:
    """Seconds until the camera is called frozen."""
    memory = Memory()
    for number, image in enumerate(images):
        memory.take(Frame(image, number, 100 + number / FPS, NOON))
        if memory.frozen:
            return number / FPS
    return None


@pytest.mark.parametrize(
    "shown",
    [
        lambda n: empty_room(40)[7],
        lambda n: with_clock(empty_room(40)[7], n),
        lambda n: empty_room(40)[n % 3],
        lambda n: living()[20],
    ],
    ids=["empty", "clock", "three in turns", "somebody"],
)
def test_a_frozen_camera_is_noticed_with_and_without_a_face(shown: Callable[[int], Image]) -> None:
    seconds = frozen_after(shown(n) for n in range(90))
    assert seconds is not None
    assert 3.0 <= seconds <= 3.5


def dark(sigma: float, level: float = 4.0) -> Iterator[Image]:
    rng = np.random.default_rng(1)
    for _ in range(90):
        yield np.clip(np.round(rng.normal(level, sigma, (480, 640, 3))), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.3, 1.0])
def test_a_dark_still_room_is_not_frozen(sigma: float) -> None:
    assert frozen_after(dark(sigma)) is None


def test_a_still_room_with_noise_and_an_empty_wall_are_not_frozen() -> None:
    assert frozen_after(iter(empty_room(90))) is None
    assert frozen_after(np.full((480, 640, 3), 127, np.uint8) for _ in range(90)) is None


def test_a_frozen_camera_that_lives_again_is_no_longer_called_frozen() -> None:
    memory = Memory()
    for number in range(60):
        memory.take(Frame(empty_room(40)[7], number, number / FPS, NOON))
    assert memory.frozen
    memory.take(Frame(empty_room(40)[8], 60, 60 / FPS, NOON))
    assert not memory.frozen


def test_it_keeps_no_more_than_it_has_room_for_and_takes_pictures_of_any_size() -> None:
    memory, rng = Memory(), np.random.default_rng(2)
    for number in range(REMEMBERED_FRAMES + 5):
        image = rng.integers(0, 256, (40, 60, 3), np.uint8)
        assert memory.take(Frame(image, number, number / 30, NOON)) is Seen.NEW
    for shape in [(3, 5), (1080, 1920), (480, 640)]:
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        assert memory.take(Frame(image, 0, 1000.0, NOON)) is Seen.NEW
        assert memory.face(Box(-50, -50, 30, 30)) is Seen.NEW
        assert memory.face(Box(-5, -5, 5000, 5000)) is Seen.NEW
