"""The kiosk's own events, for kiosk-notify: a socket on which nothing can be commanded, and nothing biometric is told.

One JSON object a packet (SOCK_SEQPACKET); the peer's user is checked (`notify.subscribers`).

    kiosk -> subscriber    event         one at a time
    subscriber -> kiosk    acknowledge   this event is on my disk: the next one, please

One subscriber at a time; the next waits. Events wait in memory, BACKLOG of them: what happens for certain is in the
audit log.
"""

from __future__ import annotations

import os
import pwd
import socket
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from kiosk.domain.errors import DoorError
from kiosk.domain.events import Decided, Event, Faulted, Recovered
from kiosk.domain.notices import KioskEvent, KioskEventKind
from kiosk.service.door_protocol import MAX_PACKET, Message, decode, encode
from kiosk.service.door_socket import listening, peer_uid
from kiosk.service.event_stream import EventStream
from kiosk.service.systemd import log

BACKLOG = 1000
"""Events that wait while nobody takes them; then the oldest goes, and its number is missing."""
ANSWER_SECONDS = 10.0
"""So long may a subscriber take for one event; then it is dropped."""
TURN_SECONDS = 0.5
NAME_LENGTH = 200

Text = Annotated[str, Field(min_length=1, max_length=64)]


class KioskEventMessage(Message):
    """domain.notices.KioskEvent."""

    type: Literal["event"] = "event"
    run: Text
    sequence: Annotated[int, Field(ge=1)]
    id: Text
    kind: KioskEventKind
    door: Text
    wall_at: AwareDatetime
    grant_id: Text | None = None
    subject_id: Text | None = None
    name: Annotated[str, Field(max_length=NAME_LENGTH)] | None = None
    reason: Annotated[str, Field(max_length=200)] = ""

    def event(self) -> KioskEvent:
        """As the domain has it."""
        return KioskEvent(
            run=self.run,
            sequence=self.sequence,
            id=self.id,
            kind=self.kind,
            door=self.door,
            wall_at=self.wall_at,
            grant_id=self.grant_id,
            subject_id=self.subject_id,
            name=self.name,
            reason=self.reason,
        )


class AcknowledgeEvent(Message):
    """The event with this id is kept on this side."""

    type: Literal["acknowledge"] = "acknowledge"
    id: Text


_EVENTS: TypeAdapter[KioskEventMessage] = TypeAdapter(KioskEventMessage)
_ACKNOWLEDGEMENTS: TypeAdapter[AcknowledgeEvent] = TypeAdapter(AcknowledgeEvent)


class Announcer:
    """The kiosk's end. `publish` takes some microseconds, never raises, and waits for nobody."""

    def __init__(
        self,
        path: Path,
        door: str,
        users: frozenset[int],
        name_of: Callable[[str], str | None] = lambda _: None,
        backlog: int = BACKLOG,
    ) -> None:
        """`name_of` is called by `publish`, in the caller's thread; it gives None where names are not to be told."""
        self._path = path
        self._door = door
        self._users = users
        self._name_of = name_of
        self._run = uuid.uuid4().hex
        self._sequence = 0
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=backlog)
        """Ids and packets."""
        self._changed = Condition()
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Once; then the socket is there. Where it cannot be made that is logged, and the kiosk goes on without."""
        self._put(KioskEventKind.STARTED)
        with ExitStack() as stack:
            try:
                listener = stack.enter_context(listening(self._path))
            except (DoorError, OSError) as error:
                log("error", "events_unavailable", error=str(error))
                return
            self._thread = Thread(target=self._serve, args=(listener, stack.pop_all()), name="events", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Gives a subscriber that listens the time to take what waits."""
        self._put(KioskEventKind.STOPPED)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def publish(self, event: Event) -> None:
        """Decisions and faults; the rest is nobody's business outside."""
        try:
            self._tell(event)
        except Exception as error:  # noqa: BLE001 - what cannot be told must not stop the kiosk
            log("error", "event_not_told", error=f"{type(error).__name__}: {error}")

    def _tell(self, event: Event) -> None:
        match event:
            case Decided(decision):
                kind = KioskEventKind.GRANTED if decision.granted else KioskEventKind.REFUSED
                self._put(kind, decision.reason.value, decision.id, decision.subject_id, decision.evidence.wall_at)
            case Faulted(reason, _):
                self._put(KioskEventKind.FAULT, reason.value)
            case Recovered(reason):
                self._put(KioskEventKind.RECOVERED, reason.value)
            case _:
                pass

    def _put(
        self,
        kind: KioskEventKind,
        reason: str = "",
        grant_id: str | None = None,
        subject_id: str | None = None,
        wall_at: datetime | None = None,
    ) -> None:
        name = None if subject_id is None else self._name_of(subject_id)
        with self._changed:
            self._sequence += 1
            message = KioskEventMessage(
                run=self._run,
                sequence=self._sequence,
                id=uuid.uuid4().hex,
                kind=kind,
                door=self._door,
                wall_at=wall_at or datetime.now(UTC),
                grant_id=grant_id,
                subject_id=subject_id,
                name=None if name is None else name[:NAME_LENGTH],
                reason=reason,
            )
            self._waiting.append((message.id, encode(message)))
            self._changed.notify_all()

    def _serve(self, listener: socket.socket, closing: ExitStack) -> None:
        try:
            with closing:
                listener.settimeout(TURN_SECONDS)
                while not self._stopping:
                    self._serve_one(listener)
        except (DoorError, OSError) as error:
            log("error", "events_unavailable", error=str(error))

    def _serve_one(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        with connection:
            uid = peer_uid(connection)
            if uid not in self._users:
                log("warning", "subscriber_refused", uid=uid)
                return
            try:
                self._feed(connection)
            except (DoorError, OSError) as error:
                log("info", "subscriber_gone", uid=uid, reason=str(error))

    def _feed(self, connection: socket.socket) -> None:
        """Until it is gone, or all is told and the kiosk stops. Raises DoorError, OSError."""
        while (waiting := self._oldest()) is not None or not self._stopping:
            if waiting is None:
                connection.setblocking(False)
                try:
                    if not connection.recv(1, socket.MSG_PEEK):
                        return
                    raise DoorError("it speaks without being asked")
                except BlockingIOError:
                    continue
            connection.settimeout(ANSWER_SECONDS)
            event_id, packet = waiting
            connection.send(packet)
            answer = connection.recv(MAX_PACKET)
            if not answer:
                return
            if decode(_ACKNOWLEDGEMENTS, answer).id != event_id:
                raise DoorError("it acknowledged what it was not sent")
            with self._changed:
                if self._waiting and self._waiting[0] is waiting:
                    self._waiting.popleft()

    def _oldest(self) -> tuple[str, bytes] | None:
        with self._changed:
            if not self._waiting and not self._stopping:
                self._changed.wait(TURN_SECONDS)
            return self._waiting[0] if self._waiting else None


def users_of(names: Sequence[str]) -> frozenset[int]:
    """The kiosk's own user, root, and `names` (or numbers). A name that nobody has is logged and passed over: it must
    not keep anybody out of the building."""
    users = {os.getuid(), 0}
    for name in names:
        try:
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError:
            log("warning", "no_such_user", key="notify.subscribers", user=name)
    return frozenset(users)


class KioskEventStream(EventStream[KioskEvent]):
    """A subscription to the kiosk's events."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, lambda packet: decode(_EVENTS, packet).event(), lambda event: AcknowledgeEvent(id=event.id)
        )
