"""Visitor passes of one gallery: issued, used, revoked.

A pass is good if it was signed with this gallery's key and is known here: its row says how often it was used, sealed
like everything else. Each use is on disk before it is answered, so that a kill or a power cut never gives one back. A
restored backup knows no passes: its counts would be those of an older day.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.errors import GalleryError, PassError, TamperedError
from kiosk.domain.passes import Issued, Pass, PassWord, judged, read
from kiosk.storage.database import Store, to_text, to_time
from kiosk.storage.gallery import Gallery
from kiosk.storage.people import SHORTEST_PREFIX
from kiosk.storage.vault import Vault
from kiosk.system.clock import boottime

SEALED_FOR = "pass-signing-key"
"""What the sealed signing key is bound to."""
AGAIN_SECONDS = 10.0
"""A pass that was let in is not looked at again for so long: a camera sees it in many frames."""
MOST = 500
"""Passes that are kept at most."""
KEPT = timedelta(days=30)
"""How long an ended pass is kept at least: it goes when another one is issued."""


@dataclass(frozen=True, slots=True)
class PassVerdict:
    """What is said of a pass, and which one it was, if it was signed here."""

    word: PassWord
    pass_id: str | None = None
    sponsor: str | None = None

    @property
    def good(self) -> bool:
        """Whether it lets somebody in."""
        return self.word is PassWord.GOOD


class Passes:
    """The passes of one gallery, for one thread. Methods raise GalleryError."""

    def __init__(
        self,
        gallery: Gallery,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gallery = gallery
        self._store = gallery.store
        self._clock = clock
        self._wall = wall
        self._let_in: dict[str, float] = {}

    def use(self, text: str, door: str, now: datetime | None) -> PassVerdict:
        """Looks at a pass that is shown at `door`, and counts its use if it is good. `now`: None where the clock is not
        trusted."""
        try:
            told, signature = read(text)
        except PassError:
            return PassVerdict(PassWord.FORGED)
        at = self._clock()
        self._let_in = {one: then for one, then in self._let_in.items() if at - then < AGAIN_SECONDS}
        with self._gallery.changing():
            word = self._judged(told, signature, door, now)
        if word is PassWord.FORGED:
            return PassVerdict(word)
        if word is PassWord.GOOD:
            self._let_in[told.id] = at
        return PassVerdict(word, told.id, told.sponsor)

    def _judged(self, told: Pass, signature: bytes, door: str, now: datetime | None) -> PassWord:
        key = _signing_key(self._store, self._gallery.vault)
        if key is None or not _signed(key, told, signature):
            return PassWord.FORGED
        if told.id in self._let_in:
            return PassWord.AGAIN
        issued = self._row(told.id)
        if issued is None or issued.told != told:
            return PassWord.UNKNOWN
        word = judged(issued, door, now, self._gallery.subject(told.sponsor))
        if word is PassWord.GOOD:
            count = issued.used.get(door, 0) + 1
            self._put(replace(issued, used={**issued.used, door: count}))
            self._gallery.note(AuditKind.VISIT, told.sponsor, AuditOutcome.USED, pass_id=told.id, door=door, use=count)
        return word

    def issue(
        self, sponsor: str, begins: datetime, ends: datetime, doors: Sequence[str], uses: int
    ) -> tuple[Pass, str]:
        """Makes a pass for a visitor of an enrolled sponsor. Returns it with the text of its QR code, which is kept
        nowhere. Raises PassError for a pass that cannot be."""
        begins, ends = (moment.astimezone(UTC).replace(second=0, microsecond=0) for moment in (begins, ends))
        told = Pass(secrets.token_hex(8), sponsor, begins, ends, tuple(doors), uses)
        with self._gallery.changing(sponsor):
            for old in self._rows():
                if old.told.ends < self._wall() - KEPT:
                    self._store.execute("DELETE FROM pass WHERE id = ?", [old.told.id])
            if int(self._store.rows("SELECT count(*) AS n FROM pass")[0]["n"]) >= MOST:
                raise GalleryError(f"{MOST} passes are kept already: those that ended {KEPT.days} days ago go first")
            signature = _made_key(self._store, self._gallery.vault).sign(told.signed_bytes())
            self._store.execute("INSERT INTO pass (id, sponsor, sealed) VALUES (?, ?, x'')", [told.id, sponsor])
            self._put(Issued(told, {}))
            self._gallery.note(
                AuditKind.VISIT,
                sponsor,
                AuditOutcome.ISSUED,
                pass_id=told.id,
                uses=uses,
                doors=",".join(doors),
                until=to_text(ends),
            )
        return told, told.text(signature)

    def issued(self) -> list[Issued]:
        """All passes that are known, those that end first before others."""
        if not self._store.rows("SELECT 1 FROM sqlite_master WHERE name = 'pass'"):
            return []  # a gallery of before, opened to be looked at
        with self._gallery.believing():
            return sorted(self._rows(), key=lambda one: (one.told.ends, one.told.id))

    def revoke(self, text: str) -> Issued:
        """Makes a pass void, given by its id or the beginning of it. Raises GalleryError unless exactly one fits."""
        with self._gallery.changing():
            found = [one for one in self._rows() if one.told.id.startswith(text.lower())]
            if len(found) != 1 or len(text) < SHORTEST_PREFIX:
                raise GalleryError(f"{text}: this is not the beginning of one pass's id: see `kiosk passes list`")
            one = replace(found[0], revoked=found[0].revoked or self._wall())
            self._put(one)
            self._gallery.note(AuditKind.VISIT, one.told.sponsor, AuditOutcome.REVOKED, pass_id=one.told.id)
        return one

    def _rows(self) -> list[Issued]:
        vault = self._gallery.vault
        return [_unsealed(row, vault) for row in self._store.rows("SELECT * FROM pass ORDER BY id")]

    def _row(self, pass_id: str) -> Issued | None:
        rows = self._store.rows("SELECT * FROM pass WHERE id = ?", [pass_id])
        return _unsealed(rows[0], self._gallery.vault) if rows else None

    def _put(self, issued: Issued) -> None:
        sealed = self._gallery.vault.wrap(_value(issued), *_bound(issued.told.id, issued.told.sponsor))
        self._store.execute("UPDATE pass SET sealed = ? WHERE id = ?", [sealed, issued.told.id])


def forget_passes(store: Store) -> None:
    """Makes all passes void: their signing key and their rows go. Call it inside a transaction."""
    store.execute("DELETE FROM pass")
    store.execute("DELETE FROM meta WHERE key = 'pass_key'")


def reseal_passes(store: Store, old: Vault, new: Vault) -> None:
    """Seals passes and signing key with another vault. Call it inside a transaction. What does not open is forgotten:
    whoever altered it gets no use of it."""
    for row in store.rows("SELECT * FROM pass"):
        bound = _bound(row["id"], row["sponsor"])
        try:
            store.execute(
                "UPDATE pass SET sealed = ? WHERE id = ?",
                [new.wrap(old.unwrap(row["sealed"], *bound), *bound), row["id"]],
            )
        except TamperedError:
            store.execute("DELETE FROM pass WHERE id = ?", [row["id"]])
    try:
        key = _signing_key(store, old)
    except TamperedError:
        forget_passes(store)
        return
    if key is not None:
        _store_key(store, new, key)


def _value(issued: Issued) -> bytes:
    told = issued.told
    value = {
        "begins": to_text(told.begins),
        "ends": to_text(told.ends),
        "doors": list(told.doors),
        "uses": told.uses,
        "used": dict(issued.used),
        "revoked": None if issued.revoked is None else to_text(issued.revoked),
    }
    return json.dumps(value, separators=(",", ":")).encode()


def _unsealed(row: dict[str, Any], vault: Vault) -> Issued:
    value = json.loads(vault.unwrap(row["sealed"], *_bound(row["id"], row["sponsor"])))
    begins, ends = (to_time(value[name]).astimezone(UTC) for name in ("begins", "ends"))
    told = Pass(row["id"], row["sponsor"], begins, ends, tuple(value["doors"]), value["uses"])
    return Issued(told, value["used"], None if value["revoked"] is None else to_time(value["revoked"]))


def _bound(pass_id: str, sponsor: str) -> tuple[str, ...]:
    return ("pass", pass_id, "of subject", sponsor)


def _signed(key: Ed25519PrivateKey, told: Pass, signature: bytes) -> bool:
    try:
        key.public_key().verify(signature, told.signed_bytes())
    except InvalidSignature:
        return False
    return True


def _signing_key(store: Store, vault: Vault) -> Ed25519PrivateKey | None:
    """The key that passes are signed with; None before the first pass. Raises TamperedError."""
    rows = store.rows("SELECT value FROM meta WHERE key = 'pass_key'")
    return Ed25519PrivateKey.from_private_bytes(vault.unwrap(rows[0]["value"], SEALED_FOR)) if rows else None


def _made_key(store: Store, vault: Vault) -> Ed25519PrivateKey:
    """The same, which is made on first use. Call it inside a transaction."""
    key = _signing_key(store, vault)
    if key is None:
        key = Ed25519PrivateKey.generate()
        _store_key(store, vault, key)
    return key


def _store_key(store: Store, vault: Vault, key: Ed25519PrivateKey) -> None:
    sealed = vault.wrap(key.private_bytes_raw(), SEALED_FOR)
    store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('pass_key', ?)", [sealed])
