"""Recognising one person who was named before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain import recognising
from kiosk.domain.recognising import Recognition, Result

FPS = 15.0


def fed(recognition: Recognition, frames: str, since: float = 0.0) -> float:
    """m: matches, o: another face, a: attack that matches, .: nobody, -: a face that is no evidence."""
    at = since
    for frame in frames:
        at += 1 / FPS
        if frame == ".":
            recognition.nobody(at)
        elif frame == "-":
            recognition.useless(at)
        else:
            recognition.judged(at, live=frame != "a", mated=frame in "ma")
    return at


def result(frames: str, after_leaving: bool = False, seconds: float = 20.0) -> Result | None:
    recognition = Recognition(0.0, seconds, after_leaving)
    fed(recognition, frames)
    return recognition.result


def test_three_matching_frames_of_five_are_enough() -> None:
    assert result("mm") is None
    assert result("momom") is Result.RECOGNISED
    assert result("moomom") is None


def test_a_denied_frame_voids_those_before_and_three_end_it() -> None:
    assert result("mmam") is None
    assert result("mmammm") is Result.RECOGNISED
    assert result("amama") is Result.ATTACK


def test_a_face_that_was_away_for_a_moment_begins_anew() -> None:
    assert result("mm" + "." * 9 + "m") is None
    assert result("mm" + "-" * 9 + "m") is None


def test_who_comes_back_must_have_been_away() -> None:
    assert result("m" * 60, after_leaving=True) is None
    assert result("." * 10 + "mmm", after_leaving=True) is None
    assert result("m" + "." * 17 + "mmm", after_leaving=True) is Result.RECOGNISED


def test_a_face_that_only_is_no_evidence_is_not_away() -> None:
    assert result("-" * 30 + "mmm", after_leaving=True) is None


def test_another_face_has_no_end_of_tries() -> None:
    assert result("o" * (recognising.BUDGET - 1)) is None
    assert result("o" * recognising.BUDGET + "mmm") is Result.NOT_RECOGNISED


def test_it_ends_by_itself() -> None:
    assert result("." * 31, seconds=2.0) is Result.NOT_RECOGNISED
    assert result("m" * 31, after_leaving=True, seconds=2.0) is Result.NOT_RECOGNISED


@given(st.text("moa.-", max_size=120), st.booleans())
def test_whoever_is_recognised_matched_alive(frames: str, after_leaving: bool) -> None:
    recognition = Recognition(0.0, 60.0, after_leaving)
    at = 0.0
    for i, frame in enumerate(frames):
        before = recognition.result
        at = fed(recognition, frame, at)
        assert before is None or recognition.result is before, "what has ended stays so"
        if before is None and recognition.result is Result.RECOGNISED:
            last = [f for f in frames[: i + 1] if f in "moa"][-recognising.WINDOW :]
            alive = "".join(last).rsplit("a", 1)[-1]
            assert alive.count("m") >= recognising.NEEDED
            assert not after_leaving or "." * 15 in frames[:i]
