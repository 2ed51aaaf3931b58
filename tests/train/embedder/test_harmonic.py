"""The map between two networks' vectors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

from kiosk.vision.earlier import VectorMap  # noqa: E402
from kiosk.vision.manifest import EmbedderEntry, Manifest  # noqa: E402
from kiosk.vision.measured import PairEntry  # noqa: E402
from models.train.common.folders import MODELS  # noqa: E402
from models.train.embedder.false_matches import Fmr  # noqa: E402
from models.train.embedder.harmonic import bent, best, fitted, mean, pair_fragment, tar, unit, write_map  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small are no work for several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def two_networks(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of n faces by an old network, and by a new one that sees the same, turned, with a noise of its own."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(128, 128)))[0]
    old = unit(rng.normal(size=(n, 128)).astype(np.float32))
    new = old @ turn + noise * rng.normal(size=(n, 128)) / np.sqrt(128)
    return old, 7 * new.astype(np.float32)


def test_the_map_brings_new_vectors_to_the_old_ones_place() -> None:
    old, new = two_networks(2000, 0.1)
    found = fitted(new, old)
    other_old, other_new = two_networks(200, 0.1, seed=1)
    mapped = found(other_new)
    assert np.linalg.norm(mapped, axis=1) == pytest.approx(1, abs=1e-5)
    assert float((mapped * other_old).sum(1).mean()) > 0.97
    assert float((unit(other_new) * other_old).sum(1).mean()) < 0.3, "without it they are strangers"


def test_vectors_of_other_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same faces"):
        fitted(np.ones((3, 128), np.float32), np.ones((2, 128), np.float32))


def products(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Old vectors that hold the products of what the new ones hold: no affine map finds them."""
    rng = np.random.default_rng(seed)
    few = rng.normal(size=(n, 4))
    old = np.zeros((n, 128), np.float32)
    old[:, :16] = (few[:, :, None] * few[:, None]).reshape(n, 16)
    new = few @ np.random.default_rng(9).normal(size=(4, 128))
    return unit(old), new.astype(np.float32)


def test_a_hidden_layer_learns_what_no_affine_map_can() -> None:
    old, new = products(2000, 0)
    first = fitted(new, old)
    second = bent(first, new, old, steps=200, hidden=128)
    assert second.numbers.shape == (128 + 2 * 128, 129)
    other_old, other_new = products(200, 1)
    near = [float((m(other_new) * other_old).sum(1).mean()) for m in (first, second)]
    assert near[1] > near[0] + 0.1
    chosen = best(new, old, steps=200)
    assert len(chosen.numbers) > 128, "the one that tells more of the faces that were held back"


def test_the_mean_of_maps_gives_the_mean_of_what_they_give() -> None:
    old, new = products(300, 0)
    maps = [bent(fitted(new, old), new, old, steps=20, hidden=size, seed=size) for size in (8, 16)]
    wanted = np.mean([[VectorMap.of(m.numbers)(v) for v in new[:5]] for m in maps], axis=0)
    got = [VectorMap.of(mean(maps).numbers)(v) for v in new[:5]]
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    assert not np.allclose(*(m.numbers[:128] for m in maps)), "another seed is another map"


def test_tar_counts_each_face_by_each_other() -> None:
    people = np.array([0, 0, 1, 1])
    scores = np.array([[1, 0.9, 0.1, 0.2], [0.3, 1, 0.5, 0.1], [0.1, 0.1, 1, 0.4], [0.2, 0.1, 0.8, 1]], np.float32)
    assert tar(scores, people, 0.0) == 0.5, "of .9, .3, .4 and .8 two are above the highest stranger's .5"


def test_the_maps_file_and_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = np.array([f"person{i // 2}_{i:04}" for i in range(60)])
    old, new = two_networks(500, 0.1)
    for name, v in (("old", old), ("new", new)):
        np.savez(tmp_path / f"{name}.npz", training=v, faces=v[:60], names=names)
    write_map(tmp_path / "old.npz", tmp_path / "new.npz", 0, tmp_path / "map.npy")
    assert np.load(tmp_path / "map.npy").shape == (128, 129)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["old-old", "new-new", "new-old"]
    np.savez(tmp_path / "other.npz", training=old, faces=old[:60], names=names[::-1])
    with pytest.raises(SystemExit, match="not of the same faces"):
        write_map(tmp_path / "other.npz", tmp_path / "new.npz", 0, None)


def test_the_kiosk_reads_the_pair_that_is_written(tmp_path: Path) -> None:
    manifest = Manifest(MODELS)
    after, before = (manifest.entry(name, EmbedderEntry) for name in ("freefacenet", "mobilefacenet"))
    np.save(tmp_path / "map.npy", np.zeros((128, 129), np.float32))
    rows = [
        Fmr("aaf", fmr, score, 1_000_000, 100, score - 0.01, score + 0.01) for fmr, score in ((1e-3, 0.4), (1e-4, 0.5))
    ]
    written = tomllib.loads(pair_fragment(after, before, tmp_path / "map.npy", rows))
    pair = PairEntry.model_validate(written["pair"][0])
    assert (pair.new, pair.old) == (after.model_id, before.model_id)
    assert [(p.fmr, p.score) for p in pair.operating_points()] == [(1e-3, 0.4), (1e-4, 0.5)]
    assert pair.cohort == before.cohort
    assert pair.licence.startswith("research only"), "it is the old network's, whose weights shaped the map"
