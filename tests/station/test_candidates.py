"""Comparisons before an enrolment is written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from kiosk.domain.face import Vector
from kiosk.domain.matching import Cohort
from kiosk.domain.people import NewReference, Subject
from kiosk.domain.renewal import Measure
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.station.candidates import MARGIN, Candidates
from kiosk.storage.gallery import Gallery, empty_gallery
from tests.station.booths import vector

TABLE = Thresholds([OperatingPoint(1e-4, 0.5), OperatingPoint(1e-5, 0.6)], 1e-3)
MEASURE = Measure("m", 128, TABLE, Cohort())


def at(cosine: float) -> Vector:
    """A picture with this cosine to person 1."""
    one, other = vector(1), vector(2)
    made: Vector = (cosine * one + np.sqrt(1 - cosine**2) * other).astype(np.float32)
    return made


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    opened = empty_gallery()
    yield opened
    opened.close()


@pytest.fixture
def ada(gallery: Gallery) -> Subject:
    return gallery.add_subject("Ada", [NewReference(vector(1), "m", 0.9)])


def candidates(gallery: Gallery) -> Candidates:
    return Candidates(gallery, MEASURE)


def test_an_empty_gallery_has_nobody_alike(gallery: Gallery) -> None:
    found = candidates(gallery).look([vector(1)])
    assert (found.twin, found.alike, found.beyond) == (None, False, "")


def test_twins_look_alikes_and_strangers_are_told_apart(gallery: Gallery, ada: Subject) -> None:
    limit = TABLE.for_gallery({1: 2}).score
    for cosine, twin, alike in (
        (limit + 0.02, ada.id, True),
        (limit - MARGIN / 2, None, True),
        (limit - MARGIN - 0.05, None, False),
    ):
        found = candidates(gallery).look([vector(7), at(cosine)])
        assert (found.twin, found.alike) == (twin, alike), cosine


def test_somebody_is_not_their_own_twin(gallery: Gallery, ada: Subject) -> None:
    assert candidates(gallery).look([vector(1)], but=ada.id).twin is None
    assert candidates(gallery).is_of([vector(7), vector(1)], ada.id)
    assert not candidates(gallery).is_of([vector(7)], ada.id)


def test_a_gallery_beyond_the_evidence_takes_nobody(gallery: Gallery, ada: Subject) -> None:
    few = Measure("m", 128, Thresholds([OperatingPoint(1e-4, 0.5)], 1e-5), Cohort())
    assert Candidates(gallery, few).look([vector(7)]).beyond


def test_one_subject_alone_is_compared(gallery: Gallery, ada: Subject) -> None:
    ben = gallery.add_subject("Ben", [NewReference(vector(3), "m", 0.9)])
    compare = candidates(gallery).with_subject(ada.id)
    assert compare is not None
    assert compare(vector(1)).mated
    assert compare(vector(1)).threshold == TABLE.for_gallery({1: 2}).score
    assert not compare(vector(3)).mated, "that is somebody else who is enrolled"
    assert candidates(gallery).with_subject("nobody") is None
    assert ben.id != ada.id


def test_only_the_new_pictures_count_at_the_end(gallery: Gallery, ada: Subject) -> None:
    compare = candidates(gallery).with_these([vector(5), vector(6)])
    assert compare(vector(5)).mated
    assert compare(vector(6)).mated
    assert not compare(vector(1)).mated, "enrolled, but not with these"
    assert compare(vector(5)).threshold == TABLE.for_gallery({1: 1, 2: 1}).score
    again = candidates(gallery).with_these([vector(5)], but=ada.id)
    assert again(vector(5)).threshold == TABLE.for_gallery({1: 1}).score


def test_one_more_than_both_searches_carry_together_is_too_many(gallery: Gallery) -> None:
    """While the embedder is being changed: the search in earlier references would have too small a share of the
    rate."""
    for i in (1, 2):
        gallery.add_subject(f"P{i}", [NewReference(vector(i), "old", 0.9)])
    table = [OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4)]
    for fpir, too_many in ((2.05e-4, True), (4e-4, False)):
        old = Measure("old", 128, Thresholds(table, fpir), Cohort())
        found = Candidates(gallery, MEASURE, old).look([vector(7)], earlier=[vector(7)])
        assert (found.twin, "carries" in found.beyond) == (None, too_many)
