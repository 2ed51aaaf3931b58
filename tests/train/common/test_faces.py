"""What the training does to the pictures."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from models.train.common.covers import COVERS, EYES, covered, glasses, hat, mask  # noqa: E402
from models.train.common.faces import Batches  # noqa: E402

pytestmark = pytest.mark.train
MOUTH = (56, 92)  # x, y where ArcFace's alignment puts it


def batches(seed: int = 0) -> Batches:
    return Batches(np.zeros((1, 128, 128, 3), np.uint8), np.array([0, 1]), seed)


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_hides_the_mouth_and_leaves_the_eyes(seed: int) -> None:
    where, weight = mask(np.random.default_rng(seed))
    assert weight == 1.0
    assert where[MOUTH[1], MOUTH[0]] == 1
    assert all(where[y, x] == 0 for x, y in EYES)


@pytest.mark.parametrize("seed", range(20))
def test_glasses_are_around_the_eyes_and_leave_the_mouth(seed: int) -> None:
    where, weight = glasses(np.random.default_rng(seed))
    assert 0.6 <= weight <= 1
    assert where[MOUTH[1], MOUTH[0]] == 0
    assert where[36:70].sum() == where.sum() > 100


@pytest.mark.parametrize("seed", range(20))
def test_a_hat_ends_above_the_eyes(seed: int) -> None:
    where, weight = hat(np.random.default_rng(seed))
    assert weight == 1.0
    assert where[0].all()
    assert not where[42:].any()


@pytest.mark.parametrize("kind", list(COVERS))
def test_what_is_covered_is_where_the_cover_is(kind: str) -> None:
    x = torch.rand(3, 112, 112, generator=torch.Generator().manual_seed(0)) * 255
    where, _ = COVERS[kind](np.random.default_rng(3))
    y = covered(x, COVERS[kind], np.random.default_rng(3))
    assert torch.equal((x != y).any(0), torch.from_numpy(where == 1))
    assert float(y.min()) >= 0
    assert float(y.max()) <= 255


@pytest.mark.parametrize("change", ["cover", "compress", "blur", "tint"])
def test_a_change_meets_its_share_of_the_pictures(change: str) -> None:
    x = torch.rand(200, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 255
    y = getattr(batches(), change)(x.clone(), 0.25)
    touched = (x != y).flatten(1).any(1).float().mean().item()
    assert 0.15 < touched < 0.35
    assert float(y.min()) >= 0
    assert float(y.max()) <= 255


def test_changes_are_those_of_the_generator() -> None:
    x = torch.rand(16, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 255
    a, b, c = (batches(seed).changed(x.clone()) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
