"""A checkpoint: the signed statement that the audit log had this record with this hash at this time.

Whoever holds one that has left the machine can tell later whether the log before it was rewritten or cut short. It is
carried as a JSON object, in the log, the journal, a webhook or MQTT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

VERSION = b"\x01"
HASH_PATTERN = r"^[0-9a-f]{64}$"
SIGNATURE_PATTERN = r"^[0-9a-f]{128}$"
AT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$"
BOOT_PATTERN = r"^[0-9a-f]{8}$"
"""For pydantic, whose "$" matches only at the end. `from_row` uses fullmatch."""
LARGEST = 2**63 - 1
"""The largest number of a record, SQLite's largest id."""

CHECKPOINT, CUT = "checkpoint", "cut"
"""What a signature is for. A checkpoint signed as a cut is none."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`number` and `hash` (hexadecimal) are those of the newest record it covers, `at` the wall clock (ISO 8601, UTC,
    microseconds), `boot` the start of the machine, `key` the Ed25519 public key (hexadecimal) that names the signer."""

    number: int
    hash: str
    at: str
    boot: str
    key: str
    signature: str = ""

    def signed_bytes(self, purpose: str = CHECKPOINT) -> bytes:
        """What is signed: version, purpose, number (8 bytes, big-endian), hash, key, time and boot; each text after its
        length in four bytes."""
        texts = [purpose, self.at, self.boot]
        encoded = b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts)
        number = self.number.to_bytes(8, "big")
        return VERSION + b"kiosk audit" + number + bytes.fromhex(self.hash) + bytes.fromhex(self.key) + encoded

    def row(self) -> dict[str, str | int]:
        """As a JSON object."""
        return asdict(self)


def from_row(row: Mapping[str, object]) -> Checkpoint:
    """The checkpoint in a JSON object. Further keys are ignored. Raises ValueError when a value is missing or wrong."""
    number = row.get("number")
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LARGEST:
        raise ValueError("number is no number of a record")
    return Checkpoint(
        number,
        _text(row, "hash", HASH_PATTERN),
        _text(row, "at", AT_PATTERN),
        _text(row, "boot", BOOT_PATTERN),
        _text(row, "key", HASH_PATTERN),
        _text(row, "signature", SIGNATURE_PATTERN),
    )


def found_in(text: str) -> Iterator[Checkpoint]:
    """All checkpoints in a text of any kind: lines of the journal, bodies of webhooks, messages of MQTT, JSON in JSON.
    Raises ValueError for a JSON object that has a number, a hash and a signature, and is none."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield from _within(value)
        place = text.find("{", end)


def _within(value: object) -> Iterator[Checkpoint]:
    if isinstance(value, dict):
        if {"number", "hash", "signature"} <= value.keys():
            yield from_row(value)
            return
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _within(inner)
    elif isinstance(value, str) and "signature" in value:
        yield from found_in(value)


def _text(row: Mapping[str, object], key: str, pattern: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not re.fullmatch(pattern.strip("^$"), value):
        raise ValueError(f"{key} is missing or wrong")
    return value
