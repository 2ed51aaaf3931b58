"""Checks PINs. Each try is on disk before it is looked at, so that a kill or a power cut in between gives nobody a
guess for nothing.

A PIN is stored as Argon2id makes it (RFC 9106; 19 MiB and two passes, OWASP's smallest), inside the subject's sealed
record. Somebody who is not known, who has no PIN or who has to wait costs the same time as a wrong PIN.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kiosk.domain.audit import AuditKind, AuditOutcome
from kiosk.domain.errors import GalleryError
from kiosk.domain.guesses import CROWD, crowd_wait
from kiosk.domain.pin import FIRST_WAIT, FREE, LONGEST_WAIT, checked, checked_duress, wait_after
from kiosk.domain.rights import Role
from kiosk.storage.database import to_text, to_time
from kiosk.storage.gallery import Gallery
from kiosk.storage.people import NO_SECRETS, Secrets
from kiosk.system.clock import boot_name, boottime

MEMORY_KIB, PASSES = 19 * 1024, 2
KEPT = 10_000
"""Newest tries that are kept."""
ENOUGH = FREE + math.ceil(math.log2(LONGEST_WAIT / FIRST_WAIT))
"""Wrong tries in a row after which nobody waits longer: more are not counted."""


class Verdict(StrEnum):
    """What became of a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"
    """It was not looked at."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict, how long until the next PIN of this person is looked at, in seconds, and whether it was the duress
    PIN, which is as right as the other one: whoever stands beside must see no difference. `fault`: the gallery failed
    after the PIN was looked at. Then nobody is let in, but the alarm must leave."""

    verdict: Verdict
    wait: float
    duress: bool = False
    fault: GalleryError | None = None


class Pins:
    """The PINs of one gallery, for one thread. Methods raise GalleryError."""

    def __init__(
        self,
        gallery: Gallery,
        clock: Callable[[], float] = boottime,
        boot: Callable[[], str] = boot_name,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gallery = gallery
        self._store = gallery.store
        self._clock = clock
        self._boot = boot
        self._wall = wall
        _nobodys()  # so that the first stranger costs no more time than the second

    def check(self, claim: str, subject_id: str | None, pin: str) -> Checked:
        """Looks at a PIN. `claim`: what was typed or shown to say who it is; `subject_id`: whose that is, None for
        nobody's. Who is locked out after tries with one claim is so with every other one too."""
        who = subject_id or f"?{hashlib.sha256(claim.encode('utf-8', 'replace')).hexdigest()[:15]}"
        secrets = self._secrets_of(subject_id)
        with self._store.transaction():
            wait = self._wait(who)
            if wait == 0.0:
                self._note(who, right=False)
        # Both are looked at in any case: nobody's costs as much as somebody's, and a duress PIN as much as none.
        plain, duress = [_fits(made or _nobodys(), pin) and made is not None for made in (secrets.pin, secrets.duress)]
        if wait > 0.0:
            return Checked(Verdict.WAIT, wait)
        if not (plain or duress):
            return Checked(Verdict.WRONG, self._wait(who))
        try:
            with self._store.transaction():
                self._note(who, right=True)
        except GalleryError as error:
            return Checked(Verdict.WRONG, 0.0, duress and not plain, error)
        return Checked(Verdict.RIGHT, 0.0, duress and not plain)

    def _secrets_of(self, subject_id: str | None) -> Secrets:
        """For nobody somebody's record is read and put aside, so that it takes as long."""
        somebody = self._store.rows("SELECT id FROM subject LIMIT 1")
        record = self._gallery.record(subject_id or (somebody[0]["id"] if somebody else ""))
        return NO_SECRETS if record is None or subject_id is None else record.secrets

    def _note(self, who: str, *, right: bool) -> None:
        row = [who, self._boot(), int(self._clock() * 1e6), to_text(self._wall()), right]
        self._store.execute("INSERT INTO pin_try (who, boot, boot_us, wall_at, right) VALUES (?, ?, ?, ?, ?)", row)
        self._store.execute("DELETE FROM pin_try WHERE id <= (SELECT max(id) FROM pin_try) - ?", [KEPT])

    def _wait(self, who: str) -> float:
        """Seconds until the next PIN of `who` is looked at."""
        wrong = self._store.rows(
            "SELECT boot, boot_us, wall_at FROM pin_try WHERE who = ? AND NOT right AND id > "
            "coalesce((SELECT max(id) FROM pin_try WHERE who = ? AND right), 0) ORDER BY id DESC LIMIT ?",
            [who, who, ENOUGH],
        )
        # A right PIN takes its own try back, no other's.
        crowd = self._store.rows(
            "SELECT boot, boot_us, wall_at FROM pin_try AS t WHERE NOT right AND NOT EXISTS "
            "(SELECT 1 FROM pin_try AS next WHERE next.right AND next.who = t.who AND next.id = "
            "(SELECT min(id) FROM pin_try WHERE who = t.who AND id > t.id)) ORDER BY id DESC LIMIT ?",
            [CROWD],
        )
        now = self._clock()
        own = max(0.0, self._at(wrong[0]) + wait_after(len(wrong)) - now) if wrong else 0.0
        return max(own, crowd_wait([self._at(row) for row in reversed(crowd)], now))

    def _at(self, row: dict[str, Any]) -> float:
        """When a try was, in seconds of this start's clock. What was before the machine's start, but within the
        longest wait by the wall clock, counts as if it had been at the start: nobody gains by pulling the plug."""
        if row["boot"] == self._boot():
            return float(row["boot_us"]) / 1e6
        age = (self._wall() - to_time(row["wall_at"])).total_seconds()
        return 0.0 if age < LONGEST_WAIT else -math.inf


def set_pin(gallery: Gallery, subject_id: str, pin: str | None, duress: str | None = None) -> None:
    """Gives a subject a PIN, and a duress PIN if there is one, or takes both away. Those of before, and wrong tries,
    no longer count. The log does not say whether there is a duress PIN: whoever makes somebody may read it. Raises
    GalleryError; for who has a role, a PIN cannot be taken away."""
    stored = made_both(pin, duress)
    with gallery.changing(subject_id) as rows:
        record = rows.record(subject_id)
        if pin is None and record is not None and record.subject.role is not None:
            raise GalleryError(f"{subject_id}: who is {record.subject.role} has a PIN: take the role away first")
        if record is not None and record.subject.number is not None and record.subject.number in (pin, duress):
            raise GalleryError("a PIN is not the personal number: choose another one")
        rows.change_secrets(subject_id, lambda before: replace(before, pin=stored.pin, duress=stored.duress))
        gallery.store.execute("DELETE FROM pin_try WHERE who = ?", [subject_id])
        gallery.note(AuditKind.SUBJECT, subject_id, AuditOutcome.PIN_CLEARED if pin is None else AuditOutcome.PIN_SET)


def made_both(pin: str | None, duress: str | None = None) -> Secrets:
    """A PIN and a duress PIN as they are stored. Raises GalleryError for PINs that may not be chosen."""
    check_both(pin, duress)
    return Secrets(*(None if one is None else made(one) for one in (pin, duress)))


def check_both(pin: str | None, duress: str | None) -> None:
    """Raises GalleryError for PINs that may not be chosen."""
    if pin is None and duress is not None:
        raise GalleryError("there is no duress PIN without a PIN: give both")
    try:
        if pin is not None:
            checked(pin)
            if duress is not None:
                checked_duress(duress, pin)
    except ValueError as error:
        raise GalleryError(str(error)) from error


def set_role(gallery: Gallery, subject_id: str, role: Role | None) -> None:
    """Gives a subject with a PIN a role, or takes it away. Raises GalleryError."""
    with gallery.changing(subject_id) as rows:
        record = rows.record(subject_id)
        if role is not None and (record is None or record.secrets.pin is None):
            raise GalleryError(f"{subject_id}: a role needs a PIN: kiosk subjects pin {subject_id}")
        rows.change(subject_id, lambda subject: replace(subject, role=role))
        outcome = AuditOutcome.ROLE_CLEARED if role is None else AuditOutcome.ROLE_SET
        gallery.note(AuditKind.SUBJECT, subject_id, outcome, role=role)


def made(pin: str) -> str:
    """A PIN as it is stored."""
    return Argon2id(
        salt=os.urandom(16), length=32, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB
    ).derive_phc_encoded(pin.encode())


@cache
def _nobodys() -> str:
    """What a PIN is compared with that nobody has."""
    return made(os.urandom(16).hex())


def _fits(stored: str, pin: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(pin.encode("utf-8", "replace"), stored)
    except InvalidKey:
        return False
    return True
