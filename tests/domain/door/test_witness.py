"""A gallery that was put back to an earlier state is noticed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.witness import MOST_EPOCHS, Disbelief, Witness


def told(*states: tuple[str, int] | tuple[str, int, str]) -> Witness:
    witness = Witness()
    for state in states:
        after = witness.take(*state)
        assert isinstance(after, Witness)
        witness = after
    return witness


def test_within_one_epoch_the_generation_never_falls() -> None:
    seen = told(("a", 3), ("a", 7))
    assert seen.take("a", 6) is Disbelief.OLDER
    assert seen.take("a", 7) == seen
    assert seen.take("a", 8) == told(("a", 8))


def test_a_new_epoch_is_believed_whatever_its_generation_and_the_earlier_one_never_again() -> None:
    seen = told(("a", 7), ("b", 1))
    assert seen.take("a", 7) is Disbelief.OLDER
    assert seen.take("a", 100) is Disbelief.OLDER
    assert isinstance(seen.take("b", 2), Witness)


def test_the_same_generation_with_another_list_is_no_later_state() -> None:
    seen = told(("a", 3, "x"), ("a", 7, "y"))
    assert seen.take("a", 7, "x") is Disbelief.FORKED
    assert seen.take("a", 7, "y") == seen
    assert isinstance(seen.take("a", 8, "x"), Witness)
    assert seen.take("a", 7) == seen, "a kiosk of before knows no digest: as before, and what is known is kept"
    assert told(("a", 7)).take("a", 7, "x") == told(("a", 7, "x"))
    assert isinstance(told(("a", 7, "x"), ("a", 8)).take("a", 8, "y"), Witness)


def test_no_epoch_is_forgotten_to_make_room() -> None:
    full = told(*((f"e{n}", 1) for n in range(MOST_EPOCHS)))
    assert full.take("another", 1) is Disbelief.TOO_MANY
    assert isinstance(full.take(f"e{MOST_EPOCHS - 1}", 2), Witness)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=30))
def test_no_order_of_messages_brings_back_an_older_state(states: list[tuple[str, int]]) -> None:
    witness, newest, gone = Witness(), {}, set[str]()
    present = None
    for epoch, generation in states:
        after = witness.take(epoch, generation)
        if isinstance(after, Disbelief):
            assert epoch in gone or generation < newest[epoch]
            continue
        assert epoch not in gone
        assert generation >= newest.get(epoch, 0)
        if present not in {None, epoch}:
            gone.add(str(present))
        present, newest[epoch], witness = epoch, generation, after
