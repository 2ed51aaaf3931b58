"""The gallery as searched: what has changed in the database counts from the next frame on."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from kiosk.domain.errors import GalleryError, OutdatedError, UnsafeError
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Reference, Subject
from kiosk.domain.renewal import Enrolled, Measure
from kiosk.domain.thresholds import OperatingPoint, Threshold, Thresholds
from kiosk.domain.transition import WANTED
from kiosk.station.matcher import GalleryMatcher
from kiosk.storage.turning import new_turning

THRESHOLDS = Thresholds([OperatingPoint(10.0**-k, k / 10) for k in range(3, 7)], 1e-3)
VECTORS = np.random.default_rng(3).integers(-60, 61, (200, 128)).astype(np.float32)


class Store:
    """A gallery of so many references."""

    def __init__(self, count: int, subjects: int | None = None) -> None:
        self.count = count
        self.subjects = subjects
        self.version = 0
        self.broken = False
        self.others = 0
        self.turning = new_turning()

    def change(self, count: int) -> None:
        self.count = count
        self.version += 1

    def enrolled(self, model_id: str) -> Enrolled:
        if self.broken:
            raise GalleryError("cannot be read")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        people = self.subjects or self.count
        rows = [self.turning.template(VECTORS[i]) for i in range(self.count)]
        return Enrolled(
            self.turning, [Reference(f"r{i}", f"s{i % people}", model_id, row, 1.0, now) for i, row in enumerate(rows)]
        )

    def unusable(self, model_id: str) -> int:
        return self.others

    def subject(self, subject_id: str) -> Subject | None:
        return None

    def data_version(self) -> int:
        return self.version


def test_the_threshold_follows_the_references() -> None:
    store = Store(1)
    heard: list[Threshold] = []
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort(), heard.append)
    thresholds = []
    for count in (1, 10, 100, 1):
        store.change(count)
        found = matcher.search(VECTORS[0])
        thresholds.append(found.threshold)
        assert found.threshold == THRESHOLDS.for_gallery({1: count}).score == matcher.threshold.score
        assert found.mated
    assert thresholds == sorted(thresholds[:3]) + thresholds[:1]
    assert [t.references for t in heard] == [1, 10, 100, 1]


def test_several_references_of_a_subject_are_one_subject() -> None:
    """Their best comparison counts: one chance for a stranger, not five chances of one each where that was measured."""
    table = [OperatingPoint(1e-3, 0.3, growth=(1.0, 1.1)), OperatingPoint(1e-6, 0.6, growth=(1.0, 1.1))]
    store = Store(4, subjects=2)
    matcher = GalleryMatcher(store, "m", 128, Thresholds(table, 1e-3), Cohort())
    told = matcher.threshold
    assert (told.subjects, told.references) == (2, 4)
    assert told.score == Thresholds(table, 1e-3).for_gallery({2: 2}).score


@pytest.mark.parametrize("fixed", [None, 0.5])
def test_a_gallery_that_grew_past_its_threshold_is_not_searched_before_a_real_lock(fixed: float | None) -> None:
    thresholds = Thresholds([OperatingPoint(10.0**-k, k / 10) for k in range(3, 6)], 1e-3, fixed)
    store = Store(100)
    heard: list[Threshold] = []
    matcher = GalleryMatcher(store, "m", 128, thresholds, Cohort(), heard.append, real_lock=True)
    assert matcher.search(VECTORS[0]).mated
    store.change(101)
    for _ in range(2):
        with pytest.raises(UnsafeError, match="101 subjects"):
            matcher.search(VECTORS[0])
    assert heard[-1].unsafe, "and it is said"
    store.change(100)
    assert matcher.search(VECTORS[0]).mated
    store.change(101)
    simulated = GalleryMatcher(store, "m", 128, thresholds, Cohort())
    assert simulated.search(VECTORS[0]).mated


def test_nothing_is_told_while_nothing_changes() -> None:
    store = Store(5)
    heard: list[Threshold] = []
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort(), heard.append)
    store.change(5)
    matcher.search(VECTORS[0])
    assert len(heard) == 1


def test_a_gallery_that_cannot_be_read_anew_is_not_searched_as_it_was() -> None:
    store = Store(1)
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    store.change(100)
    store.broken = True
    for _ in range(2):
        with pytest.raises(GalleryError):
            matcher.search(VECTORS[0])
    store.broken = False
    assert matcher.search(VECTORS[0]).threshold == THRESHOLDS.for_gallery({1: 100}).score


def test_references_of_another_network_are_nobody_and_said_where_there_are_no_others() -> None:
    store = Store(0)
    store.others = 3
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    with pytest.raises(OutdatedError, match="3 references were made with another network: enrol again"):
        matcher.search(VECTORS[0])
    store.change(1)
    assert matcher.search(VECTORS[0]).mated
    store.others = 0
    store.change(0)
    assert not matcher.search(VECTORS[0]).mated


def test_a_probe_is_turned_by_the_matrix_of_the_references_that_are_searched() -> None:
    """Templates are renewed while the kiosk runs: from the next frame on nobody is missed and nobody is taken for
    another."""
    store = Store(3)
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    before = matcher.search(VECTORS[1])
    store.turning = new_turning()
    assert matcher.search(VECTORS[1]) == before, "nothing is known of a change"
    store.change(3)
    after = matcher.search(VECTORS[1])
    assert (after.subject_id, after.mated) == (before.subject_id, True) == ("s1", True)
    assert after.score == pytest.approx(before.score, abs=0.01)


def test_a_claimed_person_is_compared_alone_by_the_threshold_for_one() -> None:
    store = Store(100)
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    own = matcher.verify(VECTORS[3], "s3")
    assert (own.subject_id, own.mated) == ("s3", True)
    assert own.score == matcher.search(VECTORS[3]).score
    assert own.threshold == THRESHOLDS.for_gallery({1: 1}).score < matcher.search(VECTORS[3]).threshold
    other = matcher.verify(VECTORS[3], "s4")
    assert (other.subject_id, other.mated) == ("s4", False)


@pytest.mark.parametrize("claimed", [None, "", "s", "s1000"])
def test_a_claim_that_is_nobodys_is_never_mated(claimed: str | None) -> None:
    found = GalleryMatcher(Store(100), "m", 128, THRESHOLDS, Cohort()).verify(VECTORS[3], claimed)
    assert (found.subject_id, found.mated, found.score) == (None, False, -1.0)


def test_the_threshold_for_one_follows_the_number_of_references() -> None:
    store = Store(8, subjects=2)
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    assert matcher.verify(VECTORS[0], "s0").threshold == THRESHOLDS.for_gallery({4: 1}).score
    store.change(2)
    assert matcher.verify(VECTORS[0], "s0").threshold == THRESHOLDS.for_gallery({1: 1}).score
    store.change(1)
    assert matcher.verify(VECTORS[1], "s1").subject_id is None, "who was removed meanwhile is nobody"


def test_beyond_the_evidence_a_claim_is_compared_and_a_search_only_where_it_lets_nobody_in() -> None:
    thresholds = Thresholds([OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4)], 1e-3)
    store = Store(100)
    strict = GalleryMatcher(store, "m", 128, thresholds, Cohort(), real_lock=True)
    assert strict.threshold.unsafe
    with pytest.raises(UnsafeError):
        strict.search(VECTORS[3])
    assert strict.verify(VECTORS[3], "s3").mated
    assert (
        GalleryMatcher(store, "m", 128, thresholds, Cohort(), real_lock=True, claims_beyond=True)
        .search(VECTORS[3])
        .mated
    )


def test_a_fixed_threshold_that_is_unsafe_for_one_person_stops_claims_before_a_real_lock() -> None:
    thresholds = Thresholds([OperatingPoint(1e-3, 0.3), OperatingPoint(1e-4, 0.4)], 1e-3, fixed=0.1)
    matcher = GalleryMatcher(Store(1), "m", 128, thresholds, Cohort(), real_lock=True, claims_beyond=True)
    with pytest.raises(UnsafeError):
        matcher.verify(VECTORS[0], "s0")


def test_a_gallery_that_cannot_be_read_again_stops_claims() -> None:
    store = Store(2)
    matcher = GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort())
    store.broken = True
    store.change(2)
    with pytest.raises(GalleryError):
        matcher.verify(VECTORS[0], "s0")


def test_references_of_another_network_stop_claims() -> None:
    store = Store(0)
    store.others = 3
    with pytest.raises(OutdatedError):
        GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort()).verify(VECTORS[0], "s0")


class Both(Store):
    """References of two networks: "m" of the first `count` people, "old" of all of `before`."""

    def __init__(self, count: int, before: int, each: int = WANTED) -> None:
        super().__init__(count * each, count)
        self.before = before

    def enrolled(self, model_id: str) -> Enrolled:
        if model_id == "m":
            return super().enrolled(model_id)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        rows = [self.turning.template(VECTORS[100 + i]) for i in range(self.before)]
        return Enrolled(
            self.turning, [Reference(f"o{i}", f"s{i}", model_id, row, 1.0, now) for i, row in enumerate(rows)]
        )

    def unusable(self, model_id: str) -> int:
        return self.before + self.others


def both(store: Store, thresholds: Thresholds = THRESHOLDS) -> GalleryMatcher:
    earlier = Measure("old", 128, thresholds, Cohort())
    return GalleryMatcher(store, "m", 128, THRESHOLDS, Cohort(), real_lock=True, earlier=earlier)


def test_earlier_references_are_searched_of_those_alone_who_have_no_current_ones() -> None:
    matcher = both(Both(2, before=5))
    assert matcher.counts_earlier
    for i in range(5):
        found = matcher.search_earlier(VECTORS[100 + i])
        assert found.mated == (i >= 2)
        assert found.model_id == "old"
        assert matcher.verify_earlier(VECTORS[100 + i], f"s{i}").mated == (i >= 2)
    assert not matcher.verify_earlier(VECTORS[102], "s3").mated
    assert not matcher.verify_earlier(VECTORS[102], None).mated
    assert not matcher.search(VECTORS[102]).mated, "never by the current network's references"


def test_with_one_current_reference_the_earlier_ones_still_count_and_each_has_half_the_rate() -> None:
    matcher = both(Both(1, before=1, each=1))
    halved = THRESHOLDS.sharing(0.5).for_gallery({1: 1}).score
    assert matcher.search(VECTORS[0]).threshold == matcher.search_earlier(VECTORS[100]).threshold == halved
    assert matcher.verify(VECTORS[0], "s0").threshold == matcher.verify_earlier(VECTORS[100], "s0").threshold == halved


def test_each_search_has_the_share_of_the_rate_that_its_subjects_are() -> None:
    matcher = both(Both(3, before=4))
    assert matcher.search(VECTORS[0]).threshold == THRESHOLDS.sharing(0.75).for_gallery({WANTED: 3}).score
    assert matcher.search_earlier(VECTORS[103]).threshold == THRESHOLDS.sharing(0.25).for_gallery({1: 1}).score


def test_by_an_unsafe_threshold_nobody_is_found_among_earlier_references() -> None:
    matcher = both(Both(1, before=5), Thresholds([OperatingPoint(1e-3, 0.2)], 1e-3))
    assert matcher.threshold_before is not None
    assert matcher.threshold_before.unsafe
    assert not matcher.search_earlier(VECTORS[103]).mated
    assert matcher.search(VECTORS[0]).mated, "the others get in"


def test_a_gallery_of_earlier_references_only_is_no_fault_but_one_of_a_third_network_is() -> None:
    matcher = both(Both(0, before=3))
    assert not matcher.search(VECTORS[0]).mated
    assert matcher.search_earlier(VECTORS[101]).subject_id == "s1"
    lost = Both(0, before=0)
    lost.others = 2
    with pytest.raises(OutdatedError):
        both(lost).search(VECTORS[0])


def test_when_everybody_is_through_the_earlier_network_is_not_asked() -> None:
    store = Both(2, before=3)
    matcher = both(store)
    assert matcher.counts_earlier
    store.subjects = 3
    store.change(3 * WANTED)
    assert matcher.search(VECTORS[0]).threshold == THRESHOLDS.for_gallery({WANTED: 3}).score
    assert not matcher.counts_earlier
    assert not matcher.search_earlier(VECTORS[102]).mated
