"""A still room does not count as a frozen camera: ten minutes with the noise of real clips, of the scene, and drawn
noise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kiosk.cameras.sources import stills
from kiosk.demonstration.scene import Scene
from kiosk.domain.face import Frame, Image
from kiosk.vision.frozen import ACROSS, Memory

SHARED = Path(os.environ.get("KIOSK_SHARED", Path(__file__).resolve().parents[3] / "shared"))
CLIPS = sorted((SHARED / "clips").glob("*.mp4"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FPS = 15.0
SECONDS = 0.6 * int(os.environ.get("PROVE_ROUNDS", "1000"))
"""Ten minutes, where nothing is said."""
NIGHT, EVENING, DAY = 0.12, 0.25, 1.0
"""Of the day's light."""
BLOCK = 8
"""Pixels of the lattice: 24 to 64 of the picture, and so more than a codec's blocks."""
STILL = 12
"""Levels by which no pixel of a block may differ from its median for the block to show nothing that moves."""


def blocks(pictures: NDArray[np.generic]) -> NDArray[np.generic]:
    """N x H x W -> N x blocks x BLOCK x BLOCK."""
    n, h, w = pictures.shape
    return pictures.reshape(n, h // BLOCK, BLOCK, w // BLOCK, BLOCK).swapaxes(2, 3).reshape(n, -1, BLOCK, BLOCK)


def lattices(clip: Path) -> NDArray[np.uint8]:
    """The pixels of a clip that Memory looks at: N x H x W."""
    images = [still.image for still in stills(clip)]
    step = max(1, round(max(images[0].shape[:2]) / ACROSS))
    found = np.stack([image[::step, ::step, 1] for image in images])
    height, width = (side // BLOCK * BLOCK for side in found.shape[1:])
    return found[:, :height, :width]


def room_of(clip: Path, light: float) -> Iterator[Image]:
    """The clip's place without anybody. Each picture has the noise of one of the clip's, block by block from where
    nothing moved there: what the codec left as it was before stays as it was before here, too."""
    rng = np.random.default_rng(0)
    pictures = lattices(clip)
    _, height, width = pictures.shape
    place = np.median(pictures, axis=0)
    noise = pictures.astype(np.int16) - np.round(place).astype(np.int16)
    coded = np.ones(pictures.shape, bool)
    coded[1:] = pictures[1:] != pictures[:-1]
    quiet = (np.abs(blocks(noise)) <= STILL).all(axis=(2, 3))
    usable = [n for n in range(1, len(pictures)) if quiet[n].sum() >= BLOCK]
    noises, codeds, dim = blocks(noise), blocks(coded), np.round(light * place).astype(np.int16)
    shape = (height // BLOCK, width // BLOCK, BLOCK, BLOCK)
    now = np.clip(dim, 0, 255).astype(np.uint8)
    while True:
        n = usable[rng.integers(len(usable))]
        chosen = rng.choice(np.flatnonzero(quiet[n]), shape[0] * shape[1])
        anew, grain = (b[n][chosen].reshape(shape).swapaxes(1, 2).reshape(height, width) for b in (codeds, noises))
        now = np.where(anew, np.clip(dim + grain, 0, 255), now).astype(np.uint8)
        yield np.repeat(now[:, :, None], 3, axis=2)


def scene() -> Iterator[Image]:
    """The demonstration's room."""
    rendered = Scene(0)
    return (rendered.render(None, number / FPS, number) for number in count())


def drawn(light: float) -> Iterator[Image]:
    """Every second picture has coarse noise alone, as a camera that compresses."""
    rng = np.random.default_rng(3)
    room = np.round(light * Scene().render(None, 0.0, 0)).astype(np.uint8)
    fine = rng.integers(0, 3, room.shape, np.uint8)
    coarse = rng.integers(0, 4, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for number in count():
        yield cv2.add(room, np.roll(coarse if number % 2 else fine, 7919 * number))


def never_frozen(images: Iterator[Image], seconds: float) -> bool:
    memory = Memory()
    for number, image in enumerate(islice(images, round(seconds * FPS))):
        memory.take(Frame(image, number, 100 + number / FPS, NOON))
        if memory.frozen:
            return False
    return True


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_minutes_of_the_scenes_still_room_are_not_frozen() -> None:
    """Its noise is dimmed with it: a real sensor has more of it in the dark."""
    lights = (NIGHT, EVENING, 0.5, DAY)
    memories = [Memory() for _ in lights]
    for number, image in enumerate(islice(scene(), round(SECONDS * FPS))):
        for light, memory in zip(lights, memories, strict=True):
            dimmed = np.round(light * image).astype(np.uint8)
            memory.take(Frame(dimmed, number, 100 + number / FPS, NOON))
            assert not memory.frozen, (light, number)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("light", [NIGHT, EVENING])
def test_ten_minutes_of_a_drawn_still_room_are_not_frozen(light: float) -> None:
    assert never_frozen(drawn(light), SECONDS)


@pytest.mark.prove
@pytest.mark.shared
@pytest.mark.skipif(not CLIPS, reason="needs the clips of the shared sets beside the checkout")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("light", [NIGHT, EVENING, DAY])
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_ten_minutes_on_the_noise_of_a_clip_are_not_frozen(clip: Path, light: float) -> None:
    assert never_frozen(room_of(clip, light), SECONDS)


@pytest.mark.shared
@pytest.mark.skipif(not CLIPS, reason="needs the clips of the shared sets beside the checkout")
def test_twenty_seconds_on_the_noise_of_the_clip_that_repeats_most_are_not_frozen() -> None:
    assert never_frozen(room_of(SHARED / "clips" / "d19.mp4", EVENING), 20.0)


@pytest.mark.shared
@pytest.mark.skipif(not CLIPS, reason="needs the clips of the shared sets beside the checkout")
def test_the_same_room_is_frozen_once_its_pictures_come_again() -> None:
    """So that the rooms above could have been called frozen."""
    pictures = list(islice(room_of(SHARED / "clips" / "d19.mp4", EVENING), 30))
    assert not never_frozen((pictures[n % 30] for n in count()), 20.0)
