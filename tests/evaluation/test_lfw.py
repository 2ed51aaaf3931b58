from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Face, Image
from kiosk.domain.matching import Cohort, cosine
from kiosk.domain.people import Embedding, Template
from kiosk.evaluation import lfw
from kiosk.evaluation.lfw import Pair, all_pairs, central, fold_scores, locate, parse_pairs, template, verify


def one_list(each: int) -> str:
    mated = [f"Person_{i}\t1\t2" for i in range(each)]
    non_mated = [f"Person_{i}\t1\tOther_{i}\t3" for i in range(each)]
    return "\n".join([str(each), *mated, *non_mated]) + "\n"


class Listing:
    """Names alone."""

    def __init__(self, **files: bytes) -> None:
        self.files = {k.replace("__", "/") + ".jpg": v for k, v in files.items()}
        self.names = list(self.files)

    def read(self, name: str) -> bytes:
        return self.files[name]


class TestLists:
    def test_one_list_is_put_into_ten_folds_alternately(self) -> None:
        folds = parse_pairs(one_list(25), "list")
        assert len(folds) == 10
        assert folds[3] == (
            Pair("Person_3_0001", "Person_3_0002", mated=True),
            Pair("Person_13_0001", "Person_13_0002", mated=True),
            Pair("Person_23_0001", "Person_23_0002", mated=True),
            Pair("Person_3_0001", "Other_3_0003", mated=False),
            Pair("Person_13_0001", "Other_13_0003", mated=False),
            Pair("Person_23_0001", "Other_23_0003", mated=False),
        )
        assert sum(map(len, folds)) == 50

    def test_folds_of_the_list_are_kept(self) -> None:
        text = "2\t1\nAnn 1 2\nAnn 1 Bob 1\nCy 12 3\nCy 12 Di 4"
        assert parse_pairs(text, "list") == (
            (Pair("Ann_0001", "Ann_0002", mated=True), Pair("Ann_0001", "Bob_0001", mated=False)),
            (Pair("Cy_0012", "Cy_0003", mated=True), Pair("Cy_0012", "Di_0004", mated=False)),
        )

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "line 1: not a list of pairs"),
            ("ten\n", "line 1: not a list of pairs"),
            ("0\n", "line 1: not a list of pairs"),
            ("1 2 3\n", "line 1: not a list of pairs"),
            (one_list(12).rstrip().rpartition("\n")[0], "24 pairs are announced, 23 follow"),
            (one_list(9), "9 mated pairs are too few for 10 folds"),
            ("1 1\nAnn 1 2\nAnn 1 Bob 1", "one fold"),
            ("2 1\nAnn 1 2\nAnn 1 Bob 1\nAnn 1\nAnn 1 Bob 1", "line 4: not a pair"),
            ("2 1\nAnn 1 2\nAnn 1 Bob one\nAnn 1 2\nAnn 1 Bob 1", "line 3: not a pair"),
            ("2 1\nAnn 1 2\nAnn 1 2\nAnn 1 2\nAnn 1 Bob 1", "line 3: a mated pair is out of its place"),
            ("2 1\nAnn 1 Bob 1\nAnn 1 Bob 1\nAnn 1 2\nAnn 1 Bob 1", "line 2: a non-mated pair is out of its place"),
        ],
    )
    def test_a_bad_list_is_named_with_its_line(self, text: str, problem: str) -> None:
        with pytest.raises(SampleError, match=f"list: {problem}"):
            parse_pairs(text, "list")

    def test_a_list_on_disk_or_among_the_samples(self, tmp_path: Path) -> None:
        samples = Listing(set__pairs=b"1")
        on_disk = tmp_path / "pairs.jpg"
        on_disk.write_text("2")
        assert lfw.find_list(on_disk, tmp_path, samples) == "2"
        assert lfw.find_list(Path("set/pairs.jpg"), tmp_path, samples) == "1"
        assert lfw.find_list(Path("pairs.jpg"), tmp_path, samples) == "1"
        with pytest.raises(SampleError, match="no such lists of pairs"):
            lfw.find_list(Path("airs.jpg"), tmp_path, samples)
        with pytest.raises(SampleError, match="2 such lists of pairs"):
            lfw.find_list(Path("pairs.jpg"), tmp_path, Listing(a__pairs=b"", b__pairs=b""))

    def test_pictures_are_found_at_any_depth(self, tmp_path: Path) -> None:
        folds = ((Pair("Ann_0001", "Ann_0002", mated=True),),)
        found = locate(folds, Listing(x__Ann__Ann_0001=b"", Ann_0002=b"", Bob_0001=b""), tmp_path)
        assert found == {"Ann_0001": "x/Ann/Ann_0001.jpg", "Ann_0002": "Ann_0002.jpg"}
        with pytest.raises(SampleError, match="1 pictures of the list are missing, Ann_0002"):
            locate(folds, Listing(Ann_0001=b""), tmp_path)


def unit(*values: int) -> Template:
    return np.array(values, np.int8)


PLAIN = Cohort()


class TestScores:
    def test_a_pair_without_a_face_is_an_error_whatever_its_kind(self) -> None:
        found = {"A_0001": unit(100, 0), "A_0002": unit(90, 10), "B_0001": unit(0, 100), "C_0001": None}
        good = (Pair("A_0001", "A_0002", mated=True), Pair("A_0001", "B_0001", mated=False))
        bad = (Pair("A_0001", "C_0001", mated=True), Pair("C_0001", "B_0001", mated=False))
        result = verify([good, good, bad], found, PLAIN)
        assert result.accuracies == (1, 1, 0)
        assert np.isnan(fold_scores(bad, found, PLAIN).mated).all()

    def test_too_few_faces_for_a_threshold(self) -> None:
        fold = (Pair("A_0001", "A_0002", mated=True), Pair("A_0001", "B_0001", mated=False))
        with pytest.raises(SampleError, match="no face was found in 2 pictures"):
            verify([fold, fold], {"A_0001": unit(1), "A_0002": None, "B_0001": None}, PLAIN)

    def test_all_pairs_are_every_pair_once(self) -> None:
        rng = np.random.default_rng(0)
        names = ["A_0001", "B_0001", "A_0002", "A_0003", "C_C_0001", "B_0002"]
        found = {n: rng.integers(-127, 128, 128).astype(np.int8) for n in names}
        result = all_pairs(found, PLAIN)
        mated = [("A_0001", "A_0002"), ("A_0001", "A_0003"), ("A_0002", "A_0003"), ("B_0001", "B_0002")]
        assert sorted(result.mated) == pytest.approx(sorted(cosine(found[a], found[b]) for a, b in mated), abs=1e-6)
        assert result.non_mated.size == 15 - len(mated)

    def test_a_cohort_counts_in_a_pair_and_in_all_pairs(self) -> None:
        found = {"A_0001": unit(100, 0), "A_0002": unit(90, 40), "B_0001": unit(0, 100), "C_0001": None}
        cohort = Cohort(np.array([[127, 0], [100, 100]], np.int8), nearest=1, usual=0.9)
        pairs = (Pair("A_0001", "A_0002", mated=True), Pair("A_0001", "B_0001", mated=False))
        expected = cohort.score(found["A_0001"], found["A_0002"])
        assert expected < cosine(found["A_0001"], found["A_0002"])
        assert fold_scores(pairs, found, cohort).mated == pytest.approx([expected])
        result = all_pairs(found, cohort)
        assert result.mated == pytest.approx([expected], abs=1e-6)
        assert np.nanmax(result.non_mated) == pytest.approx(cohort.score(found["A_0002"], found["B_0001"]), abs=1e-6)

    def test_all_pairs_with_a_picture_without_a_face(self) -> None:
        result = all_pairs({"A_0001": unit(1, 0), "A_0002": None, "B_0001": unit(0, 1)}, PLAIN)
        assert np.isnan(result.mated).all()
        assert np.isnan(result.non_mated).tolist() == [False, True]
        assert [t.tar for t in result.tars().values()] == [0, 0, 0, 0]

    @pytest.mark.parametrize("found", [{"A_0001": unit(1, 0)}, {"A_0001": unit(1, 0), "A_0002": unit(1, 0)}])
    def test_no_tar_without_non_mated_pairs(self, found: dict[str, Template | None]) -> None:
        assert all_pairs(found, PLAIN).tars() == {}


def face(x: float, y: float) -> Face:
    return Face(Box(x - 5, y - 5, 10, 10), ((0, 0),) * 5, 0.9)


class StubDetector:
    def detect(self, image: Image) -> list[Face]:
        return [face(10, 10), face(48, 55), face(90, 90)] if image.any() else []


class StubEmbedder:
    model_id = "stub"

    def embed(self, image: Image, face: Face) -> Embedding:
        if image[0, 0, 0] == 2:
            raise ValueError("the landmarks lie in one point")
        return Embedding(unit(int(face.box.centre[0])).astype(np.float32))


class TestTemplates:
    def test_the_central_face_counts(self) -> None:
        made = template(np.ones((100, 100, 3), np.uint8), StubDetector(), StubEmbedder())
        assert made is not None
        assert made.tolist() == [48]

    def test_no_face_and_a_face_that_cannot_be_aligned_fail_to_enrol(self) -> None:
        assert central([], np.zeros((100, 100, 3), np.uint8)) is None
        for level in (0, 2):
            assert template(np.full((100, 100, 3), level, np.uint8), StubDetector(), StubEmbedder()) is None
