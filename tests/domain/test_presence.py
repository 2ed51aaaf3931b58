"""Nobody is let in again by staying."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.presence import GONE_SECONDS, Presence

STEP = 1 / 15


class Door:
    """Frames at 15 a second."""

    def __init__(self) -> None:
        self.presence = Presence()
        self.at = 100.0

    def look(self, seconds: float, somebody: bool) -> None:
        for _ in range(round(seconds / STEP)):
            self.at += STEP
            self.presence.look(self.at, somebody)


def test_who_stays_has_not_gone_however_long() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.look(60, somebody=True)
    assert "ada" in door.presence
    assert "ben" not in door.presence


def test_some_frames_without_a_face_do_not_count_as_leaving() -> None:
    door = Door()
    door.presence.let_in("ada")
    for _ in range(50):
        door.look(0.7, somebody=False)
        door.look(STEP, somebody=True)
    assert "ada" in door.presence


def test_who_went_and_came_back_may_come_in() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.look(5, somebody=False)
    assert "ada" not in door.presence


def test_while_no_frames_come_nobody_is_known_to_have_gone() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.look(1, somebody=True)
    door.at += 600
    door.look(STEP, somebody=True)
    assert "ada" in door.presence


def test_of_two_who_take_turns_only_who_is_away_has_gone() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.presence.let_in("ben")
    door.look(1, somebody=True)
    assert "ada" in door.presence, "for a second only"
    door.presence.recognised("ada")
    door.look(2.5, somebody=True)
    assert "ada" in door.presence
    assert "ben" not in door.presence


def test_while_another_person_is_seen_the_subject_counts_as_away() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.look(3, somebody=True)
    door.presence.somebody_else()
    door.look(1, somebody=True)
    assert "ada" in door.presence
    door.look(1.5, somebody=True)
    assert "ada" not in door.presence


def test_behind_somebody_who_was_recognised_and_not_let_in_one_is_away() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.presence.recognised("ben")
    door.look(2.5, somebody=True)
    assert "ada" not in door.presence


def test_a_door_that_stayed_closed_is_no_entry() -> None:
    door = Door()
    door.presence.let_in("ada")
    door.presence.forget("ada")
    assert "ada" not in door.presence


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60))
def test_nobody_has_gone_before_so_much_was_seen_without_them(story: list[tuple[bool, float]]) -> None:
    presence, at, without = Presence(), 0.0, 0.0
    presence.look(at, somebody=True)
    presence.let_in("ada")
    for somebody, step in story:
        at += step
        presence.look(at, somebody)
        without = 0.0 if somebody else without + min(step, 0.5)
        if without < GONE_SECONDS - 1e-6:
            assert "ada" in presence
        else:
            return
