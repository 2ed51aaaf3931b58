"""The boundary around each stage: any fault is a denial with a reason, and the time is measured."""

from __future__ import annotations

import pytest

from kiosk.domain.decision import Reason
from kiosk.domain.errors import OutdatedError, StageError, UnsafeError
from kiosk.station.stages import Stopwatch


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("broken"), Reason.PAD_FAULT),
        (MemoryError(), Reason.PAD_FAULT),
        (OutdatedError("another network"), Reason.REFERENCES_OF_ANOTHER_MODEL),
        (UnsafeError("too low"), Reason.UNSAFE_POLICY),
    ],
)
def test_any_error_becomes_a_fault_with_the_stages_reason_or_its_own(error: Exception, reason: Reason) -> None:
    watch = Stopwatch()
    with pytest.raises(StageError) as raised, watch.stage("pad", Reason.PAD_FAULT):
        raise error
    assert raised.value.reason is reason
    assert raised.value.__cause__ is error
    assert watch.passed == set(), "what has failed has not passed"
    assert watch.seconds["pad"] >= 0


def test_a_stage_without_an_error_has_passed_and_times_of_one_name_add_up() -> None:
    watch = Stopwatch()
    with watch.stage("detect", Reason.DETECTOR_FAULT):
        pass
    first = watch.seconds["detect"]
    with watch.stage("detect", Reason.DETECTOR_FAULT):
        pass
    assert watch.seconds["detect"] >= first
    assert watch.passed == {Reason.DETECTOR_FAULT}


def test_a_search_that_works_ends_the_faults_of_its_references_and_threshold() -> None:
    watch = Stopwatch()
    with watch.stage("search", Reason.GALLERY_FAULT):
        pass
    assert watch.passed == {Reason.GALLERY_FAULT, Reason.REFERENCES_OF_ANOTHER_MODEL, Reason.UNSAFE_POLICY}


def test_each_frame_starts_anew() -> None:
    watch = Stopwatch()
    with watch.stage("pad", Reason.PAD_FAULT):
        pass
    watch.start()
    assert (watch.seconds, watch.passed) == ({}, set())
