"""The chain of records: what it is hashed over, and what each kind of tampering looks like."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.chain import FIELDS, MOST_FAULTS, START, Walk, digest

Fields = tuple[bytes | None, ...]
fields = st.tuples(*[st.none() | st.binary(max_size=8)] * len(FIELDS))


@dataclass(frozen=True)
class Row:
    number: int
    link: bytes | None
    fields: Fields


def a_log(contents: Sequence[Fields], previous: bytes = START, after: int = 0) -> list[Row]:
    rows = []
    for number, each in enumerate(contents, after + 1):
        previous = digest(previous, number, each)
        rows.append(Row(number, previous, each))
    return rows


def walked(rows: Sequence[Row], walk: Walk | None = None) -> Walk:
    walk = walk or Walk()
    for row in rows:
        walk.take(row.number, row.link, row.fields)
    walk.end()
    return walk


def some(number: int) -> Fields:
    return (b"start", str(number).encode(), *[None] * (len(FIELDS) - 2))


def test_the_hash_is_over_exactly_these_bytes() -> None:
    """As the module says, written out: a log of today must verify with any later version."""
    values: Fields = (b"decision", b"t", None, b"", "Zoë".encode(), None, b'{"a":1.0}', b"r", b"da68fdc6", b"17")
    told = b"\x01" + bytes(range(32)) + struct.pack(">Q", 7)
    for value in values:
        told += b"\x00" if value is None else b"\x01" + struct.pack(">I", len(value)) + value
    assert digest(bytes(range(32)), 7, values) == hashlib.sha256(told).digest()
    assert digest(START, 1, some(1)).hex() == "4bea9560b108c07a52ec6b01941cdbb8fa1d8549609889231de4fef507d855d7"


@given(fields, fields)
def test_other_fields_have_another_hash(one: Fields, other: Fields) -> None:
    assert (digest(START, 1, one) == digest(START, 1, other)) is (one == other)


@pytest.mark.parametrize(("previous", "values"), [(b"short", some(1)), (START, (b"start",))])
def test_what_is_no_record_has_no_hash(previous: bytes, values: Fields) -> None:
    with pytest.raises(ValueError, match="a record has 10 fields"):
        digest(previous, 1, values)


@given(st.lists(fields, max_size=8))
def test_a_log_as_it_was_written_is_whole(contents: list[Fields]) -> None:
    rows = a_log(contents)
    walk = walked(rows)
    assert (walk.faults, walk.fault_count, walk.last, walk.records) == ([], 0, len(rows), len(rows))
    assert [walk.hash_of(row.number) for row in rows] == [row.link for row in rows]
    assert (walk.hash_of(0), walk.hash_of(-1), walk.hash_of(len(rows) + 1)) == (START, None, None)


@given(st.lists(fields, min_size=2, max_size=8, unique=True), st.data())
def test_any_single_change_is_found(contents: list[Fields], data: st.DataObject) -> None:
    """An edit, a removal before the end, a swap, and an insertion at any place; each names the right record."""
    rows = a_log(contents)
    place = data.draw(st.integers(0, len(rows) - 1))
    row = rows[place]
    kind = data.draw(st.sampled_from(["edit", "hash", "no hash", "remove", "swap", "insert"]))
    first = row.number
    if kind == "edit":
        rows[place] = Row(row.number, row.link, data.draw(fields.filter(lambda other: other != row.fields)))
    elif kind == "hash":
        rows[place] = Row(row.number, data.draw(st.binary(max_size=40).filter(lambda h: h != row.link)), row.fields)
    elif kind == "no hash":
        rows[place] = Row(row.number, None, row.fields)
    elif kind == "remove":
        place = min(place, len(rows) - 2)
        first = rows.pop(place).number
    elif kind == "swap":
        other = data.draw(st.integers(0, len(rows) - 1).filter(lambda n: n != place))
        first = min(row.number, rows[other].number)
        a, b = rows[place], rows[other]
        rows[place], rows[other] = Row(a.number, b.link, b.fields), Row(b.number, a.link, a.fields)
    else:
        number = data.draw(st.sampled_from([-3, 0, len(rows) + 1]))
        link = data.draw(st.none() | st.binary(min_size=32, max_size=32))
        rows.append(Row(number, link, some(0)))
        rows.sort(key=lambda each: each.number)
        first = number
    walk = walked(rows)
    assert walk.fault_count >= 1
    assert first in {fault.number for fault in walk.faults} or (kind == "no hash" and first == 1)


def test_each_edit_is_named_by_itself() -> None:
    rows = a_log([some(n) for n in range(1, 9)])
    for place in (2, 5):
        rows[place] = Row(rows[place].number, rows[place].link, some(99))
    assert [fault.number for fault in walked(rows).faults] == [3, 6]
    del rows[2:4]
    walk = walked(rows)
    assert [fault.message for fault in walk.faults] == [
        "records 3 to 4 are missing: removed from the log",
        "record 6 is not what was written there: it was changed, or another one stands in its place",
    ]
    assert (walk.hash_of(2), walk.hash_of(3), walk.hash_of(8)) == (rows[1].link, None, rows[-1].link)


def test_a_hole_of_any_size_takes_no_memory() -> None:
    far = 2**62
    walk = walked([*a_log([some(1)]), Row(far, bytes(32), some(2))])
    assert [fault.message for fault in walk.faults] == [f"records 2 to {far - 1} are missing: removed from the log"]
    assert (walk.hash_of(far), walk.hash_of(far - 1)) == (bytes(32), None)


def test_more_faults_than_anybody_reads_are_counted() -> None:
    walk = walked([Row(number, bytes(32), some(number)) for number in range(1, 101)])
    assert (len(walk.faults), walk.fault_count) == (MOST_FAULTS, 100)


def with_older(older: int, newer: int = 3) -> tuple[list[Row], int]:
    """A log whose first `older` records have no hash, and the number of the record that begins the chain."""
    rows = a_log([some(n) for n in range(1, older + newer + 1)])
    return [Row(row.number, None if row.number <= older else row.link, row.fields) for row in rows], older + 1


def walked_over(rows: Sequence[Row], begins: int, covers: int | None) -> Walk:
    walk = Walk()
    for row in rows:
        walk.take(row.number, row.link, row.fields, covers if row.number == begins else None)
    walk.end()
    return walk


def test_what_is_older_than_the_chain_is_covered_by_its_first_record() -> None:
    rows, begins = with_older(3)
    whole = walked_over(rows, begins, 3)
    assert (whole.faults, whole.older) == ([], 3)
    changed = [Row(row.number, row.link, some(50)) if row.number == 2 else row for row in rows]
    assert (
        "records 1 to 3, from before the chain, are not as they were"
        in walked_over(changed, begins, 3).faults[0].message
    )
    for covers in (2, 4, None):
        assert "3 records have no hash" in walked_over(rows, begins, covers).faults[0].message
    assert "records 1 to 2 are missing" in walked_over(rows[2:], begins, 3).faults[0].message
    assert "covers 3 older records that are not there" in walked_over(rows[3:], begins, 3).faults[1].message


def test_a_log_that_lost_its_chain_is_not_taken_for_an_old_one() -> None:
    rows, _ = with_older(6, 0)
    assert [fault.message for fault in walked_over(rows, 0, None).faults] == [
        "no record carries a hash: the chain was removed, or this log was never opened since"
    ]


def test_after_a_cut_it_goes_on_from_there() -> None:
    rows = a_log([some(n) for n in range(1, 9)])
    cut = rows[4].link
    assert cut is not None
    walk = walked(rows[5:], Walk(5, cut))
    assert (walk.faults, walk.hash_of(5), walk.hash_of(4), walk.records) == ([], cut, None, 3)
    assert walked(rows[5:], Walk(5, bytes(32))).faults[0].number == 6
    assert "record 6 is missing" in walked(rows[6:], Walk(5, cut)).faults[0].message
