"""Every state has words, and they say no more than they should."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.domain.face import Flaw, Hint
from kiosk.gui import words

REFUSING = [reason for reason in Reason if reason is not Reason.MATCHED]


@pytest.mark.parametrize("flaw", list(Flaw))
def test_every_flaw_has_guidance(flaw: Flaw) -> None:
    assert words.FLAWS[flaw].headline


def test_different_remedies_have_different_words() -> None:
    every = [*words.FLAWS.values(), *words.HINTS.values()]
    assert len({said.headline for said in every}) == len(Flaw) + len(Hint)


@pytest.mark.parametrize("hint", list(Hint))
def test_whoever_is_not_recognised_reads_the_same_next_step_whatever_the_reason(hint: Hint) -> None:
    """A stranger, an attack and somebody who tried too often: with a hint they all look alike."""
    (said,) = {words.refused(reason, hint) for reason in words.UNRECOGNISED}
    assert said.headline == words.HINTS[hint].headline
    assert "reception" in said.detail
    assert {Reason.NOT_ENROLLED, Reason.PRESENTATION_ATTACK, Reason.TOO_MANY_ATTEMPTS} <= words.UNRECOGNISED


@pytest.mark.parametrize("reason", REFUSING)
def test_other_refusals_have_their_own_words_with_and_without_a_hint(reason: Reason) -> None:
    assert words.refused(reason, None) == words.REFUSALS[reason]
    if reason not in words.UNRECOGNISED:
        assert words.refused(reason, Hint.MOUTH_COVERED) == words.REFUSALS[reason]


@pytest.mark.parametrize("reason", REFUSING)
def test_every_refusal_has_words_that_invite_nobody(reason: Reason) -> None:
    said = words.REFUSALS[reason]
    text = f"{said.headline} {said.detail}".lower()
    assert said.headline
    assert said.detail
    assert not {"welcome", "open", "come in"} & {w for w in ("welcome", "open", "come in") if w in text}
    assert said.icon is not words.Icon.TICK


def test_matched_is_no_refusal() -> None:
    assert Reason.MATCHED not in words.REFUSALS


def test_a_presentation_attack_is_told_what_a_disabled_subject_is_told() -> None:
    assert words.REFUSALS[Reason.PRESENTATION_ATTACK] == words.REFUSALS[Reason.SUBJECT_DISABLED]


def test_who_tried_too_often_is_told_what_a_stranger_is_told() -> None:
    assert words.REFUSALS[Reason.TOO_MANY_ATTEMPTS] == words.REFUSALS[Reason.NOT_ENROLLED]


@pytest.mark.parametrize("reason", [r for r in REFUSING if r.value.endswith(("_fault", "_unavailable"))])
def test_a_broken_kiosk_names_the_other_way_in(reason: Reason) -> None:
    assert words.REFUSALS[reason].detail == "Please use the other way in."


def test_welcome_says_the_name_and_the_door() -> None:
    said = words.welcome("Amira Okonkwo")
    assert said.headline == "Welcome,\nAmira Okonkwo"
    assert said.detail == "The door is open.\nPlease come in."


@pytest.mark.parametrize("name", [None, "", "  ", "\n\x00"])
def test_welcome_without_a_name(name: str | None) -> None:
    assert words.welcome(name).headline == "Welcome"


@given(st.text(max_size=200))
def test_a_name_stays_one_short_printable_line(name: str) -> None:
    _, _, shown = words.welcome(name).headline.partition("\n")
    assert len(shown) <= 40
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("visitors", "lock", "text"),
    [
        (True, True, "DEMONSTRATION · simulated visitors, simulated lock"),
        (False, True, "DEMONSTRATION · simulated lock"),
        (True, False, "DEMONSTRATION · simulated visitors"),
        (False, False, ""),
    ],
)
def test_the_banner_names_what_is_simulated(visitors: bool, lock: bool, text: str) -> None:
    assert words.banner(visitors, lock) == text


def test_the_clock_reads_the_same_in_every_language() -> None:
    assert words.clock(datetime(2026, 11, 22, 9, 5, tzinfo=UTC)) == "09:05   Sunday 22 November"
