from __future__ import annotations

import re
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from kiosk.config import Config
from kiosk.domain.attempt import Rules
from kiosk.domain.errors import KioskError, ModelError
from kiosk.domain.face import Box, Face, Image, Quality
from kiosk.domain.people import Embedding
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.evaluation.benchmarks import frame
from kiosk.evaluation.benchmarks.frame import RandomGallery, Times, contest, frames, measure
from kiosk.sections import ModelsConfig
from kiosk.station.pipeline import Pipeline
from kiosk.station.stages import Stages
from kiosk.vision.manifest import EmbedderEntry, Manifest, PadEntry
from kiosk.vision.model_files import default_folder

THRESHOLDS = Thresholds([OperatingPoint(1e-3, 0.5)], 1e-3)


class OneFace:
    """A face in each picture that is not dark."""

    def detect(self, image: Image) -> list[Face]:
        return [Face(Box(200, 100, 200, 200), ((0, 0),) * 5, 0.9)] if image.mean() > 5 else []


class Good:
    def assess(self, image: Image, face: Face) -> Quality:
        return Quality(1.0)

    def upright(self, image: Image, face: Face) -> bool:
        return True


class Live:
    threshold = 0.5

    def score(self, image: Image, face: Face) -> float:
        return 1.0


class Embedder:
    model_id = "m"

    def embed(self, image: Image, face: Face) -> Embedding:
        if image[0, 0, 0] == 255:
            raise RuntimeError("no memory")
        return Embedding(np.full(128, 28, np.float32))


@pytest.fixture
def way() -> Pipeline:
    stages = Stages(OneFace(), Good(), Live(), Embedder(), RandomGallery("m", 128, THRESHOLDS))
    return Pipeline(
        stages, Rules(pause=0, rest=0, fresh_frames=0, fresh_seconds=0, again=True), 80, door_ready=lambda: True
    )


def picture(level: int) -> Image:
    return np.full((480, 640, 3), level, np.uint8)


def test_frames_that_pass_every_stage_are_counted(way: Pipeline) -> None:
    """Every third picture is empty."""
    result = measure(way, frames(map(picture, cycle([10, 20, 0]))), 40)
    assert result.frames == 40
    assert result.seen >= 50 * 3 // 2 - 1
    assert set(result.stages) == {"repeats", "detect", "quality", "pad", "embed", "search"}
    assert sum(t.p50 for t in result.stages.values()) < result.step.p99
    assert all(0 < t.p50 <= t.p99 for t in [*result.stages.values(), result.step])
    assert result.fps > 0
    assert 0 < result.first_decision < 3600
    assert 10 < result.rss_mb < 16_000


def test_a_source_without_faces_ends_the_measurement(way: Pipeline) -> None:
    with pytest.raises(KioskError, match=f"0 of {frame.PATIENCE} frames"):
        measure(way, frames(map(picture, cycle([0]))), 40)


def test_a_source_that_ends_too_soon_ends_the_measurement(way: Pipeline) -> None:
    with pytest.raises(KioskError, match="of 30 frames"):
        measure(way, frames([picture(10 + i % 2) for i in range(30)]), 40)


def test_a_stage_that_fails_is_no_measurement(way: Pipeline) -> None:
    with pytest.raises(KioskError, match="no memory"):
        measure(way, frames(map(picture, cycle([10, 255]))), 40)


def test_frames_are_640_by_480(way: Pipeline) -> None:
    made = list(frames([np.zeros((960, 1280, 3), np.uint8)] * 3))
    assert [f.image.shape for f in made] == [(480, 640, 3)] * 3
    assert [f.number for f in made] == [0, 1, 2]
    assert made[2].captured_at == pytest.approx(2 / 30)


def test_nobody_of_the_random_gallery_is_known() -> None:
    gallery = RandomGallery("m", 128, THRESHOLDS)
    found = gallery.search(np.full(128, 28, np.float32))
    assert not found.mated
    assert gallery.subject(found.subject_id or "") is None


def test_percentiles_in_milliseconds() -> None:
    assert frame.times_of([i / 1000 for i in range(1, 102)]) == Times(pytest.approx(51), pytest.approx(100))


class TestContest:
    def test_both_embedders_are_timed(self) -> None:
        manifest = Manifest(default_folder())
        own = manifest.folder / manifest.entry("mobilefacenet", EmbedderEntry).file
        result = contest(Config(), own, 40)
        assert result.ours > 0
        assert result.ratio == result.other / result.ours > 0

    @pytest.mark.parametrize(("mirrored", "runs"), [("true", 2), ("false", 1)])
    def test_how_often_a_template_runs_the_network(self, tmp_path: Path, mirrored: str, runs: int) -> None:
        for file in default_folder().iterdir():
            if file.suffix in {".onnx", ".npy"}:
                (tmp_path / file.name).symlink_to(file)
        text = (default_folder() / "manifest.toml").read_text().replace("mirrored = true", f"mirrored = {mirrored}")
        if mirrored == "false":  # then nothing is compared with the face's mirror image
            text = re.sub(r", max_mirrored = [0-9.]+", "", text)
        (tmp_path / "manifest.toml").write_text(text)
        config = Config(models=ModelsConfig(folder=tmp_path))
        other = tmp_path / Manifest(tmp_path).entry("mobilefacenet", EmbedderEntry).file
        assert contest(config, other, 5).runs == runs

    @pytest.mark.parametrize("content", [b"", b"no network"])
    def test_a_file_that_is_no_network_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "other.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"other\.onnx"):
            contest(Config(), path, 10)

    def test_another_network_is_no_embedder(self) -> None:
        manifest = Manifest(default_folder())
        pad = manifest.folder / manifest.entry(ModelsConfig().pad[0], PadEntry).file
        with pytest.raises(ModelError, match="does not take one face"):
            contest(Config(), pad, 10)
