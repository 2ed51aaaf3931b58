"""Sends the kiosk's own events to kiosk-notify, over the socket of ipc.kiosk_event_messages.

The peer's user is checked (`notify.subscribers`). There is one subscriber at a time; the next one waits. At most
BACKLOG events wait, in memory only, because the audit log holds everything that must not be lost.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread
from typing import Literal

from kiosk.config import Config
from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.decision import Reason
from kiosk.domain.errors import DoorError
from kiosk.domain.ids import is_subject_id, new_id
from kiosk.domain.notices import KioskEventKind, plain_name
from kiosk.domain.ports.gallery import Directory
from kiosk.domain.refusals import Unusual
from kiosk.domain.updates import Checkpointed, Decided, Duress, Faulted, Recovered, Unexplained, Update
from kiosk.ipc.door_messages import MAX_PACKET, encode
from kiosk.ipc.kiosk_event_messages import CheckpointMessage, KioskEventMessage, acknowledged
from kiosk.ipc.limits import Seldom
from kiosk.ipc.server import listening, peer_uid
from kiosk.station.names import Names
from kiosk.system.systemd import log

BACKLOG = 1000
"""Most waiting events. When there are more, the oldest is dropped, and its number is missing."""
ANSWER_SECONDS = 10.0
"""A subscriber that takes longer for one event is disconnected."""
TURN_SECONDS = 0.5


class Announcer:
    """The kiosk's end of the socket. `publish` takes some microseconds, never raises, and never waits."""

    def __init__(
        self,
        path: Path,
        door: str,
        users: frozenset[int],
        name_of: Callable[[str], str | None] = lambda _: None,
        backlog: int = BACKLOG,
        who: bool = True,
    ) -> None:
        """`publish` calls `name_of` in the caller's thread. It returns None if names must not be sent. `who`: whether
        events say by an id who it was."""
        self._path = path
        self._door = door
        self._users = users
        self._name_of = name_of
        self._who = who
        self._seldom = Seldom()
        self._run = new_id()
        self._unusual = Unusual()
        self._sequence = 0
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=backlog)
        """The waiting events: ids and packets."""
        self._changed = Condition()
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Makes the socket and starts the thread; call it once. If the socket cannot be made, that is logged and the
        kiosk works on without it."""
        self._put(KioskEventKind.STARTED)
        with ExitStack() as stack:
            try:
                listener = stack.enter_context(listening(self._path, "the kiosk"))
            except (DoorError, OSError) as error:
                log("error", "events_unavailable", error=str(error))
                return
            self._thread = Thread(target=self._serve, args=(listener, stack.pop_all()), name="events", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Stops the thread. A connected subscriber has `timeout` seconds to take the waiting events."""
        self._put(KioskEventKind.STOPPED)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    @property
    def waiting(self) -> int:
        """How many events no subscriber has acknowledged yet."""
        with self._changed:
            return len(self._waiting)

    def publish(self, event: Update | Duress) -> None:
        """Queues decisions and faults. Other updates are not sent outside."""
        try:
            self._tell(event)
        except Exception as error:  # noqa: BLE001 - an event that cannot be sent must not stop the kiosk
            log("error", "event_not_told", error=f"{type(error).__name__}: {error}")

    def _tell(self, event: Update | Duress) -> None:
        match event:
            case Decided(decision):
                kind = KioskEventKind.GRANTED if decision.granted else KioskEventKind.REFUSED
                self._put(kind, decision.reason, decision.id, decision.subject_id, decision.evidence.wall_at)
                e = decision.evidence
                if not decision.granted and self._unusual.refused(
                    decision.reason, e.captured_at, e.comparison is not None
                ):
                    log("warning", KioskEventKind.MANY_REFUSALS.value)
                    self._put(KioskEventKind.MANY_REFUSALS, wall_at=decision.evidence.wall_at)
            case Faulted(reason, _):
                self._put(KioskEventKind.FAULT, reason)
            case Recovered(reason):
                self._put(KioskEventKind.RECOVERED, reason)
            case Unexplained(grant_id, _):
                self._put(KioskEventKind.UNEXPLAINED, grant_id=grant_id)
            case Duress(wall_at, subject_id, grant_id):
                self._put(KioskEventKind.DURESS, grant_id=grant_id, subject_id=subject_id, wall_at=wall_at)
            case Checkpointed(checkpoint):
                self._put(KioskEventKind.CHECKPOINT, checkpoint=checkpoint)
            case _:
                pass

    def _put(
        self,
        kind: KioskEventKind,
        reason: Reason | Literal[""] = "",
        grant_id: str | None = None,
        subject_id: str | None = None,
        wall_at: datetime | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        if subject_id is not None and not (self._who and is_subject_id(subject_id)):
            subject_id = None  # not wanted; or only a tampered gallery has such an id: the event is sent without it
        name = None if subject_id is None else self._name(subject_id)
        with self._changed:
            self._sequence += 1
            message = KioskEventMessage(
                run=self._run,
                sequence=self._sequence,
                id=new_id(),
                kind=kind,
                door=self._door,
                wall_at=wall_at or datetime.now(UTC),
                grant_id=grant_id,
                subject_id=subject_id,
                name=plain_name(name or "") or None,
                reason=reason,
                checkpoint=None if checkpoint is None else CheckpointMessage.model_validate(checkpoint.row()),
            )
            self._waiting.append((message.id, encode(message)))
            self._changed.notify_all()

    def _name(self, subject_id: str) -> str | None:
        """The subject's name, or None. An error must not hold the event back."""
        try:
            return self._name_of(subject_id)
        except Exception as error:  # noqa: BLE001 - after any error the event is sent without the name
            log("error", "name_not_told", error=f"{type(error).__name__}: {error}")
            return None

    def _serve(self, listener: socket.socket, closing: ExitStack) -> None:
        with closing:
            listener.settimeout(TURN_SECONDS)
            while not self._stopping:
                try:
                    self._serve_one(listener)
                except OSError as error:
                    # Often temporary: all descriptors are in use, or the client has already left.
                    self._seldom.log("warning", "accept_failed", os.getuid(), error=str(error))
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopping, TURN_SECONDS)

    def _serve_one(self, listener: socket.socket) -> None:
        """Accepts and serves one subscriber. Raises OSError when accepting failed."""
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            self._seldom.flush()
            return
        with connection:
            uid = peer_uid(connection)
            if uid not in self._users:
                self._seldom.log("warning", "subscriber_refused", uid)
                return
            try:
                self._feed(connection)
            except (DoorError, OSError) as error:
                self._seldom.log("info", "subscriber_gone", uid, reason=str(error))

    def _feed(self, connection: socket.socket) -> None:
        """Sends events until the subscriber leaves, or until all are sent and the kiosk stops. Raises DoorError,
        OSError."""
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
            if acknowledged(answer) != event_id:
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
    """The kiosk's own user, root, and `names` (or numbers). An unknown name is logged and skipped, because it must not
    stop the kiosk."""
    users = {os.getuid(), 0}
    for name in names:
        try:
            users.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError:
            log("warning", "no_such_user", key="notify.subscribers", user=name)
    return frozenset(users)


@contextmanager
def announcing(
    config: Config, directory: Directory, publish: Callable[[Update], None]
) -> Iterator[Callable[[Update | Duress], None]]:
    """Yields `publish`, extended so that kiosk-notify also gets the updates if notifiers are configured. Of duress only
    kiosk-notify hears. `directory` is used by nothing else."""

    def aloud(event: Update | Duress) -> None:
        if not isinstance(event, Duress):
            publish(event)

    if not config.notifiers:
        yield aloud
        return

    known = Names()  # several threads publish
    known.open(directory)
    users = users_of(config.notify.subscribers)
    names = known if config.notify.names else lambda _: None
    announcer = Announcer(config.notify.socket, config.door.name, users, names, who=config.audit.subject_ids)
    announcer.start()

    def both(event: Update | Duress) -> None:
        aloud(event)
        announcer.publish(event)

    try:
        yield both
    finally:
        announcer.stop()
