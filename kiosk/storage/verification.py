"""Walks the audit log and finds what was removed, changed, reordered or inserted (`kiosk audit verify`).

Needs no secret. What it can find depends on what it is given: the chain alone shows an edit by somebody who did not
write all later records anew; the signed checkpoints in the log show also that, up to the newest of them; a checkpoint
that was held elsewhere shows everything up to the record that it covers, a cut end included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.chain import FIELDS, START, Fault, Walk
from kiosk.domain.checkpoint import CHECKPOINT, CUT, Checkpoint
from kiosk.domain.errors import GalleryError
from kiosk.storage.checkpoints import genuine, newest_checkpoint, public_key, recorded
from kiosk.storage.database import Store
from kiosk.storage.migrations import AUDIT_GUARDS

PAGE = 2000
"""Records that are read at once."""
BEGUN = AuditOutcome.CHAIN_BEGUN
"""The outcome of the CHAIN record that begins a chain after older records."""
SMALLEST_ID = -(2**63)

_RECORDS = (
    f"SELECT id, hash, {', '.join(f'CAST({name} AS BLOB)' for name in FIELDS)} FROM audit "  # noqa: S608 - constants
    "WHERE id > ? ORDER BY id LIMIT ?"
)
_KIND, _OUTCOME, _DETAIL = (FIELDS.index(name) for name in ("kind", "outcome", "detail"))


@dataclass(slots=True)
class Verdict:
    """What was found. `faults`: the first of them, in the order found; `fault_count`: how many there are."""

    first: int = 0
    last: int = 0
    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    checkpoints: int = 0
    newest: Checkpoint | None = None
    """The newest checkpoint of the log itself."""
    newest_record: int = 0
    """The number of its record."""
    keys: list[str] = field(default_factory=list)
    """The keys that the log's checkpoints name, each once, in order."""
    compared: int = 0
    """Checkpoints held elsewhere that could be compared."""
    out_of_reach: int = 0
    """Those whose record was cut off by `kiosk audit cut`."""
    cut: Checkpoint | None = None
    """The newest cut of old records."""

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return self.fault_count == 0


def verify(
    store: Store,
    held: Sequence[Checkpoint] = (),
    keys: Collection[str] = (),
    step: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Walks the whole log. `held`: checkpoints that were kept elsewhere. `keys`: the public keys (hexadecimal) that may
    have signed; any if none is given. `step` is told how many records were read. Raises GalleryError when the log
    cannot be read, or has no chain yet."""
    if "hash" not in {row["name"] for row in store.rows("PRAGMA table_info(audit)")}:
        raise GalleryError(f"{store.path}: this log has no chain yet: start the kiosk of this version once")
    first = _first(store)
    verdict = _Verification(store, keys).run(held, step)
    if not verdict.good and _first(store) != first:
        return _Verification(store, keys).run(held, lambda _: None)  # old records were cut meanwhile
    return verdict


def verify_end(store: Store) -> Verdict:
    """Like `verify`, for a look that must be quick: from the newest checkpoint on, if it is genuine and of the key that
    the gallery file names, and its record is there; otherwise the whole log. What it does not find: records that were
    changed before that checkpoint. Raises GalleryError when the log cannot be read, or has no chain yet."""
    try:
        newest = newest_checkpoint(store)
    except GalleryError:
        return verify(store)  # which names the record that cannot be read
    if newest is None or not genuine(newest) or newest.key != public_key(store):
        return verify(store)
    rows = store.rows("SELECT hash FROM audit WHERE id = ?", [newest.number])
    if not rows or rows[0]["hash"] != bytes.fromhex(newest.hash):
        return verify(store)
    return _Verification(store, (), newest).run((), lambda _: None)


def _first(store: Store) -> int:
    return int(store.rows("SELECT coalesce(min(id), 0) AS id FROM audit")[0]["id"])


class _Verification:
    def __init__(self, store: Store, keys: Collection[str], after: Checkpoint | None = None) -> None:
        """`after`: a checkpoint that is believed; only later records are walked."""
        self._store = store
        self._allowed = keys
        self._verdict = Verdict(first=_first(store) if after is None else after.number + 1)
        self._walk = self._begin() if after is None else Walk(after.number, bytes.fromhex(after.hash))
        self._after = SMALLEST_ID if after is None else after.number

    def run(self, held: Sequence[Checkpoint], step: Callable[[int], None]) -> Verdict:
        verdict, walk = self._verdict, self._walk
        for message in _broken_guards(self._store):
            walk.note(0, message)
        for page in self._pages():
            for number, stored, *fields in page:
                self._take(number, stored, fields)
            verdict.records += len(page)
            step(len(page))
        walk.end()
        for checkpoint in held:
            self._compare(checkpoint)
        verdict.last = walk.last
        verdict.faults, verdict.fault_count = walk.faults, walk.fault_count
        return verdict

    def _begin(self) -> Walk:
        """A walk from the first record that was not cut."""
        sql = "SELECT detail FROM audit WHERE kind = ? AND outcome = ? ORDER BY id DESC LIMIT 1"
        rows = self._store.rows(sql, [AuditKind.CHAIN.value, CUT])
        first = self._verdict.first
        try:
            self._verdict.cut = cut = recorded(rows[0]["detail"]) if rows else None
        except GalleryError:
            cut = None  # noted when the walk comes to that record
        if cut is None:
            return Walk()
        if cut.number < first:
            return Walk(cut.number, bytes.fromhex(cut.hash))
        walk = Walk(first - 1, START)
        walk.note(first, f"records {first} to {cut.number} are there, although the log says that they were cut")
        return walk

    def _pages(self) -> Iterator[list[tuple[int, bytes | None, *tuple[bytes | None, ...]]]]:
        after = self._after
        while page := self._store.reading(lambda: self._store.conn.execute(_RECORDS, (after, PAGE)).fetchall()):  # noqa: B023
            yield page
            after = page[-1][0]

    def _take(self, number: int, stored: object, fields: list[bytes | None]) -> None:
        link = stored if stored is None or isinstance(stored, bytes) else b""
        kind, outcome, detail = fields[_KIND], fields[_OUTCOME], fields[_DETAIL] or b""
        begins = kind == AuditKind.CHAIN.encode() and outcome == BEGUN.encode()
        self._walk.take(number, link, fields, _older(detail) if begins else None)
        if kind == AuditKind.CHECKPOINT.encode():
            self._judge(number, detail, CHECKPOINT)
        elif kind == AuditKind.CHAIN.encode() and outcome == CUT.encode():
            self._judge(number, detail, CUT)

    def _judge(self, number: int, detail: bytes, purpose: str) -> None:
        """Checks a checkpoint or a cut of the log itself."""
        walk, what = self._walk, f"the {purpose} in record {number}"
        try:
            checkpoint = recorded(detail)
        except GalleryError:
            walk.note(number, f"{what} cannot be read: it was changed")
            return
        if not genuine(checkpoint, purpose):
            walk.note(number, f"{what} is not signed with the key that it names: it was changed or made up")
        elif self._allowed and checkpoint.key not in self._allowed:
            walk.note(number, f"{what} is signed with another key than was named: {checkpoint.key}")
        elif checkpoint.number >= number:
            walk.note(number, f"{what} covers record {checkpoint.number}, which came after it")
        elif purpose == CHECKPOINT:
            self._accept(number, checkpoint)

    def _accept(self, number: int, checkpoint: Checkpoint) -> None:
        verdict = self._verdict
        verdict.checkpoints += 1
        verdict.newest, verdict.newest_record = checkpoint, number
        if checkpoint.key not in verdict.keys:
            verdict.keys.append(checkpoint.key)
        found = self._walk.hash_of(checkpoint.number)
        if found is not None and found.hex() != checkpoint.hash:
            self._walk.note(checkpoint.number, _rewritten(checkpoint, f"the checkpoint in record {number}"))

    def _compare(self, checkpoint: Checkpoint) -> None:
        """Compares a checkpoint that was held elsewhere."""
        walk, cut = self._walk, self._verdict.cut
        if checkpoint.number > walk.last:
            walk.note(
                walk.last,
                f"the log ends with record {walk.last}, and the checkpoint of {checkpoint.at} that was held elsewhere "
                f"covers record {checkpoint.number}: the log's end was cut off",
            )
            return
        found = walk.hash_of(checkpoint.number)
        if found is None and cut is not None and checkpoint.number < cut.number:
            self._verdict.out_of_reach += 1
        elif found is None or found.hex() != checkpoint.hash:
            who = f"the checkpoint of {checkpoint.at} that was held elsewhere"
            walk.note(checkpoint.number, _rewritten(checkpoint, who))
        else:
            self._verdict.compared += 1


def _rewritten(checkpoint: Checkpoint, who: str) -> str:
    return f"record {checkpoint.number} is not the one that {who} covers: the log up to there was written anew"


def _older(detail: bytes) -> int | None:
    try:
        older = json.loads(detail)["older"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return older if isinstance(older, int) else None


def _broken_guards(store: Store) -> Iterator[str]:
    """The triggers of the log that are not there, are others, or do not belong there."""
    rows = store.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    there = {row["name"]: row["sql"] for row in rows}
    for name, sql in AUDIT_GUARDS.items():
        if name not in there:
            yield f"the trigger {name} is gone, which keeps records from being changed: somebody removed it"
        elif there[name] != sql:
            yield f"the trigger {name} is another than the kiosk's: somebody changed it"
    for name in sorted(set(there) - set(AUDIT_GUARDS)):
        yield f"there is a trigger {name} on the audit log that is not the kiosk's"
