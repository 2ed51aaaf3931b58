"""False match rates by group, on rows whose matches are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.evaluation import fairness
from kiosk.evaluation.fairness import FLOOR, Comparisons, Faces, labels, open_portraits, pairs_above, stated
from kiosk.evaluation.resampling import Interval

PER_GROUP = 160


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def faces(spread: float = 0.35, twins: int = 0) -> Faces:
    """Men are spread all around, women lie closer together: they match more often. The first `twins` pairs of men are
    one person each, to the reference network too."""
    rng = np.random.default_rng(11)
    rows = rng.normal(size=(2 * PER_GROUP, 64))
    rows[PER_GROUP:] = rows[PER_GROUP:] * (1 - spread) + rng.normal(size=64)
    reference = rng.normal(size=(2 * PER_GROUP, 256))
    for k in range(twins):
        rows[2 * k + 1], reference[2 * k + 1] = rows[2 * k], reference[2 * k]
    groups = [{"gender": "male"}] * PER_GROUP + [{"gender": "female"}] * PER_GROUP
    return Faces(groups, unit(rows), np.zeros(2 * PER_GROUP, np.float32), unit(reference), 0)  # type: ignore[arg-type]


def plain(rows: np.ndarray, threshold: float) -> int:
    i, j = np.triu_indices(len(rows), 1)
    return int(((rows @ rows.T)[i, j] >= threshold).sum())


def test_matches_are_counted_within_and_across() -> None:
    given = faces()
    men, women = Comparisons(given, 0.3).rates(0.4)
    assert (men.group, women.group) == ("male", "female")
    assert men.within.pairs == women.within.pairs == PER_GROUP * (PER_GROUP - 1) // 2
    assert men.within.false_matches == plain(given.rows[:PER_GROUP], 0.4)
    assert women.within.false_matches == plain(given.rows[PER_GROUP:], 0.4)
    across = plain(given.rows, 0.4) - men.within.false_matches - women.within.false_matches
    assert men.across.false_matches == women.across.false_matches == across
    assert men.across.pairs == PER_GROUP**2


def test_a_group_that_is_more_alike_is_seen() -> None:
    men, women = Comparisons(faces(), 0.3).rates(0.4)
    assert women.ratio > 1 > men.ratio or np.isnan(men.ratio)
    assert women.within.interval.low <= women.within.rate <= women.within.interval.high


def test_pairs_of_one_person_are_left_out_and_the_figures_with_them_stay() -> None:
    compared = Comparisons(faces(twins=20), 0.3)
    men, _ = compared.rates(0.9)
    assert len(compared.removed) == 20
    assert (men.within.false_matches, men.unremoved.false_matches) == (0, 20)
    assert men.unremoved.pairs - men.within.pairs == 20
    assert np.isnan(men.within.rate)
    assert men.unremoved.rate == pytest.approx(20 / men.unremoved.pairs)


def test_a_reference_network_that_takes_everybody_for_one_is_refused() -> None:
    given = faces()
    broken = replace(given, reference=np.ones_like(given.reference) / 16)
    with pytest.raises(SampleError, match="is --reference-input right"):
        Comparisons(broken, 0.3)


@pytest.mark.parametrize(
    ("pairs", "matches", "rate"), [(9_999, 500, np.nan), (20_000, 1, np.nan), (20_000, 2, 1e-4), (20_000, 40, 2e-3)]
)
def test_nothing_is_stated_that_the_group_is_too_small_for(pairs: int, matches: int, rate: float) -> None:
    share = stated(pairs, matches, Interval(FLOOR / 2, 3e-3))
    assert share.rate == pytest.approx(rate, nan_ok=True)
    assert np.isnan(share.interval.low)
    assert np.isnan(share.interval.high) == (pairs < 10_000)


def test_pairs_above_are_all_there_are() -> None:
    rows = faces().rows[:40]
    excess = np.where(np.arange(40) % 3 == 0, 0.05, 0).astype(np.float32)
    first, second, scores = pairs_above(rows, excess, 0.1)
    pairs = [(i, j) for i in range(40) for j in range(i + 1, 40)]
    expected = {(i, j) for i, j in pairs if rows[i] @ rows[j] >= 0.1 + 1.8 * (excess[i] * excess[j]) ** 0.5}
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == expected
    assert scores.min() >= 0.1


@pytest.mark.parametrize(
    ("age", "gender", "race", "groups"),
    [
        ("0", "0", "0", ("0-9", "male", "White")),
        ("17", "1", "4", ("10-17", "female", "other")),
        ("101", "1", "2", ("60+", "female", "Asian")),
        ("", "1", "2", None),
        ("30", "2", "2", None),
        ("30", "1", "", None),
        ("-3", "1", "1", None),
    ],
)
def test_labels_are_read_from_a_row(age: str, gender: str, race: str, groups: tuple[str, ...] | None) -> None:
    found = labels({"age": age, "gender": gender, "race": race})
    assert (tuple(found.values()) if found else None) == groups


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    """Two pictures in a folder that stands for a shard, one of them held out, and one without labels."""
    (tmp_path / "shard").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        assert cv2.imwrite(str(tmp_path / "shard" / name), np.full((128, 128, 3), 127, np.uint8))
    rows = [
        "shard,a.png,utkface,,30,0,1,90,0.9",
        "shard,b.png,utkface,,30,0,1,90,0.9",
        "shard,c.png,utkface,,,,,90,0.9",
    ]
    header = "shard,path,source,identity,age,gender,race,face_px,score"
    (tmp_path / "aligned.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "heldout.csv").write_text("source,path\nutkface,a.png\nutkface,c.png\n")
    return tmp_path


def test_only_held_out_people_with_labels_take_part(aligned: Path) -> None:
    with open_portraits(aligned, aligned / "heldout.csv") as portraits:
        (only,) = portraits
        assert only.path == "a.png"
        assert only.groups == {"age": "30-44", "gender": "male", "race": "Black"}
        assert only.image().shape == (128, 128, 3)
    with open_portraits(aligned, aligned / "heldout.csv", min_age=30) as portraits:
        assert len(portraits) == 1
    with (
        pytest.raises(SampleError, match="no picture of such people"),
        open_portraits(aligned, aligned / "heldout.csv", min_age=31),
    ):
        pass


@pytest.mark.parametrize(
    ("heldout", "problem"),
    [("source,path\nutkface,b2.png\n", "no picture"), ("path\na.png\n", "needs rows with the columns"), (None, "read")],
)
def test_a_bad_list_is_named(aligned: Path, heldout: str | None, problem: str) -> None:
    path = aligned / "list.csv"
    if heldout:
        path.write_text(heldout)
    with pytest.raises(SampleError, match=problem), open_portraits(aligned, path):
        pass


def test_pictures_without_a_face_are_too_few(aligned: Path) -> None:
    class Nobody:
        def detect(self, image: np.ndarray) -> list[object]:
            return []

    with (
        open_portraits(aligned, aligned / "heldout.csv") as portraits,
        pytest.raises(SampleError, match="1 pictures without a face"),
    ):
        fairness.embed(portraits, SimpleNamespace(detector=Nobody()), None)  # type: ignore[arg-type]
