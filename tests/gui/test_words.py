"""Every state has words, and they say no more than they should."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.decision import Reason
from kiosk.domain.entry import Means
from kiosk.domain.face import Flaw, Hint
from kiosk.gui import words
from kiosk.gui.catalogue import COMPLETE, Texts, languages, texts
from kiosk.gui.words import Words

REFUSING = [reason for reason in Reason if reason is not Reason.MATCHED]
EVERY = [w for w in vars(words).values() if isinstance(w, Words)]
EVERY += [*words.FLAWS.values(), *words.HINTS.values(), *words.BROKEN.values()]


@pytest.mark.parametrize("language", languages())
def test_all_words_have_a_headline(language: str) -> None:
    assert [said.key for said in EVERY if f"{said.key}.headline" not in texts(language)] == []
    assert set(words.FLAWS) == set(Flaw)
    assert set(words.HINTS) == set(Hint)


@pytest.mark.parametrize("language", COMPLETE)
def test_different_remedies_have_different_words_and_different_icons_or_words(language: str) -> None:
    every = [*words.FLAWS.values(), *words.HINTS.values(), words.SEVERAL]
    same = [
        {one.key, other.key}
        for one, other in combinations(every, 2)
        if one.headline(texts(language)) == other.headline(texts(language))
    ]
    assert same == []


@pytest.mark.parametrize("reason", REFUSING)
@pytest.mark.parametrize("language", COMPLETE)
def test_every_refusal_has_words_that_invite_nobody_and_a_next_step(reason: Reason, language: str) -> None:
    said, read = words.refused(reason), texts(language)
    text = f"{said.headline(read)} {said.detail(read)}".lower()
    assert said.headline(read)
    assert said.ways or said.detail(read), "no next step"
    assert not [w for w in ("welcome", "is open", "willkommen", "ist offen") if w in text]
    assert said.icon is not words.Icon.TICK


def test_a_broken_kiosk_never_blames_the_person() -> None:
    assert [r for r in words.BROKEN if words.refused(r) == words.NOT_RECOGNISED] == []
    assert {r for r in Reason if r.value.endswith(("_fault", "_unavailable"))} <= set(words.BROKEN)


@pytest.mark.parametrize("language", languages())
def test_welcome_says_the_name(language: str) -> None:
    assert words.welcome(texts(language), "Amira Okonkwo").endswith("\nAmira Okonkwo")


@pytest.mark.parametrize("name", [None, "", "  ", "\n\x00"])
def test_welcome_without_a_name(name: str | None) -> None:
    assert words.welcome(texts(), name) == "Welcome"


@given(st.text(max_size=200))
def test_a_name_stays_one_short_printable_line(name: str) -> None:
    _, _, shown = words.welcome(texts(), name).partition("\n")
    assert len(shown) <= 40
    assert shown.isprintable()


def test_a_name_with_braces_is_shown_as_it_is() -> None:
    assert words.welcome(texts(), "{name} {0}").endswith("{name} {0}")


def test_the_ways_in_are_named_like_their_keys() -> None:
    every = words.other_ways(texts(), frozenset(Means))
    for means, (key, _) in words.BUTTONS.items():
        assert texts()(key) in every, means
    assert words.other_ways(texts(), ()) == texts()("way.none")


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
    assert words.banner(texts(), visitors, lock) == text


@pytest.mark.parametrize(
    ("read", "said"), [(texts("en"), "09:05   Sunday 22 November"), (texts("de"), "09:05   Sonntag, 22. November")]
)
def test_the_clock_speaks_the_screens_language_whatever_the_machine_does(read: Texts, said: str) -> None:
    now = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)
    assert words.clock(read, now) == said
    assert words.clock(read, now, date=False) == "09:05"
