"""The faces of a training, aligned again by the kiosk's own detector. The faces are the demonstration's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import ADA, VISITORS
from kiosk.vision.alignment import similarity
from kiosk.vision.pixels import warped
from models.train.common.realign import realigned

pytestmark = pytest.mark.train
MARGIN = 8
FIND = """
import json
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import ADA, VISITORS
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.models import load
detector = load(ModelsConfig(), PolicyConfig()).detector
print(json.dumps([detector.detect(SimulatedCamera.enrolment_picture(v))[0].landmarks for v in (ADA, VISITORS[-1])]))
"""


@pytest.fixture(scope="module")
def shots() -> list[tuple[np.ndarray, np.ndarray]]:
    """Picture and landmarks of each visitor. The kiosk's networks share a pool of threads with nothing else in a
    process, and the other tests here have networks of their own: so they are found in another one."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", FIND], capture_output=True, text=True, check=True, cwd=root)
    pictures = [SimulatedCamera.enrolment_picture(v) for v in (ADA, VISITORS[-1])]
    return list(zip(pictures, np.array(json.loads(done.stdout)), strict=True))


def crop(
    picture: np.ndarray, landmarks: np.ndarray, turn: float = 0.0, shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """As the data folder has it, but by landmarks that err: `turn` degrees, `shift` pixels of the crop."""
    matrix = similarity(landmarks)
    matrix[:, 2] += MARGIN
    err = cv2.getRotationMatrix2D((64.0, 64.0), turn, 1.0)
    err[:, 2] += shift
    return warped(picture, _after(err, matrix), 128)


def _after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def test_what_was_aligned_badly_is_aligned_well(shots: list[tuple[np.ndarray, np.ndarray]]) -> None:
    bad = np.stack([crop(*shot, turn=6, shift=(3, -2)) for shot in shots])
    good = np.stack([crop(*shot) for shot in shots])
    inner = (slice(None), slice(24, -24), slice(24, -24))
    before, after = (
        np.abs(x[inner].astype(float) - good[inner]).mean() for x in (bad, np.stack([*realigned(bad, [0, 1], 1)]))
    )
    assert after < before / 3


def test_a_picture_without_a_face_where_it_should_be_stays_as_it_is(shots: list[tuple[np.ndarray, np.ndarray]]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    aside = crop(*shots[0], shift=(30, 0))
    given = np.stack([noise, aside, crop(*shots[1])])
    first, second = realigned(given, [1, 0], 1)
    assert (first == aside).all()
    assert (second == noise).all()
