"""Faces that nobody has."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from faces import MIXTURE, Face, views_of  # noqa: E402
from mixtures import bent, fill, in_colours_of, lit, mixture, parents, thumbs  # noqa: E402

pytestmark = pytest.mark.train


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Smooth pictures, as faces are."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, 3, 6, 6)))
    smooth = torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic").clamp(0, 255)
    return np.ascontiguousarray(smooth.permute(0, 2, 3, 1).byte().numpy())


def test_a_mixture_is_the_same_each_time_and_its_number_chooses_it() -> None:
    made = []
    for _ in range(2):
        x = np.concatenate([faces(12), np.zeros((3, 128, 128, 3), np.uint8)])
        fill(x, np.arange(12), [(12, 7), (13, 8), (14, 7)])
        made.append(x)
    assert np.array_equal(*made)
    assert np.array_equal(made[0][12], made[0][14])
    assert not np.array_equal(made[0][12], made[0][13])
    assert np.array_equal(made[0][:12], faces(12))


def test_only_the_pool_is_mixed() -> None:
    x = np.concatenate([faces(8), np.zeros((1, 128, 128, 3), np.uint8)])
    other = x.copy()
    other[5:8] = 255 - other[5:8]
    for each in (x, other):
        fill(each, np.arange(5), [(8, 3)])
    assert np.array_equal(x[8], other[8])


def test_the_second_face_is_another_one_and_like_the_first() -> None:
    x = faces(40)
    x[20:] = np.clip(x[:20].astype(int) + 4, 0, 255)  # each is there twice
    known = thumbs(x, np.arange(40))
    for seed in range(20):
        first, second = parents(known, np.random.default_rng(seed))
        assert second == (first + 20) % 40


@pytest.mark.parametrize("seed", range(20))
def test_a_mixture_has_something_of_both(seed: int) -> None:
    a, b = np.zeros((128, 128, 3), np.uint8), np.full((128, 128, 3), 200, np.uint8)
    a[:, ::2], b[::2] = 90, 110  # two patterns, upright and lying
    mixed = mixture(a, b, np.random.default_rng(seed)).astype(int)
    assert mixed.shape == a.shape
    assert np.abs(np.diff(mixed, axis=0)).mean() > 1
    assert np.abs(np.diff(mixed, axis=1)).mean() > 1


def test_a_warp_moves_little_and_leaves_what_is_even() -> None:
    rng = np.random.default_rng(0)
    even = np.full((128, 128, 3), 77, np.uint8)
    assert np.array_equal(bent(even, rng), even)
    face = faces(1)[0]
    moved = np.abs(bent(face, rng).astype(int) - face).mean()
    assert 0 < moved < 25


def test_colours_become_those_of_the_other_face() -> None:
    a, b = (f.astype(np.float32) for f in faces(2))
    c = in_colours_of(b, a)[25:-25, 25:-25]
    assert np.allclose(c.mean((0, 1)), a[25:-25, 25:-25].mean((0, 1)), atol=0.5)


@pytest.mark.parametrize("seed", range(10))
def test_another_light_keeps_what_is_brighter_brighter(seed: int) -> None:
    ramp = np.linspace(-40, 340, 500, dtype=np.float32)[:, None].repeat(3, 1)  # mixing may leave 0..255
    light = lit(ramp, np.random.default_rng(seed)).astype(int)
    assert (np.diff(light, axis=0) >= 0).all()
    assert (light[0] == 0).all()
    assert (light[-1] > 190).all()


def test_a_mixture_has_one_view_and_a_picture_two() -> None:
    rows = [Face(0, "a.tar", "0", "celeba", ""), Face(1, "", "0", MIXTURE, ""), Face(2, "", "1", MIXTURE, "")]
    assert views_of(rows).tolist() == [0, 1, 2, 4]
