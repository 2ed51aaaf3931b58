"""Notices for notifiers: events of the door and of the kiosk, without biometric data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.decision import Reason
from kiosk.domain.door.events import ALARMS, DoorEvent, DoorEventKind

DROPPED = "notify.dropped"
"""`count` notices were dropped for lack of room, or refused by the other side (reason "refused")."""
TEST = "notify.test"
"""A test notice of `kiosk notify test`."""
UNEXPLAINED = "release_without_decision"
"""kiosk.release_without_decision: the door was released on a grant that no record in the audit log explains.
notify.release_without_decision: the kiosk reported no such grant."""
LOST, REACHED = "lost", "reached"
"""notify.door_lost, notify.kiosk_lost: that process no longer answers. REACHED: it answers (again)."""

LONGEST_NAME = 100
"""Longest name of a subject in the gallery, in characters."""

URGENT = ALARMS | {
    DoorEventKind.ALARM_ENDED,
    DoorEventKind.TAMPER_ENDED,
    DoorEventKind.FAULT_ENDED,
    DoorEventKind.LOCKDOWN_ENDED,
}
"""Alarms and their ends. The ends are urgent too, because a person who got the alarm must also get its end."""


class KioskEventKind(StrEnum):
    """The kind of an event of the kiosk itself."""

    STARTED = "started"
    STOPPED = "stopped"
    GRANTED = "granted"
    REFUSED = "refused"
    """With the decision's reason."""
    FAULT = "fault"
    """A part does not work and nobody is let in. With the fault's reason."""
    RECOVERED = "recovered"
    UNEXPLAINED = UNEXPLAINED
    MANY_REFUSALS = "many_refusals"
    """60 people were refused within an hour, perhaps by an attack. At most once an hour."""
    DURESS = "duress"
    """Somebody was let in, or not, with the duress PIN: they are forced to. For remote notifiers alone."""
    CHECKPOINT = "checkpoint"
    """A checkpoint of the audit log, for whoever keeps it elsewhere."""


KINDS = (
    *(f"door.{kind}" for kind in DoorEventKind),
    *(f"kiosk.{kind}" for kind in KioskEventKind),
    *(f"notify.{source}_{what}" for source in ("door", "kiosk") for what in (LOST, REACHED)),
    f"notify.{UNEXPLAINED}",
    DROPPED,
    TEST,
)
"""All kinds of notices."""


_JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner, of Persian, Sinhala, Hindi and others."""


@dataclass(frozen=True, slots=True)
class KioskEvent:
    """One event of the kiosk. It never holds a score, a picture or a template; it holds a name only if the
    configuration asks for names.

    Each start of the kiosk has another `run`. In it `sequence` counts from 1; a missing number means that an event was
    dropped for lack of room.
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
    reason: Reason | Literal[""] = ""
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. `id` is unique. A notice can be delivered twice; its `id` is then the same.

    `kind` is one of KINDS. `urgent` notices are kept longest when there is not enough room.
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
    checkpoint: Checkpoint | None = None


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
            KioskEventKind.DURESS,
        },
        grant_id=event.grant_id,
        subject_id=event.subject_id,
        name=event.name,
        reason=event.reason,
        checkpoint=event.checkpoint,
    )


def plain_name(name: str) -> str:
    """A name on one line of at most LONGEST_NAME characters. Drops characters that are not printable, except the
    joiners that some scripts need inside words. Empty if nothing is left."""
    kept = "".join(c for c in name if c.isprintable() or c in _JOINERS)
    return kept[:LONGEST_NAME].strip()


def overflow(urgent: Sequence[bool], capacity: int) -> list[int]:
    """Which of the waiting notices (oldest first) to drop when there is room for `capacity`: their indices, ascending.

    Drops the oldest ordinary notices first. Drops urgent ones, oldest first, only if there are no others.
    """
    excess = len(urgent) - capacity
    if excess <= 0:
        return []
    order = [place for place, is_urgent in enumerate(urgent) if not is_urgent]
    order += [place for place, is_urgent in enumerate(urgent) if is_urgent]
    return sorted(order[:excess])


SILENT = frozenset({f"kiosk.{KioskEventKind.DURESS}"})
"""Kinds that nobody at the door may notice: only notifiers that are `remote` get them."""


class Notifier(Protocol):
    """Delivers notices. Best effort: it cannot grant, delay or undo anything, and nothing waits for it.

    It is a class with `Options` (a pydantic model), made with checked options, and registered as an entry point of
    `kiosk.notifiers`. `check` is called once, before all else. Then the other methods are called, in a separate thread
    for each notifier.

    One that reaches people elsewhere, and makes neither light nor sound at the door, has the class attribute `remote =
    True`. Only then it gets SILENT notices.

    A notifier that shows a lasting state, and not only events, may have a method `knows(present)`, which is called
    before `check`. `present()` returns the present conditions (notifiers.conditions) at any time and in any thread. So
    the notifier can show them again after a restart of the other side or of kiosk-notify.
    """

    def check(self) -> None:
        """The self-check at start. It does not wait for the other side, which may be away at the moment.

        Raises NotifierError, which says what to do, when the notifier cannot work as configured. It is then reported
        and left out.
        """

    def notify(self, notice: Notice) -> None:
        """Returns once the other side has the notice, which may be delivered twice. Must not wait for ever.

        Raises NotifierError to be called with it again later, before any other notice; NoticeRefusedError to drop it.
        """

    def close(self) -> None:
        """Never raises."""
