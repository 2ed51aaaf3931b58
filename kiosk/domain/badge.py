"""Badge numbers in the format in which a card reader sends them to a panel: Wiegand bits with facility code and parity.

    bits   facility   number   known as
    26     8          16       H10301, the open standard
    34     16         16       N1002, H10306
    37     16         19       H10304

There is a parity bit at each end: even parity over the first half of the bits between them, odd parity over the second.
If the number of these bits is odd, the middle one counts in both halves (HID, "Understanding card data formats").
"""

from __future__ import annotations

from dataclasses import dataclass

FIELDS = {26: (8, 16), 34: (16, 16), 37: (16, 19)}
"""Bits of the card: bits of the facility code, bits of the number."""
LARGEST_BADGE = 2**19 - 1
"""Largest badge number of any format."""


@dataclass(frozen=True, slots=True)
class Card:
    """The data that a reader sends for a card: `bits` bits. The first bit is the highest one of the first byte."""

    bits: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CardFormat:
    """A card format: `bits` of FIELDS, and the site's facility code. Raises ValueError if the code does not fit."""

    bits: int
    facility: int

    def __post_init__(self) -> None:
        if self.bits not in FIELDS:
            raise ValueError(f"there is no card format of {self.bits} bits: {', '.join(map(str, FIELDS))}")
        most = (1 << FIELDS[self.bits][0]) - 1
        if not 0 <= self.facility <= most:
            raise ValueError(f"the facility code of {self.bits} bits is 0 to {most}")

    @property
    def largest(self) -> int:
        """The largest badge number of this format; the smallest is 1."""
        return (1 << FIELDS[self.bits][1]) - 1

    def encode(self, badge: int) -> Card:
        """The card for a badge number. Raises ValueError for a number that does not fit."""
        if not 1 <= badge <= self.largest:
            raise ValueError(f"a badge number of {self.bits} bits is 1 to {self.largest}")
        payload, width = self.facility << FIELDS[self.bits][1] | badge, self.bits - 2
        half = (width + 1) // 2
        even = (payload >> (width - half)).bit_count() % 2
        odd = 1 - (payload & ((1 << half) - 1)).bit_count() % 2
        value = even << (self.bits - 1) | payload << 1 | odd
        return Card(self.bits, (value << -self.bits % 8).to_bytes((self.bits + 7) // 8, "big"))
