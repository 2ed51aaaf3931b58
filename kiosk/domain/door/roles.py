"""Who may do what at the door, in one table. The kernel gives the user's number (SO_PEERCRED).

A kiosk that an attacker has taken over can only do what a kiosk may do: release the lock for a bounded time, which is
recorded. It may not hold the door open, end a lockdown, or secure the lock while an operator lets somebody in. To end
its own release it closes the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """The requests to kiosk-door, on both of its sockets."""

    RELEASE = "release"
    EXTEND = "extend"
    """A longer release, for people who need more time."""
    HOLD_OPEN = "hold_open"
    SECURE = "secure"
    LOCKDOWN = "lockdown"
    LOCKDOWN_END = "lockdown_end"
    SIMULATE = "simulate"
    STATUS = "status"
    WATCH = "watch"
    SUBSCRIBE = "subscribe"
    WITNESS = "witness"
    """Tells which generation the gallery has (domain.door.witness)."""
    FORGET_GALLERY = "forget_gallery"


class Role(StrEnum):
    """A user's role at the door."""

    OPERATOR = "operator"
    """root, kiosk-door's own user, and `door.operators`."""
    CLIENT = "client"
    """`door.clients`: the kiosk."""
    SUBSCRIBER = "subscriber"
    """`door.subscribers`: kiosk-notify."""
    STRANGER = "stranger"


MAY: Mapping[Role, frozenset[Verb]] = {
    Role.OPERATOR: frozenset(Verb),
    Role.CLIENT: frozenset({Verb.RELEASE, Verb.EXTEND, Verb.STATUS, Verb.WATCH, Verb.SUBSCRIBE, Verb.WITNESS}),
    Role.SUBSCRIBER: frozenset({Verb.SUBSCRIBE}),
    Role.STRANGER: frozenset(),
}

AUDIT, NOTIFY = "audit", "notify"
"""Subscriber names that belong to a role: the kiosk's audit log, and kiosk-notify."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of one door, by number."""

    operators: frozenset[int]
    clients: frozenset[int] = frozenset()
    subscribers: frozenset[int] = frozenset()

    def role(self, uid: int) -> Role:
        """The user's role; of several roles the one that may do most."""
        if uid in self.operators:
            return Role.OPERATOR
        if uid in self.clients:
            return Role.CLIENT
        return Role.SUBSCRIBER if uid in self.subscribers else Role.STRANGER

    def may(self, uid: int, verb: Verb) -> bool:
        """Whether this user may make this request."""
        return verb in MAY[self.role(uid)]

    @property
    def commanding(self) -> frozenset[int]:
        """The users who may connect to the command socket."""
        return self.operators | self.clients

    @property
    def listening(self) -> frozenset[int]:
        """The users who may connect to the event socket."""
        return self.commanding | self.subscribers

    def may_be_called(self, uid: int, name: str) -> bool:
        """Whether this user may subscribe under this name. False only for a name of a role that the user does not
        have."""
        owners = {AUDIT: self.clients, NOTIFY: self.subscribers}.get(name)
        return owners is None or uid in owners | self.operators
