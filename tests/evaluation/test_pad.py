from __future__ import annotations

import math
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Face, Image
from kiosk.evaluation.pad import Scored, by_source, mean_error, measure, open_set, run, scores, select, threshold_with


def paint(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))


class StubDetector:
    def detect(self, image: Image) -> list[Face]:
        """The largest first; a black picture has none."""
        faces = [Face(Box(0, 0, s, s), ((0, 0),) * 5, 0.9) for s in (8, 4)]
        return faces if image.any() else []


class LevelPad:
    threshold = 0.5

    def score(self, image: Image, face: Face) -> float:
        assert face.box.width == 8
        if image[0, 0, 0] == 7:
            raise ValueError("the PAD network's output is not finite")
        return float(image[0, 0, 0]) / 255


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    paint(tmp_path / "bona_fide" / "deep" / "a.png", 255)
    paint(tmp_path / "bona_fide" / "b.png", 51)
    paint(tmp_path / "attack" / "c.png", 0)
    paint(tmp_path / "attack" / "d.png", 204)
    return tmp_path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    root = tmp_path / "listed"
    rows = ["shard,path,source,label,subject"]
    for shard, items in {
        "pad-00.tar": [("x", "bona_fide", 255), ("x", "print", 0)],
        "pad-01.tar": [("y", "attack", 9)],
    }.items():
        with tarfile.open(tmp_path / shard, "w") as tar:
            for i, (source, label, level) in enumerate(items):
                name = f"{source}/{label}/{i}.png"
                paint(tmp_path / "made" / name, level)
                tar.add(tmp_path / "made" / name, arcname=name)
                rows.append(f"{shard},{name},{source},{label},")
        root.mkdir(exist_ok=True)
        (tmp_path / shard).rename(root / shard)
    (root / "pad.csv").write_text("\n".join(rows))
    return root


def test_a_folder_is_measured_end_to_end(folders: Path) -> None:
    with open_set(folders) as presentations:
        scored = [s for (s,) in run(presentations, StubDetector(), [LevelPad()])]
    assert [s.score for s in scored if s.bona_fide] == [0.2, 1.0]
    figures = measure(scored, LevelPad.threshold)
    assert (figures.apcer.errors, figures.apcer.trials) == (1, 1)
    assert (figures.bpcer.errors, figures.bpcer.trials) == (1, 2)
    assert figures.no_face == 1


def test_a_network_that_fails_denies(folders: Path) -> None:
    for picture in folders.rglob("*.png"):
        paint(picture, 7)
    with open_set(folders) as presentations:
        assert [s.score for (s,) in run(presentations, StubDetector(), [LevelPad()])] == [0, 0, 0, 0]


def test_a_pad_set_is_read_from_a_list_with_shards(listed: Path) -> None:
    with open_set(listed) as presentations:
        assert [(p.source, p.bona_fide, int(p.image()[0, 0, 0])) for p in presentations] == [
            ("x", True, 255),
            ("x", False, 0),
            ("y", False, 9),
        ]
        assert [p.source for p in select(presentations, ("y",))] == ["y"]
        assert select(presentations, ()) == presentations
        with pytest.raises(SampleError, match="no source 'z'; known: x, y"):
            select(presentations, ("z",))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("print", "mask", "line 3: the label is none of"),
        ("label", "kind", "line 2: needs the columns label, path, shard, source"),
        ("pad-01.tar", "pad-02.tar", "no such folder or tar"),
    ],
)
def test_a_bad_pad_list_is_refused(listed: Path, old: str, new: str, problem: str) -> None:
    path = listed / "pad.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SampleError, match=problem), open_set(listed):
        pass


@pytest.mark.parametrize(("name", "problem"), [("nowhere", "no such folder"), ("attack", "neither the folders")])
def test_a_folder_without_a_pad_set_is_refused(folders: Path, name: str, problem: str) -> None:
    with pytest.raises(SampleError, match=problem), open_set(folders / name):
        pass


def test_a_score_at_the_threshold_is_bona_fide() -> None:
    """As in the pipeline."""
    figures = measure([Scored("s", bona_fide=True, score=0.5), Scored("s", bona_fide=False, score=0.5)], 0.5)
    assert (figures.apcer.rate, figures.bpcer.rate) == (1, 0)


def test_pictures_without_a_face_are_left_out() -> None:
    faces = [Scored("s", bona_fide=True, score=0.9), Scored("s", bona_fide=False, score=0.1)]
    none = [Scored("s", bona_fide=b, score=math.nan) for b in (True, False)]
    with_none, without = measure([*faces, *none], 0.5), measure(faces, 0.5)
    assert (with_none.apcer, with_none.bpcer, with_none.eer) == (without.apcer, without.bpcer, without.eer)
    assert with_none.no_face == 2


def test_one_kind_alone_has_no_equal_error_rate() -> None:
    figures = measure([Scored("s", bona_fide=True, score=0.9)], 0.5)
    assert math.isnan(figures.eer)
    assert math.isnan(figures.apcer.rate)
    assert figures.bpcer.rate == 0


class FixedPad(LevelPad):
    def score(self, image: Image, face: Face) -> float:
        return 0.25


def test_several_networks_see_the_same_faces(folders: Path) -> None:
    with open_set(folders) as presentations:
        rows = list(run(presentations, StubDetector(), [LevelPad(), FixedPad()]))
    assert [(a.source, a.bona_fide) for a, _ in rows] == [(b.source, b.bona_fide) for _, b in rows]
    assert [(a.score, b.score) for a, b in rows[:2]] == [(0.2, 0.25), (1.0, 0.25)]
    assert all(math.isnan(a.score) == math.isnan(b.score) for a, b in rows)


def test_a_subject_of_a_list_is_a_source_of_its_own(listed: Path) -> None:
    path = listed / "pad.csv"
    path.write_text(path.read_text().replace("x,bona_fide,", "x,bona_fide,x-1").replace("x,print,", "x,print,x-2"))
    with open_set(listed) as presentations:
        assert [p.group for p in presentations] == ["x-1", "x-2", "y"]
        assert [p.group for p in select(presentations, ("x",))] == ["x-1", "x-2"]
        assert [p.group for p in select(presentations, ("x-2", "y"))] == ["x-2", "y"]


@given(st.lists(st.floats(0, 1), min_size=1), st.data())
def test_a_threshold_refuses_at_most_as_many_and_no_higher_one_does(
    bona_fide: list[float], data: st.DataObject
) -> None:
    refused = data.draw(st.integers(0, len(bona_fide)))
    levels = np.array(bona_fide)
    threshold = threshold_with(levels, refused)
    assert (levels < threshold).sum() <= refused
    higher = np.nextafter(threshold, np.inf)
    assert refused == len(bona_fide) or (levels < higher).sum() > refused


def test_each_source_counts_alike() -> None:
    many = [Scored("a", bona_fide=b, score=0.9) for b in (True, False)] * 50
    few = [Scored("b", bona_fide=True, score=0.9), Scored("b", bona_fide=False, score=0.1)]
    sources = by_source([*many, *few, Scored("c", bona_fide=True, score=0.9)], 0.5)
    assert list(sources) == ["a", "b", "c"]
    assert sources["a"] == measure(many, 0.5)
    assert mean_error(sources) == 0.25
    assert math.isnan(mean_error({"c": sources["c"]}))
    assert scores(few)[0].tolist() == [0.9]
