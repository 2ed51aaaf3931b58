"""Who may do what with the gallery, in one table: at the control socket by the user's number, at the window by PIN.

A name in a message proves nothing. At the socket the kernel says who asks (SO_PEERCRED).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A person's or user's role. The values are stored in galleries: never change one."""

    ADMIN = "admin"
    """Everything: root, the kiosk's own user, `control.admins`, and who has an admin's PIN."""
    STAFF = "staff"
    """Enrols people and looks after them."""
    AUDITOR = "auditor"
    """Sees who is enrolled and what happened, and changes nothing."""


class Right(StrEnum):
    """What somebody may do."""

    LIST = "list"
    ENROL = "enrol"
    RENEW = "renew"
    SWITCH = "switch"
    """Shuts somebody out, or lets them in again."""
    BADGE = "badge"
    ERASE = "erase"
    APPOINT = "appoint"
    """Gives somebody a role and a PIN."""
    KEEP = "keep"
    """Makes a backup, cuts old records of the log, erases references of a network that is not used any more: what
    timers do, and admins."""
    STUDY = "study"
    """Has templates of visits kept for a measurement, and ends it."""
    WAYS = "ways"
    """Gives somebody a number, a QR code or a card, and says what somebody needs: a claim with the face, more time."""
    VISIT = "visit"
    """Issues, lists and revokes visitor passes."""
    SETTINGS = "settings"
    """Sees how the kiosk is set. Root alone changes it, with commands."""
    EXPORT = "export"
    """Gets all that is kept about somebody, for that person."""
    UNLOCK = "unlock"
    """Gives the passphrase to a kiosk that waits for it."""


MAY: Mapping[Role, frozenset[Right]] = {
    Role.ADMIN: frozenset(Right),
    Role.STAFF: frozenset(
        {
            Right.LIST,
            Right.ENROL,
            Right.RENEW,
            Right.SWITCH,
            Right.BADGE,
            Right.WAYS,
            Right.VISIT,
            Right.ERASE,
        }
    ),
    Role.AUDITOR: frozenset({Right.LIST}),
}


@dataclass(frozen=True, slots=True)
class Users:
    """The users of the control socket, by number."""

    admins: frozenset[int]
    staff: frozenset[int] = frozenset()
    auditors: frozenset[int] = frozenset()

    def role(self, uid: int) -> Role | None:
        """The user's role; of several roles the one that may do most; None for a stranger."""
        if uid in self.admins:
            return Role.ADMIN
        if uid in self.staff:
            return Role.STAFF
        return Role.AUDITOR if uid in self.auditors else None

    def may(self, uid: int, right: Right) -> bool:
        """Whether this user may do that."""
        role = self.role(uid)
        return role is not None and right in MAY[role]

    @property
    def all(self) -> frozenset[int]:
        """Everybody who may connect."""
        return self.admins | self.staff | self.auditors
