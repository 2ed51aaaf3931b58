"""When a level is accepted, and when an input chatters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.inputs import CHATTER_CHANGES, CHATTER_SECONDS, Debounced, Flips

SECONDS = 0.05
readings = st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.2)), min_size=1, max_size=40)


def test_the_first_reading_is_believed_at_once() -> None:
    contact = Debounced(SECONDS)
    assert contact.read(True, 7.0)
    assert (contact.level, contact.since, contact.due) == (True, 7.0, None)


@given(readings)
def test_a_level_is_believed_once_it_has_been_the_same_for_long_enough(taken: list[tuple[bool, float]]) -> None:
    contact, now, since, before = Debounced(SECONDS), 0.0, 0.0, None
    for level, pause in taken:
        now += pause
        since = now if level != before else since
        before = level
        known = contact.level
        changed = contact.read(level, now)
        assert changed == (known is None or (level != known and since < now and now >= since + SECONDS))
        if changed:
            assert (contact.level, contact.since) == (level, since)
        else:
            assert contact.level == known
        assert (contact.due is None) == (level == contact.level)


def test_an_input_that_changes_too_often_chatters_until_it_was_quiet_for_as_long() -> None:
    button, now = Flips(), 0.0
    assert button.read(False, now) is False
    for n in range(CHATTER_CHANGES):
        now += 0.01
        assert button.read(n % 2 == 0, now) is None
    assert button.read(CHATTER_CHANGES % 2 == 0, now + 0.01) is True
    last = now + 0.01
    assert button.read(CHATTER_CHANGES % 2 == 0, last + CHATTER_SECONDS / 2) is True
    assert button.read(CHATTER_CHANGES % 2 == 0, last + CHATTER_SECONDS) is False


def test_slow_changes_of_an_input_do_not_count_as_chatter() -> None:
    button, now = Flips(), 0.0
    for n in range(10 * CHATTER_CHANGES):
        now += 1.05 * CHATTER_SECONDS / CHATTER_CHANGES
        assert button.read(n % 2 == 0, now) is not True
