"""PAD in attempts: what passes, what is counted, and what an attack is presented as."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Rules
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Face, Image
from kiosk.evaluation import pad_attempts
from kiosk.evaluation.pad import Presentation
from kiosk.evaluation.pad_attempts import FRAMES, SPECIES, Cell, Trial, count, granted, refused, run
from kiosk.evaluation.samples import FolderSamples
from kiosk.evaluation.species import Species

SCORES = st.lists(st.sampled_from([0.1, 0.9, math.nan]), max_size=20)


@pytest.mark.parametrize(
    ("scores", "passes"),
    [
        ([0.9, 0.9, 0.9], True),
        ([0.9, 0.9, 0.1, 0.9, 0.9], False),
        ([0.9, 0.9, 0.1, 0.9, 0.9, 0.9], True),
        ([0.9, math.nan, 0.9, 0.9], True),
        ([0.5, 0.5, 0.5], True),
        ([0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9], True),
        ([0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9, 0.9], False),
        ([0.9, 0.9], None),
        ([math.nan] * 15, None),
    ],
)
def test_a_denial_voids_the_frames_before_it_and_the_third_is_the_end(scores: list[float], passes: bool | None) -> None:
    assert granted(scores, 0.5, Rules()) is passes


@given(SCORES, SCORES)
def test_more_frames_never_take_a_pass_back(first: list[float], more: list[float]) -> None:
    if granted(first, 0.5, Rules()):
        assert granted([*first, *more], 0.5, Rules())


@given(SCORES, st.integers(0, 20))
def test_a_denial_more_never_helps(scores: list[float], at: int) -> None:
    if granted(scores, 0.5, Rules()) is False:
        assert not granted([*scores[:at], 0.1, *scores[at:]], 0.5, Rules())


def trial(source: str, *scores: float, bona_fide: bool = False) -> Trial:
    return Trial(Cell(source, "" if bona_fide else "bent", "", bona_fide), scores)


def test_frames_and_attempts_are_counted_apart() -> None:
    found = count([trial("a", 0.9, 0.9, 0.9, 0.1), trial("a", 0.9, 0.1, 0.9, math.nan), trial("a", math.nan)], 0.5)
    assert (found.frames.errors, found.frames.trials) == (5, 7)
    assert (found.attempts.errors, found.attempts.trials) == (1, 2)
    assert found.no_face == 1
    flipped = refused(found)
    assert (flipped.frames.errors, flipped.attempts.errors, flipped.attempts.trials) == (2, 1, 2)
    assert flipped.attempts.low < 0.5 < flipped.attempts.high


@dataclass
class Middle:
    """Finds a face in every picture that is not black, or fails on a white one."""

    def detect(self, image: Image) -> list[Face]:
        if (image > 250).all():
            raise ValueError("the detector's output is not finite")
        height, width = image.shape[:2]
        box = Box(width / 4, height / 4, width / 2, height / 2)
        return [Face(box, ((0, 0),) * 5, 0.9)] if image.max() > 20 else []


class Sure:
    threshold = 0.5

    def score(self, image: Image, face: Face) -> float:
        return 0.75


@pytest.fixture
def presentations(tmp_path: Path) -> list[Presentation]:
    """Two sources with five attacks and five bona fide each, and one attack without a face."""
    made = []
    for source in ("a", "b"):
        for k in range(10):
            path = tmp_path / source / f"{k}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.random.default_rng(k).integers(30, 220, (60, 80, 3), np.uint8))
            made.append(Presentation(FolderSamples(tmp_path), f"{source}/{k}.png", source, bona_fide=k % 2 == 0))
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((60, 80, 3), np.uint8))
    made.append(Presentation(FolderSamples(tmp_path), "black.png", "b", bona_fide=False))
    return made


def cells(presented: Iterable[tuple[Cell, Iterable[Image]]]) -> Counter[Cell]:
    return Counter(cell for cell, _ in presented)


def test_every_attack_is_presented_in_every_species(presentations: list[Presentation]) -> None:
    found = cells(pad_attempts.attacks(presentations, Middle(), 3))
    for source, pictures in (("a", 3), ("b", 2)):  # the picture without a face is the last of b's
        mine = {c: n for c, n in found.items() if c.source == source}
        assert len(mine) == len(SPECIES) == 13
        assert set(mine.values()) == {pictures}
        assert {c.species for c in mine} == {s.value for s in Species}
    assert not any(c.bona_fide for c in found)


def test_what_is_shown_follows_from_the_picture_alone(
    presentations: list[Presentation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pad_attempts, "FRAMES", 2)
    first, again = (
        [image for _, frames in pad_attempts.attacks(presentations[:2], Middle(), most) for image in frames]
        for most in (1, 5)
    )
    assert len(first) == len(SPECIES) * 2
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def test_bona_fide_pictures_are_shown_once(presentations: list[Presentation]) -> None:
    assert cells(pad_attempts.bona_fide(presentations, 4)) == {
        Cell("a", "", "", True): 4, Cell("b", "", "", True): 4
    }  # fmt: skip


def test_clips_are_cut_into_whole_windows(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "one.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for k in range(2 * FRAMES + 3):
        writer.write(np.full((48, 64, 3), 3 * k, np.uint8))
    writer.release()
    presented = list(pad_attempts.clips([tmp_path]))
    assert [cell.source for cell, _ in presented] == ["one.avi", "one.avi"]
    assert all(cell.bona_fide and len(list(frames)) == FRAMES for cell, frames in presented)


def test_a_folder_without_clips_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "holds no clips"), (tmp_path / "gone", "no such clip")):
        with pytest.raises(SampleError, match=words):
            pad_attempts.clips([path])


def test_the_demonstrations_people_are_rendered(presentations: list[Presentation]) -> None:
    presented = [(cell, list(frames)) for cell, frames in pad_attempts.scene()]
    assert {cell.source for cell, _ in presented} == {"demonstration"}
    assert all(len(frames) == FRAMES and frames[0].shape == (480, 640, 3) for _, frames in presented)


def test_what_fails_denies_and_what_shows_no_face_is_no_evidence() -> None:
    frames = [np.full((40, 40, 3), level, np.uint8) for level in (255, 0, 128)]
    (found,) = run([(Cell("a", "", "", True), frames)], Middle(), Sure())
    assert found.scores[0] == 0.0
    assert math.isnan(found.scores[1])
    assert found.scores[2] == 0.75
