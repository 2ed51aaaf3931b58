"""Checkpoints as they travel: in and out of JSON, and found in whatever carried them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.checkpoint import CUT, Checkpoint, found_in, from_row

ONE = Checkpoint(
    7, "ab" * 32, "2026-03-01T12:00:00.000000+00:00", "da68fdc6", "cd" * 32, "ef" * 64
)  # fmt: skip
OTHER = replace(ONE, number=900, hash="00" * 32)


def test_it_comes_back_from_its_row() -> None:
    assert from_row(ONE.row()) == ONE
    assert from_row({**ONE.row(), "removed": 12}) == ONE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("number", value) for value in (0, -1, 2**63, True, "7", 7.0, None)),
        *(("hash", value) for value in ("AB" * 32, "ab" * 31, "ab" * 32 + "\n", 7, None)),
        *(("at", value) for value in ("2026-03-01", "2026-03-01T12:00:00.000000Z", "٢٠٢٦-03-01T12:00:00.000000+00:00")),
        ("boot", "x"),
        ("key", ""),
        ("signature", "ef" * 32),
    ],
)
def test_what_is_none_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        from_row({**ONE.row(), key: value})


def test_each_part_and_the_purpose_are_signed() -> None:
    changed = [
        replace(ONE, number=8),
        replace(ONE, hash="00" * 32),
        replace(ONE, at="2026-03-01T12:00:01.000000+00:00"),
        replace(ONE, boot="00000000"),
        replace(ONE, key="00" * 32),
    ]
    signed = {each.signed_bytes() for each in (ONE, *changed)} | {ONE.signed_bytes(CUT)}
    assert len(signed) == 7
    assert replace(ONE, signature="").signed_bytes() == ONE.signed_bytes()


def carried(checkpoint: Checkpoint) -> list[str]:
    """As each carries it."""
    row = checkpoint.row()
    line = json.dumps({"checkpoint": row, "event": "audit_checkpoint", "level": "info"})
    return [
        json.dumps(row),
        json.dumps(row, indent=2),
        f"Mar 01 12:00:00 kiosk kiosk[312]: {line}",  # journalctl
        json.dumps({"MESSAGE": line, "PRIORITY": "6"}),  # journalctl -o json
        json.dumps({"id": "n", "kind": "kiosk.checkpoint", "checkpoint": row, "name": None}),  # a webhook's body
        f"kiosk/main/event {json.dumps({'event_type': 'kiosk.checkpoint', 'checkpoint': row})}",  # mosquitto_sub -v
        json.dumps([{"a": [row]}]),
    ]


@pytest.mark.parametrize("form", range(len(carried(ONE))))
def test_it_is_found_in_whatever_carried_it(form: int) -> None:
    text = "\n".join([carried(ONE)[form], '{"event": "decision"}', "a line { of something", carried(OTHER)[form]])
    assert list(found_in(text)) == [ONE, OTHER]


def test_a_damaged_one_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="hash"):
        list(found_in(json.dumps({**ONE.row(), "hash": "ab"})))


@settings(max_examples=40)
@given(
    st.text()
    | st.recursive(st.none() | st.text() | st.integers(), lambda e: st.lists(e) | st.dictionaries(st.text(), e)).map(
        json.dumps
    )
)
def test_any_other_text_holds_none(text: str) -> None:
    assert list(found_in(text)) == []


def test_brackets_without_end_are_no_fault() -> None:
    assert list(found_in("[" * 10_000 + '{"a":' * 1_500)) == []
