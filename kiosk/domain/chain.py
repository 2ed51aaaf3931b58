"""The chain of the audit log: each record carries a hash of its content, its number and the hash of the record before.

So whoever changes, removes, reorders or inserts a record has to write all later records anew; and the hash of one
record that somebody else holds (domain.checkpoint) shows that this was done. The hash is not secret and needs no key.

The hash of a record is SHA-256 over these bytes, version 1:

    1 byte     the version, 1
    32 bytes   the hash of the record before it; START for the first record
    8 bytes    the record's number, unsigned, big-endian
    then for each of FIELDS, in this order
    1 byte     0 where the field is NULL, with nothing after it; otherwise 1
    4 bytes    the length of the field in bytes, unsigned, big-endian
    n bytes    the field as SQLite stores it: text in UTF-8, `boot_us` as decimal digits

`detail` is hashed as its text stands in the table. So there is nothing to agree about floats, the order of keys, or how
a letter is escaped: nobody writes that text again to check it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = b"\x01"
HASH_BYTES = 32
START = bytes(HASH_BYTES)
"""What stands for the hash before the first record."""
FIELDS = (
    "kind",
    "wall_at",
    "grant_id",
    "subject_id",
    "outcome",
    "reason",
    "detail",
    "record_id",
    "boot",
    "boot_us",
)
"""The columns that are hashed, in this order. A further one needs another version."""
MOST_FAULTS = 20
"""Most faults that are reported one by one."""

Fields = Sequence[bytes | None]
"""The values of FIELDS."""


def digest(previous: bytes, number: int, fields: Fields) -> bytes:
    """The hash of one record, 32 bytes. Raises ValueError for another number of fields, or a wrong previous hash."""
    if len(fields) != len(FIELDS) or len(previous) != HASH_BYTES:
        raise ValueError(f"a record has {len(FIELDS)} fields and a previous hash of {HASH_BYTES} bytes")
    parts = [VERSION, previous, number.to_bytes(8, "big")]
    parts += [b"\x00" if field is None else b"\x01" + len(field).to_bytes(4, "big") + field for field in fields]
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the log that its writer cannot have written. `number`: the record at which it shows."""

    number: int
    message: str


class Walk:
    """Takes the records of a log from its first to its newest one, and notes what is wrong with them.

    It keeps 32 bytes for each record, so that the hashes which checkpoints name can be compared.
    """

    def __init__(self, after: int = 0, previous: bytes = START) -> None:
        """`after`: the number of the last record that was cut from the log's beginning, and `previous` its hash."""
        self.faults: list[Fault] = []
        self.fault_count = 0
        self.older = 0
        """Records from before the chain, which its first record covers."""
        self._after = after
        self._last = after
        self._previous = previous
        self._begun = after > 0
        self._starts = [after]
        self._hashes = [bytearray(previous)]
        """For each run of numbers without a gap: the first number, and the hashes."""

    @property
    def last(self) -> int:
        """The number of the newest record taken."""
        return self._last

    @property
    def records(self) -> int:
        """How many records were taken, if none is missing."""
        return self._last - self._after

    def take(self, number: int, stored: bytes | None, fields: Fields, covers: int | None = None) -> None:
        """Takes the next record. `stored`: the hash that it carries. `covers`: for a record that begins a chain, how
        many older records it covers."""
        if number <= self._last:
            self.note(number, f"record {number} has a number that no record has: it was inserted")
            return
        whole = self._in_order(number)
        expected = digest(self._previous, number, fields)
        if stored is not None and len(stored) != HASH_BYTES:
            self.note(number, f"record {number} carries no hash but something else: it was changed")
            stored = expected
        if not self._begun and stored is None:
            self.older += 1
            self._keep(number, expected)
            return
        if stored is None:
            self.note(number, f"record {number} carries no hash: something else than the kiosk inserted it")
            self._keep(number, START)
            return
        if not self._begun:
            self._begun = True
            self._begin(number, covers)
        if whole and stored != expected:
            self.note(number, self._changed(number))
        self._keep(number, stored)

    def end(self) -> None:
        """Call it after the last record."""
        if self.older and not self._begun:
            self.note(self._last, "no record carries a hash: the chain was removed, or this log was never opened since")

    def hash_of(self, number: int) -> bytes | None:
        """The hash of a record that was taken, or of the last one that was cut; None for any other number."""
        run = bisect_right(self._starts, number) - 1
        if run < 0:
            return None
        place = HASH_BYTES * (number - self._starts[run])
        return bytes(self._hashes[run][place : place + HASH_BYTES]) or None

    def note(self, number: int, message: str) -> None:
        """Notes a fault. After the first MOST_FAULTS they are only counted."""
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(number, message))

    def _in_order(self, number: int) -> bool:
        """Whether it is the next number. After a gap nothing can be said of the next record's hash."""
        missing = range(self._last + 1, number)
        if not missing:
            return True
        one = len(missing) == 1
        gone = f"record {missing[0]} is" if one else f"records {missing[0]} to {missing[-1]} are"
        self.note(missing[0], f"{gone} missing: removed from the log")
        self._starts.append(number)
        self._hashes.append(bytearray())
        return False

    def _begin(self, number: int, covers: int | None) -> None:
        if self.older and covers != self.older:
            said = "none" if covers is None else str(covers)
            message = f"{self.older} records have no hash, and the chain covers {said}: some were added or removed"
            self.note(number, message)
        elif not self.older and covers:
            self.note(number, f"the chain covers {covers} older records that are not there: they were removed")

    def _changed(self, number: int) -> str:
        if self.older and number == self._after + self.older + 1:
            return f"records 1 to {self.older}, from before the chain, are not as they were: one was changed or moved"
        return f"record {number} is not what was written there: it was changed, or another one stands in its place"

    def _keep(self, number: int, link: bytes) -> None:
        self._last, self._previous = number, link
        self._hashes[-1].extend(link)
