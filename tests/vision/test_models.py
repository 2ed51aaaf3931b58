"""The manifest and the networks that travel with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kiosk.cameras.simulated import SimulatedCamera
from kiosk.cameras.story import ADA, VISITORS
from kiosk.config import ModelsConfig, PolicyConfig
from kiosk.domain.errors import ModelError
from kiosk.domain.matching import cosine
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest, PadEntry, default_folder
from kiosk.vision.models import Models, load
from kiosk.vision.network import Network
from kiosk.vision.tracking import Tracker

LIMITS = {"detector": 500_000, "embedder": 1_400_000, "pad": 1_800_000}


@pytest.fixture(scope="module")
def models() -> Models:
    return load(ModelsConfig(), PolicyConfig())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "models"
    shutil.copytree(default_folder(), target, ignore=shutil.ignore_patterns("train", "*.md"))
    return target


def test_every_network_is_the_manifests_and_small() -> None:
    manifest = Manifest(default_folder())
    assert {e.role for e in manifest.entries} == {"detector", "embedder", "pad"}
    for entry in manifest.entries:
        assert len(manifest.bytes_of(entry)) <= LIMITS[entry.role]
        assert entry.licence
        assert entry.data
    assert len({e.model_id for e in manifest.entries}) == len(manifest.entries)


def test_the_threshold_states_its_evidence() -> None:
    entry = Manifest(default_folder()).entry("mobilefacenet", EmbedderEntry)
    assert entry.dimension == 128
    at = [t for t in entry.thresholds if t.fmr == entry.threshold_fmr]
    assert [t.score for t in at] == [entry.threshold]
    scores = [t.score for t in sorted(entry.thresholds, key=lambda t: -t.fmr)]
    assert scores == sorted(scores)


@pytest.mark.parametrize("change", ["[[model]]\n", "schema_version = 2\n", "nonsense", 'x = "unknown"\n'])
def test_a_wrong_manifest_is_refused(folder: Path, change: str) -> None:
    path = folder / "manifest.toml"
    text = path.read_text()
    path.write_text(change + text.replace("schema_version = 1\n", "") if "schema" in change else change + text)
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        Manifest(folder)


def test_a_network_of_another_role_is_not_taken() -> None:
    with pytest.raises(ModelError, match="there is no detector 'mobilefacenet'"):
        Manifest(default_folder()).entry("mobilefacenet", DetectorEntry)


def test_bytes_that_are_no_network_are_refused() -> None:
    entry = Manifest(default_folder()).entry("pad-2.7", PadEntry)
    with pytest.raises(ModelError, match="cannot load"):
        Network(b"not a network", entry.input, entry.name, 2)


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda v: v.key)
def test_the_detector_finds_the_one_face(models: Models, visitor: object) -> None:
    image = SimulatedCamera.enrolment_picture(visitor)  # type: ignore[arg-type]
    (face,) = models.detector.detect(image)
    eyes, mouth = face.landmarks[:2], face.landmarks[3:]
    assert eyes[0][0] < face.landmarks[2][0] < eyes[1][0]
    assert max(y for _, y in eyes) < face.landmarks[2][1] < min(y for _, y in mouth)


@pytest.mark.parametrize("shape", [(480, 640), (300, 200), (97, 131), (1080, 1920), (40, 40)])
def test_any_size_of_picture_may_be_searched(models: Models, shape: tuple[int, int]) -> None:
    assert models.detector.detect(np.full((*shape, 3), 127, np.uint8)) == []


def test_a_face_is_found_in_the_same_place_at_another_scale(models: Models) -> None:
    image = SimulatedCamera.enrolment_picture(ADA)
    (face,) = models.detector.detect(image)
    padded = np.full((image.shape[0] * 2, image.shape[1] * 2, 3), 127, np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    (again,) = models.detector.detect(padded)
    assert np.allclose(face.landmarks, again.landmarks, atol=0.1 * face.eye_distance)


def test_templates_of_one_person_are_alike_and_of_two_are_not(models: Models) -> None:
    templates = {}
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        (face,) = models.detector.detect(image)
        templates[visitor.key] = models.embedder.embed(image, face)
        darker = (image * 0.7).astype(np.uint8)
        (face,) = models.detector.detect(darker)
        assert cosine(templates[visitor.key], models.embedder.embed(darker, face)) > models.threshold
    keys = sorted(templates)
    for i, a in enumerate(keys):
        for b in keys[i + 1 :]:
            assert cosine(templates[a], templates[b]) < models.threshold


def test_a_track_ends_with_a_jump_or_when_the_face_is_gone(models: Models) -> None:
    (face,) = models.detector.detect(SimulatedCamera.enrolment_picture(ADA))
    tracker = Tracker()
    first = tracker.follow(face, 0.0)
    assert tracker.follow(face, 0.1) == first
    assert not tracker.lost(0.4)
    assert tracker.lost(0.7)
    assert tracker.follow(face, 0.8) == first + 1
