"""The earlier embedder's vectors: by its own network or a measured map, and never without what was measured."""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from kiosk.cameras.sources import Still
from kiosk.config import parse
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import ADA, BEN
from kiosk.domain.errors import ConfigError, ModelError
from kiosk.domain.matching import cosine, rounded
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.station import assembly
from kiosk.vision.earlier import VectorMap
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models, load

OLD, NEW = "mobilefacenet", "seesawfacenet"
SWITCHING = ModelsConfig(embedder=NEW, previous=OLD)
THRESHOLDS = """
thresholds = [
  { fmr = 0.001, score = 0.30, pairs = 1000000, false_matches = 1000 },
  { fmr = 0.00001, score = 0.40, pairs = 1000000, false_matches = 10 },
]
"""


def pictures(models: Models) -> dict[str, list[np.ndarray]]:
    enroller = assembly.enroller(parse("", "test"), models)
    found = {}
    for who in (ADA, BEN):
        picture = SimulatedCamera.enrolment_picture(who)
        looks = [enroller.sample(Still(who.name, image, 0, 0.0)) for image in (picture, picture[:, ::-1].copy())]
        found[who.key] = [v for s in looks for v in (s.vector, s.earlier) if v is not None]
    return found


def test_the_earlier_network_gives_what_it_gave_before_the_change() -> None:
    both = load(SWITCHING, PolicyConfig())
    before = load(ModelsConfig(embedder=OLD), PolicyConfig())
    assert both.earlier is not None
    assert isinstance(both.earlier.source, FaceEmbedder)
    assert both.compared == ("kiosk-seesawfacenet-5", "kiosk-mobilefacenet-10")
    enroller = assembly.enroller(parse("", "test"), before)
    sample = enroller.sample(Still("ada", SimulatedCamera.enrolment_picture(ADA), 0, 0.0))
    np.testing.assert_array_equal(pictures(both)["ada"][1], sample.vector)
    assert sample.earlier is None


def test_no_change_is_under_way_without_another_network() -> None:
    assert load(ModelsConfig(embedder=OLD, previous=OLD), PolicyConfig()).earlier is None
    with pytest.raises(ModelError, match="there is no embedder 'gone'"):
        load(ModelsConfig(embedder=NEW, previous="gone"), PolicyConfig())
    with pytest.raises(ConfigError, match="of one network"):
        parse(f'[models]\nprevious = "{OLD}"\n[policy]\nthreshold = 0.5\n', "test")


def copied(tmp_path: Path) -> Path:
    leave = shutil.ignore_patterns("train", "*.md", "*.py", "__pycache__")
    return Path(shutil.copytree(default_folder(), tmp_path / "models", ignore=leave))


def folder_with(tmp_path: Path, numbers: np.ndarray, more: str = THRESHOLDS, sha256: str = "") -> ModelsConfig:
    """A folder of networks with a map from the new one's vectors to the old one's."""
    folder = Path(
        shutil.copytree(default_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("train", "*.md"))
    )
    np.save(folder / "map.npy", numbers)
    digest = sha256 or hashlib.sha256((folder / "map.npy").read_bytes()).hexdigest()
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write(
            '\n[[pair]]\nnew = "kiosk-seesawfacenet-5"\nold = "kiosk-mobilefacenet-10"\nfile = "map.npy"\n'
            f'sha256 = "{digest}"\nlicence = "ours"\n{more}'
        )
    return SWITCHING.model_copy(update={"folder": folder})


def identity() -> np.ndarray:
    return np.c_[np.eye(128), np.zeros(128)].astype(np.float32)


def test_a_map_that_was_fitted_tells_people_apart_by_their_earlier_vectors(tmp_path: Path) -> None:
    """Ridge regression on few pictures, as models/train/embedder/harmonic.py does it on many."""
    vectors = pictures(load(SWITCHING, PolicyConfig()))
    pairs = [(them[i], them[i + 1]) for them in vectors.values() for i in (0, 2)]
    x, y = (np.stack([v / np.linalg.norm(v) for v in side]).astype(np.float64) for side in zip(*pairs, strict=True))
    weight = np.linalg.solve(x.T @ x + 1e-3 * np.eye(128), x.T @ y).T
    models = load(folder_with(tmp_path, np.c_[weight, np.zeros(128)].astype(np.float32)), PolicyConfig())
    assert models.earlier is not None
    assert isinstance(models.earlier.source, VectorMap)
    assert models.earlier.measure.by == "kiosk-seesawfacenet-5>kiosk-mobilefacenet-10"
    assert models.earlier.measure.thresholds.for_gallery({1: 1}).score == pytest.approx(0.30)
    assert [e.name for e in models.entries].count(OLD) == 0, "its network does not run"
    mapped = pictures(models)
    for key, other in (("ada", "ben"), ("ben", "ada")):
        own = cosine(rounded(mapped[key][1]), rounded(vectors[key][1]))
        assert own > 0.9
        assert own > cosine(rounded(mapped[key][1]), rounded(vectors[other][1])) + 0.3


def test_a_map_with_a_hidden_layer_computes_what_its_formula_says() -> None:
    rng = np.random.default_rng(4)
    affine, inner, back = rng.normal(size=(5, 6)), rng.normal(size=(7, 6)), rng.normal(size=(5, 7))
    rows = np.r_[affine, inner, np.c_[back.T, np.zeros(7)]].astype(np.float32)
    v = rng.normal(size=5)
    u = v / np.linalg.norm(v)
    layer = inner[:, :5] @ u + inner[:, 5]
    gelu = np.array([x / 2 * (1 + math.erf(x / math.sqrt(2))) for x in layer])
    wanted = affine[:, :5] @ u + affine[:, 5] + back @ gelu
    np.testing.assert_allclose(VectorMap.of(rows)(v.astype(np.float32)), wanted, atol=0.02)
    plain = affine[:, :5] @ u + affine[:, 5]
    np.testing.assert_allclose(VectorMap.of(rows[:5])(v.astype(np.float32)), plain, atol=1e-4)


@pytest.mark.parametrize(
    ("numbers", "more", "sha256", "words"),
    [
        (identity(), THRESHOLDS, "0" * 64, "damaged or altered"),
        (identity(), "", "", "no thresholds have been measured"),
        (identity()[:, :-1], THRESHOLDS, "", "it is not rows of 129"),
        (identity().astype(np.float64), THRESHOLDS, "", "it is not rows of 129"),
        (identity()[:-1], THRESHOLDS, "", "it is not D [+] 2 H rows of D [+] 1 numbers, but 127 of 129"),
        (np.r_[identity(), identity()[:1]], THRESHOLDS, "", "but 129 of 129"),
        (identity() * np.float32("nan"), THRESHOLDS, "", "what is no number"),
    ],
)
def test_a_map_that_cannot_be_trusted_refuses_the_start_in_one_line(
    tmp_path: Path, numbers: np.ndarray, more: str, sha256: str, words: str
) -> None:
    with pytest.raises(ModelError, match=words) as raised:
        load(folder_with(tmp_path, numbers, more, sha256), PolicyConfig())
    assert "\n" not in str(raised.value)


def test_a_missing_network_of_before_refuses_the_start(tmp_path: Path) -> None:
    folder = Path(
        shutil.copytree(default_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("train", "*.md"))
    )
    (folder / "mobilefacenet.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load(SWITCHING.model_copy(update={"folder": folder}), PolicyConfig())
