"""Who may be enrolled with which pictures: the rules that keep strangers out of the gallery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from kiosk.domain.errors import GalleryError, SampleError, UnsafeError
from kiosk.domain.face import Box, Face, Hint, Image, Quality
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Embedding, NewReference, Subject, Template
from kiosk.domain.renewal import Measure
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.station.enrolment import ADVICE, CLIP_STEP, MAX_REFERENCES, Enroller, Enrolment, EnrolmentSample
from kiosk.storage.gallery import Gallery, empty_gallery
from kiosk.vision.models import Models

FACE = Face(Box(10, 10, 100, 100), ((0.0, 0.0),) * 5, 0.9)
TABLE = Thresholds([OperatingPoint(1e-4, 0.5), OperatingPoint(1e-5, 0.6)], 1e-3)


def template(*axes: int) -> Template:
    """Of somebody: templates that share no axis are of different people."""
    made = np.zeros(128, np.int8)
    made[list(axes)] = 127
    return made


ADA, ADA_AGAIN, BEN = template(0, 1, 2), template(0, 1, 3), template(10, 11, 12)


def sample(of: Template, quality: float = 0.9, name: str = "picture") -> EnrolmentSample:
    return EnrolmentSample(name, of.astype(np.float32), quality)


@dataclass
class Networks:
    """Stand-ins: a picture's first pixel says how many faces are on it, its second who it is (0: no natural face), its
    third how many hints there are."""

    def detect(self, image: Image) -> list[Face]:
        return [FACE] * int(image[0, 0, 0])

    def assess(self, _image: Image, _face: Face) -> Quality:
        return Quality(0.9)

    def embed(self, image: Image, _face: Face) -> Embedding | None:
        who = int(image[0, 1, 0])
        hints = tuple(Hint)[: int(image[0, 2, 0])]
        return None if who == 0 else Embedding(template(*range(3 * who, 3 * who + 3)).astype(np.float32), hints)


def enroller(table: Thresholds = TABLE) -> Enroller:
    networks = Networks()
    return Enroller(networks, networks, networks, table, Cohort())


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    opened = empty_gallery()
    yield opened
    opened.close()


def enrolment(gallery: Gallery, table: Thresholds = TABLE, earlier: Measure | None = None) -> Enrolment:
    models = SimpleNamespace(
        earlier_measure=earlier, cohort=Cohort(), embedder_entry=SimpleNamespace(model_id="m", dimension=128)
    )
    return Enrolment(enroller(table), gallery, cast("Models", models), lambda who: f"<{who.id}>")


@pytest.fixture
def ada(gallery: Gallery) -> Subject:
    return enrolment(gallery).add([sample(ADA)], "Ada", badge=7)


def templates(gallery: Gallery) -> dict[str, list[bytes]]:
    kept: dict[str, list[bytes]] = {}
    for reference in gallery.references("m"):
        kept.setdefault(reference.subject_id, []).append(reference.template.tobytes())
    return kept


def turned(gallery: Gallery, *of: Template) -> list[bytes]:
    turning = gallery.enrolled("m").turning
    return [turning.template(t.astype(np.float32)).tobytes() for t in of]


def test_somebody_new_is_enrolled_with_all_samples(gallery: Gallery) -> None:
    ada = enrolment(gallery).add([sample(ADA), sample(ADA_AGAIN)], "Ada", badge=7)
    assert gallery.subject(ada.id) == ada
    assert (ada.name, ada.badge) == ("Ada", 7)
    assert templates(gallery) == {ada.id: turned(gallery, ADA, ADA_AGAIN)}


def test_who_looks_like_somebody_enrolled_is_not_enrolled(gallery: Gallery, ada: Subject) -> None:
    ben = enrolment(gallery).add([sample(BEN)], "Ben")
    before = templates(gallery)
    twin = f"look like <{ada.id}>, who is enrolled already"
    with pytest.raises(SampleError, match=twin):
        enrolment(gallery).add([sample(template(20, 21)), sample(ADA_AGAIN)], "Cleo")
    with pytest.raises(SampleError, match=twin):
        enrolment(gallery).renew([sample(BEN), sample(ADA_AGAIN)], ben)
    assert templates(gallery) == before
    assert gallery.subjects() == [ada, ben]


def test_new_references_of_the_same_face_take_the_place_of_the_old(gallery: Gallery, ada: Subject) -> None:
    enrolment(gallery).renew([sample(ADA_AGAIN)], ada)
    assert templates(gallery) == {ada.id: turned(gallery, ADA_AGAIN)}
    assert gallery.subject(ada.id) == ada


def test_id_and_badge_do_not_pass_to_another_face(gallery: Gallery, ada: Subject) -> None:
    with pytest.raises(SampleError, match=f"do not look like <{ada.id}> as enrolled"):
        enrolment(gallery).renew([sample(BEN)], ada)
    assert templates(gallery) == {ada.id: turned(gallery, ADA)}


def test_references_of_another_network_say_nothing_of_the_face(gallery: Gallery, ada: Subject) -> None:
    models = SimpleNamespace(
        earlier_measure=None, cohort=Cohort(), embedder_entry=SimpleNamespace(model_id="other", dimension=128)
    )
    Enrolment(enroller(), gallery, cast("Models", models), lambda who: who.id).renew([sample(BEN)], ada)
    assert gallery.counts() == {"other": 1}


def test_more_than_was_measured_for_is_not_enrolled(gallery: Gallery) -> None:
    few = Thresholds([OperatingPoint(1e-3, 0.5)], 1e-3)
    ada = enrolment(gallery, few).add([sample(ADA)], "Ada")
    with pytest.raises(UnsafeError, match="carries"):
        enrolment(gallery, few).add([sample(BEN)], "Ben")
    with pytest.raises(UnsafeError, match="carries"):
        enrolment(gallery, few).renew([sample(ADA), sample(ADA_AGAIN)], ada)
    enrolment(gallery, few).renew([sample(ADA_AGAIN)], ada)
    assert [s.name for s in gallery.subjects()] == ["Ada"]


def test_nobody_is_enrolled_who_would_take_the_rate_from_the_search_in_earlier_references(gallery: Gallery) -> None:
    """With one current reference more, the earlier threshold would be unsafe: nobody of before would be let in."""
    few = Measure("old", 128, Thresholds([OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4)], 2.05e-4), Cohort())
    for name, of in (("Ada", ADA), ("Ben", BEN)):
        gallery.add_subject(name, [NewReference(of.astype(np.float32), "old", 0.9)])
    made = replace(sample(template(20, 21)), earlier=template(20, 21).astype(np.float32))
    with pytest.raises(UnsafeError, match="carries"):
        enrolment(gallery, earlier=few).add([made], "Cleo")
    assert [s.name for s in gallery.subjects()] == ["Ada", "Ben"]
    more = replace(few, thresholds=few.thresholds.sharing(2))
    enrolment(gallery, earlier=more).add([made], "Cleo")


def test_a_name_or_badge_that_cannot_be_is_refused_whole(gallery: Gallery, ada: Subject) -> None:
    with pytest.raises(GalleryError, match="badge 7"):
        enrolment(gallery).add([sample(BEN)], "Ben", badge=7)
    assert gallery.subjects() == [ada]


def test_the_best_few_samples_are_taken_and_none_twice() -> None:
    many = [sample(template(*range(12), 20 + n), n / 10, f"{n}") for n in range(MAX_REFERENCES + 2)]
    copy = EnrolmentSample("copy", many[-1].vector, 0.01)
    assert [s.name for s in enroller().best([*many, copy])] == ["6", "5", "4", "3", "2"]
    with pytest.raises(SampleError, match="ben does not match ada"):
        enroller().best([sample(ADA, 0.9, "ada"), sample(BEN, 0.5, "ben")])


def pictures(folder: Path, *whose: tuple[int, ...]) -> Path:
    """Pictures as Networks reads them: (faces, who, hints)."""
    for n, (faces, who, *hints) in enumerate(whose):
        image = np.full((120, 120, 3), 50, np.uint8)
        image[0, 0], image[0, 1], image[0, 2] = faces, who, sum(hints)
        cv2.imwrite(str(folder / f"{n}.png"), image)
    return folder


def test_one_poor_photograph_of_a_folder_is_left_out_and_said(tmp_path: Path) -> None:
    both = enroller().gather([pictures(tmp_path, (1, 1), (1, 1))])
    assert (len(both.samples), both.left_out) == (2, [])
    poor = {(0, 1): "no face", (2, 1): "one person only", (1, 0): "no natural face", (1, 1, 1): "take off the mask"}
    for picture, said in poor.items():
        found = enroller().gather([pictures(tmp_path, picture, (1, 1))])
        assert [sample.name for sample in found.samples] == [str(tmp_path / "1.png")]
        (trouble,) = found.left_out
        assert trouble.startswith(f"{tmp_path / '0.png'}: ")
        assert said in trouble


def test_what_nothing_here_reads_is_left_out_too_but_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path, (1, 1))
    (folder / "raw.dng").write_bytes(b"x")
    (folder / "torn.jpg").write_bytes(b"x")
    found = enroller().gather([folder])
    assert len(found.samples) == 1
    assert ["convert it" in trouble for trouble in found.left_out] == [True, False]
    with pytest.raises(SampleError, match="no such file"):
        enroller().gather([folder, tmp_path / "mistyped"])


@pytest.mark.parametrize("hints", [1, 2, 3])
def test_with_no_good_photograph_the_first_is_named_with_the_worst_of_it(hints: int, tmp_path: Path) -> None:
    with pytest.raises(SampleError) as refused:
        enroller().gather([pictures(tmp_path, (1, 1, hints), (0, 1))])
    said = f"{tmp_path / '0.png'}: mouth or nose is covered: take off the mask"
    assert str(refused.value) == f"{said} (and 1 other pictures cannot be used)"


@pytest.mark.parametrize("hint", list(Hint))
def test_each_hint_has_its_own_advice(hint: Hint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Networks, "embed", lambda *_: Embedding(ADA.astype(np.float32), (hint,)))
    with pytest.raises(SampleError, match=re.escape(ADVICE[hint])):
        enroller().gather([pictures(tmp_path, (1, 1))])
    assert len({ADVICE[h] for h in Hint}) == len(Hint)


def test_of_a_clip_every_fifth_frame_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    made = enroller()
    monkeypatch.setattr(made, "sample", lambda still: looked.append(still.number) or sample(ADA))
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 64))
    for _ in range(12):
        writer.write(np.zeros((64, 64, 3), np.uint8))
    writer.release()
    assert len(made.gather([file]).samples) == 1, "all alike"
    assert [n % CLIP_STEP for n in looked] == [0, 0, 0]
