"""The recipe for the centre of ruined pictures, on feature vectors that were made up."""

from __future__ import annotations

import numpy as np
import pytest

from kiosk.vision.ruins import Ruins
from models.train.embedder.ruins import measured


def test_the_bounds_keep_all_but_a_share_of_upright_faces_and_few_of_the_turned() -> None:
    rng = np.random.default_rng(0)
    upright = (rng.standard_normal((4000, 128)) * 1.8).astype(np.float32)
    turned = (rng.standard_normal((500, 128)) * 0.5 + 1.0).astype(np.float32)
    wall = Ruins(*measured(upright, turned, refused=0.01))
    assert np.mean([not wall.natural(v) for v in upright]) == pytest.approx(0.02, abs=0.004)
    assert not any(wall.natural(v) for v in turned)
