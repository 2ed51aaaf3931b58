"""Who may do what at the door: one table. Who somebody is says the kernel (SO_PEERCRED), by the number of the user.

A kiosk that is taken over may do what a kiosk does: release, for a bounded time, and be seen doing it. It may not hold
the door open, undo a lockdown, or secure the lock under somebody who was let in by hand; to end its own release it
hangs up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """What can be asked of kiosk-door, at either of its sockets."""

    RELEASE = "release"
    EXTEND = "extend"
    """A release for whoever needs more time."""
    HOLD_OPEN = "hold_open"
    SECURE = "secure"
    LOCKDOWN = "lockdown"
    LOCKDOWN_END = "lockdown_end"
    SIMULATE = "simulate"
    STATUS = "status"
    WATCH = "watch"
    SUBSCRIBE = "subscribe"


class Role(StrEnum):
    """What a user is to the door."""

    OPERATOR = "operator"
    """root, kiosk-door's own user, and `door.operators`."""
    CLIENT = "client"
    """`door.clients`: the kiosk."""
    SUBSCRIBER = "subscriber"
    """`door.subscribers`: kiosk-notify."""
    STRANGER = "stranger"


MAY: Mapping[Role, frozenset[Verb]] = {
    Role.OPERATOR: frozenset(Verb),
    Role.CLIENT: frozenset({Verb.RELEASE, Verb.EXTEND, Verb.STATUS, Verb.WATCH, Verb.SUBSCRIBE}),
    Role.SUBSCRIBER: frozenset({Verb.SUBSCRIBE}),
    Role.STRANGER: frozenset(),
}

AUDIT, NOTIFY = "audit", "notify"
"""Names of subscribers that belong to one role: the kiosk's audit log, and kiosk-notify."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of one door, by number."""

    operators: frozenset[int]
    clients: frozenset[int] = frozenset()
    subscribers: frozenset[int] = frozenset()

    def role(self, uid: int) -> Role:
        """The one that may do most, where a user has several."""
        if uid in self.operators:
            return Role.OPERATOR
        if uid in self.clients:
            return Role.CLIENT
        return Role.SUBSCRIBER if uid in self.subscribers else Role.STRANGER

    def may(self, uid: int, verb: Verb) -> bool:
        """Whether this user may ask for that."""
        return verb in MAY[self.role(uid)]

    @property
    def commanding(self) -> frozenset[int]:
        """Who may connect to the commands' socket at all."""
        return self.operators | self.clients

    @property
    def listening(self) -> frozenset[int]:
        """Who may connect to the events' socket at all."""
        return self.commanding | self.subscribers

    def may_be_called(self, uid: int, name: str) -> bool:
        """Whether this user may subscribe under this name, as far as names belong to a role."""
        owners = {AUDIT: self.clients, NOTIFY: self.subscribers}.get(name)
        return owners is None or uid in owners | self.operators
