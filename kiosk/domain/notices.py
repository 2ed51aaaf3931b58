"""What notifiers are told: news of the door and of the kiosk, without anything biometric in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kiosk.domain.door.events import ALARMS, DoorEvent, DoorEventKind

DROPPED = "notify.dropped"
"""So many notices (`count`) were dropped for want of room, or refused by the other side (reason "refused")."""
TEST = "notify.test"
"""Somebody asked for it with `kiosk notify test`."""
UNEXPLAINED = "release_without_decision"
"""kiosk.release_without_decision: the door was released on a grant that nothing in the audit log stands behind.
notify.release_without_decision: the kiosk told of no such grant."""
LOST, REACHED = "lost", "reached"
"""notify.door_lost, notify.kiosk_lost: that process does not answer any more; and it does (again)."""

LONGEST_NAME = 100
"""Of a subject, as the gallery takes it: characters."""

URGENT = ALARMS | {
    DoorEventKind.ALARM_ENDED,
    DoorEventKind.TAMPER_ENDED,
    DoorEventKind.FAULT_ENDED,
    DoorEventKind.LOCKDOWN_ENDED,
}
"""Alarms and their ends: who was told of the one must not wait for the other for ever."""


class KioskEventKind(StrEnum):
    """What the kiosk itself tells."""

    STARTED = "started"
    STOPPED = "stopped"
    GRANTED = "granted"
    REFUSED = "refused"
    """With the decision's reason."""
    FAULT = "fault"
    """A part does not work, nobody is let in: with its reason."""
    RECOVERED = "recovered"
    UNEXPLAINED = UNEXPLAINED
    MANY_REFUSALS = "many_refusals"
    """60 people were refused within an hour: somebody may be trying. Once an hour at most."""


KINDS = (
    *(f"door.{kind}" for kind in DoorEventKind),
    *(f"kiosk.{kind}" for kind in KioskEventKind),
    *(f"notify.{source}_{what}" for source in ("door", "kiosk") for what in (LOST, REACHED)),
    f"notify.{UNEXPLAINED}",
    DROPPED,
    TEST,
)
"""All that a notice can be."""


_JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner, of Persian, Sinhala, Hindi and others."""


@dataclass(frozen=True, slots=True)
class KioskEvent:
    """One event of the kiosk. Never a score, a picture or a template; a name only where the configuration wants it.

    `run` is new with each start of the kiosk; `sequence` counts up from 1 in it, and a number that is missing was
    dropped for want of room.
    """

    run: str
    sequence: int
    id: str
    kind: KioskEventKind
    door: str
    wall_at: datetime
    grant_id: str | None = None
    subject_id: str | None = None
    name: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news. `id` is unique and stays the same when a notice is delivered again, which can happen.

    `kind` is one of KINDS. `urgent` ones are kept longest where there is not room for all.
    """

    id: str
    kind: str
    door: str
    wall_at: datetime
    urgent: bool = False
    grant_id: str | None = None
    subject_id: str | None = None
    name: str | None = None
    reason: str = ""
    count: int = 0


def of_door(event: DoorEvent) -> Notice:
    """A door's event as a notice."""
    return Notice(
        event.id,
        f"door.{event.kind}",
        event.door,
        event.wall_at,
        urgent=event.kind in URGENT,
        grant_id=event.grant_id,
        reason=event.reason,
    )


def of_kiosk(event: KioskEvent) -> Notice:
    """A kiosk's event as a notice."""
    return Notice(
        event.id,
        f"kiosk.{event.kind}",
        event.door,
        event.wall_at,
        urgent=event.kind
        in {
            KioskEventKind.FAULT,
            KioskEventKind.RECOVERED,
            KioskEventKind.UNEXPLAINED,
            KioskEventKind.MANY_REFUSALS,
        },
        grant_id=event.grant_id,
        subject_id=event.subject_id,
        name=event.name,
        reason=event.reason,
    )


def plain_name(name: str) -> str:
    """A name on one line: what is not printable is left out, but for the joiners that some scripts need inside of
    words; LONGEST_NAME characters at most. Empty where nothing is left."""
    kept = "".join(c for c in name if c.isprintable() or c in _JOINERS)
    return kept[:LONGEST_NAME].strip()


def overflow(urgent: Sequence[bool], capacity: int) -> list[int]:
    """Which of the waiting notices, oldest first, go when there is room for `capacity`: their places, ascending.

    The oldest ordinary ones first; urgent ones only when there is nothing else, the oldest first.
    """
    excess = len(urgent) - capacity
    if excess <= 0:
        return []
    order = [place for place, is_urgent in enumerate(urgent) if not is_urgent]
    order += [place for place, is_urgent in enumerate(urgent) if is_urgent]
    return sorted(order[:excess])


class Notifier(Protocol):
    """Tells somebody. Best effort: it can neither grant, delay nor undo, and nobody waits for it.

    A class with `Options` (a pydantic model), made with checked ones, registered under the entry points
    `kiosk.notifiers`. `check` is called first, once, before anything is told; then the others, each notifier's in a
    thread of its own.

    One that shows what lasts, and not only news, may have a method `knows(present)`, called before `check`:
    `present()` gives at any time, from any thread, what holds now (notifiers.conditions). So it can tell that again
    when the other side, or kiosk-notify, was started anew.
    """

    def check(self) -> None:
        """The self-check at start, without waiting for the other side: that one may be away for now.

        Raises NotifierError, saying what to do, when it cannot work as configured: it is reported and left out.
        """

    def notify(self, notice: Notice) -> None:
        """Returns once the other side has the notice; it may get one twice. Must not wait for ever.

        Raises NotifierError to be asked again later, before any other notice; NoticeRefusedError never to be.
        """

    def close(self) -> None:
        """Never raises."""
