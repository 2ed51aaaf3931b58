"""Attempts: n of m frames of one track."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.attempt import Attempt, Rules, Sample, Verdict
from kiosk.domain.decision import Comparison, Reason
from kiosk.domain.face import Frame, Quality

RULES = Rules(needed=3, window=5, seconds=3.0)
PICTURE = np.zeros((4, 4, 3), np.uint8)


def frame(number: int, at: float = 0.0) -> Frame:
    return Frame(PICTURE, number, at, datetime(2026, 1, 1, tzinfo=UTC))


def sample(kind: str, number: int = 0) -> Sample:
    """`kind` is a subject's letter (mated), "?" for nobody near enough, "!a" for a subject that PAD denies."""
    attack = kind.startswith("!")
    subject = kind.removeprefix("!")
    score = 0.1 if subject == "?" else 0.9
    comparison = Comparison("a" if subject == "?" else subject, score, 0.5, "m-1")
    return Sample(number, 0.0, Quality(1.0), 0.1 if attack else 0.9, not attack, comparison)


def run(kinds: list[str], rules: Rules = RULES) -> list[Verdict]:
    """The verdict that these frames come to; none is needed where they are too few."""
    attempt = Attempt(rules, 1, frame(0))
    verdicts = []
    for number, kind in enumerate(kinds):
        verdict = attempt.add(sample(kind, number), frame(number))
        if verdict is not None:
            verdicts.append(verdict)
            break
    return verdicts


@pytest.mark.parametrize(
    ("kinds", "reason", "subject"),
    [
        (["a", "a", "a"], Reason.MATCHED, "a"),
        (["a", "?", "a", "?", "a"], Reason.MATCHED, "a"),
        (["!a", "a", "a", "!a", "a", "a", "a"], Reason.MATCHED, "a"),
        (["a", "a", "!a", "a", "a", "!a", "a", "a", "!a"], Reason.PRESENTATION_ATTACK, None),
        (["?", "?", "?", "?", "?"], Reason.NOT_ENROLLED, None),
        (["a", "a", "?", "?", "?"], Reason.NOT_ENROLLED, None),
        (["a", "b", "a", "b", "a"], Reason.AMBIGUOUS, None),
        (["a", "b", "a", "a", "a"], Reason.AMBIGUOUS, None),
        (["!a", "!a", "!a", "!a", "!a"], Reason.PRESENTATION_ATTACK, None),
        (["!a", "!a", "!a"], Reason.PRESENTATION_ATTACK, None),
        (["!?", "!?", "!?"], Reason.PRESENTATION_ATTACK, None),
        (["?", "a", "a", "?", "!a", "?", "?", "?", "?", "?"], Reason.NOT_ENROLLED, None),
    ],
)
def test_the_frames_decide_the_verdict(kinds: list[str], reason: Reason, subject: str | None) -> None:
    (verdict,) = run(kinds)
    assert (verdict.reason, verdict.subject_id) == (reason, subject)


@given(st.lists(st.sampled_from(["a", "b", "?", "!a", "!b", "!?"]), min_size=15, max_size=15))
def test_a_match_always_rests_on_enough_bona_fide_mated_frames_of_one_subject(kinds: list[str]) -> None:
    (verdict,) = run(kinds)
    seen = kinds[: verdict.evidence.frame_number + 1]
    if verdict.reason is Reason.MATCHED:
        window = seen[-RULES.window :]
        since = max((i for i, kind in enumerate(window) if kind.startswith("!")), default=-1)
        assert verdict.subject_id in {"a", "b"}
        assert window[since + 1 :].count(str(verdict.subject_id)) >= RULES.needed, "no denied frame is outvoted"
        assert not {"a", "b"} <= set(window[since + 1 :])
    else:
        assert verdict.subject_id is None


WHAT = st.sampled_from(["a", "b", "?", "!a", "second face", "jump", "frozen", "poor"])


@given(st.lists(WHAT, min_size=1, max_size=120))
def test_whatever_starts_an_attempt_again_it_never_compares_more_than_its_budget(story: list[str]) -> None:
    attempt = Attempt(RULES, 1, frame(0))
    for number, what in enumerate(story):
        if what in {"second face", "jump", "frozen"}:
            attempt.restart(attempt.track + (what == "jump"), Reason.SEVERAL_FACES)
            verdict = None
        elif what == "poor":
            attempt.hinder(Reason.POOR_QUALITY)
            verdict = None
        else:
            verdict = attempt.add(sample(what, number), frame(number))
        assert attempt.compared <= RULES.budget
        if verdict is not None:
            return
    assert attempt.compared < RULES.budget, "the last comparison settles it"


def test_the_budget_ends_an_attempt_that_is_started_again_and_again() -> None:
    attempt = Attempt(RULES, 1, frame(0))
    verdict = None
    for number in range(1, 16):
        assert verdict is None
        verdict = attempt.add(sample("?"), frame(number))
        if number % 4 == 0:
            attempt.restart(1, Reason.SEVERAL_FACES)
    assert verdict is not None
    assert verdict.subject_id is None
    assert attempt.compared == 15


def test_who_leaves_after_a_second_face_has_made_it_start_again_is_recorded() -> None:
    attempt = Attempt(RULES, 1, frame(0))
    attempt.add(sample("a"), frame(1))
    attempt.restart(1, Reason.SEVERAL_FACES)
    verdict = attempt.abandon(frame(2))
    assert verdict is not None, "or the next attempt would have a budget of its own"
    assert verdict.reason is Reason.INCOMPLETE


@given(st.integers(1, 6), st.integers(0, 6), st.lists(st.sampled_from("ab?"), min_size=12, max_size=12))
def test_an_attempt_settles_within_its_window(needed: int, more: int, kinds: list[str]) -> None:
    verdicts = run(kinds, Rules(needed, needed + more))
    assert len(verdicts) == 1
    assert verdicts[0].evidence.frame_number < needed + more


def test_a_restart_forgets_the_samples_but_not_the_time() -> None:
    attempt = Attempt(RULES, 1, frame(0, at=10.0))
    attempt.add(sample("a"), frame(1, 10.1))
    attempt.add(sample("a"), frame(2, 10.2))
    attempt.restart(2, Reason.SEVERAL_FACES)
    assert attempt.progress == 0
    assert attempt.add(sample("a"), frame(3, 10.3)) is None
    attempt.restart(2, Reason.SEVERAL_FACES)
    assert attempt.expire(frame(4, 12.9)) is None
    verdict = attempt.expire(frame(5, 13.0))
    assert verdict is not None
    assert verdict.reason is Reason.SEVERAL_FACES


def test_time_without_a_usable_frame_ends_in_poor_quality() -> None:
    attempt = Attempt(RULES, 1, frame(0, at=1.0))
    attempt.hinder(Reason.POOR_QUALITY)
    verdict = attempt.expire(frame(9, 4.0))
    assert verdict is not None
    assert verdict.reason is Reason.POOR_QUALITY


def test_who_leaves_after_a_usable_frame_is_recorded_and_a_passer_by_is_not() -> None:
    attempt = Attempt(RULES, 1, frame(0))
    assert attempt.abandon(frame(1)) is None
    attempt.add(sample("a"), frame(2))
    verdict = attempt.abandon(frame(3))
    assert verdict is not None
    assert verdict.reason is Reason.INCOMPLETE


@pytest.mark.parametrize(("refusals", "pause"), [(0, 1.5), (1, 1.5), (3, 1.5), (4, 3.0), (5, 6.0), (50, 30.0)])
def test_refusals_in_a_row_slow_it_down(refusals: int, pause: float) -> None:
    assert RULES.pause_after(refusals) == pause
