"""The gallery while the embedder is being changed: what is counted, what is erased, and since when."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import NewReference
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, empty_gallery
from kiosk.storage.switching import add_current, begun, drop, held, standing_of

VECTORS = np.random.default_rng(4).normal(size=(9, 128)).astype(np.float32) * 20
AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def new(i: int, model_id: str) -> NewReference:
    return NewReference(VECTORS[i], model_id, 0.9)


@pytest.fixture
def gallery() -> Gallery:
    return empty_gallery()


def test_all_references_of_one_network_are_erased_in_one_step_and_the_people_stay(gallery: Gallery) -> None:
    one = gallery.add_subject("One", [new(0, "old"), new(1, "old"), new(2, "new")])
    two = gallery.add_subject("Two", [new(3, "old")])
    gallery.by = "uid 7"
    version = gallery.data_version()
    assert drop(gallery, "old") == 3
    assert gallery.data_version() > version
    assert gallery.counts() == {"new": 1}
    assert [s.id for s in gallery.subjects()] == [one.id, two.id]
    record = Audit(gallery.store).records()[-1]
    assert (record.outcome, record.detail) == (
        AuditOutcome.REFERENCES_ERASED,
        {"from": "old", "references": 3, "by": "uid 7"},
    )
    assert drop(gallery, "old") == 0
    assert Audit(gallery.store).records()[-1] == record, "nothing was erased, and nothing recorded"
    gallery.renew(two.id, [new(4, "new")])
    assert gallery.counts() == {"new": 2}


def test_how_far_it_is(gallery: Gallery) -> None:
    one = gallery.add_subject("One", [new(0, "old"), new(2, "new")])
    two = gallery.add_subject("Two", [new(3, "old")])
    three = gallery.add_subject("Three", [new(4, "new")])
    gallery.add_subject("Four", [new(5, "third")])
    far = standing_of(gallery.store, "new", "old")
    assert (far.renewed, far.left, far.others) == ((one.id,), (two.id,), (three.id,))


def test_what_a_check_raises_ends_it_with_nothing_written(gallery: Gallery) -> None:
    one = gallery.add_subject("One", [new(0, "old")])
    version, records = gallery.data_version(), Audit(gallery.store).records()

    def no() -> None:
        raise GalleryError("no")

    with pytest.raises(GalleryError, match="no"):
        add_current(gallery, one.id, [new(1, "new")], {}, no, named=True)
    with pytest.raises(ValueError, match="without references"):
        add_current(gallery, one.id, [], {}, lambda: None, named=True)
    assert (gallery.data_version(), Audit(gallery.store).records()) == (version, records)
    assert held(gallery.store, "new") == {}


def test_since_when_is_the_newest_change_between_these_two(gallery: Gallery) -> None:
    audit = Audit(gallery.store)
    told = {"from": "old", "to": "new"}
    assert begun(audit, "new", "old") is None
    audit.append([AuditRecord(AuditKind.ENROLMENT, AT, outcome=AuditOutcome.NETWORK_SWITCHED, detail=dict(told))])
    assert begun(audit, "new", "old") == AT
    assert begun(audit, "other", "old") is None
    audit.append([AuditRecord(AuditKind.ENROLMENT, AT, outcome=AuditOutcome.NETWORK_BACK, detail=dict(told))])
    assert begun(audit, "new", "old") is None
