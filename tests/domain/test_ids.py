"""What is an id, and what is none."""

from __future__ import annotations

import pytest

from kiosk.domain.ids import is_id, is_subject_id, new_id


def test_each_new_id_is_an_id_and_another_one() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(is_id(one) and is_subject_id(one) for one in made)


@pytest.mark.parametrize("text", ["", "a", "0" * 31, "0" * 33, "0" * 32 + "\n", "A" * 32, "g" * 32, "\u0660" * 32])
def test_any_other_text_is_no_id(text: str) -> None:
    assert not is_id(text)
    assert not is_subject_id(text)


def test_a_gallery_also_holds_subjects_with_ids_of_16_digits() -> None:
    assert is_subject_id("0123456789abcdef")
    assert not is_id("0123456789abcdef")
    assert not is_subject_id("0123456789abcdef\n")
    assert not is_subject_id("0" * 48)
