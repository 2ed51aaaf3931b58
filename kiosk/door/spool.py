"""Keeps the door's events on disk until every subscriber has acknowledged them. It is bounded and delays nobody.

It is one file of JSON lines in the format of the event protocol: events, acknowledgements ("acknowledge" with the
subscriber's name), and after a rewrite the next sequence number. The audit log counts as a subscriber from the first
event on, even before it connects, so events wait for it although others have acknowledged them. A separate thread
writes and syncs the file, so that a slow disk does not delay the lock. An event is sent to subscribers once it is on
disk. A last line that power loss cut short is ignored.

If the disk cannot be written, events are still sent, from memory. They are written when the disk works again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from kiosk.domain.door.events import ALARMS, DoorEvent, DoorNews
from kiosk.domain.door.roles import AUDIT
from kiosk.domain.errors import DoorError, HomeError
from kiosk.domain.ids import new_id
from kiosk.ipc.door_event_messages import DoorEventMessage, decode_event
from kiosk.ipc.door_messages import MAX_PACKET, encode
from kiosk.system.files import make_folder, read_at_most, sync
from kiosk.system.owner import refuse_root
from kiosk.system.systemd import log

FILE = "events.jsonl"
CAPACITY = 2000
"""Most events. When there are more, the oldest event that is no alarm is dropped."""
MAX_NAMES = 2
"""Most subscriber names of one user, in addition to names that belong to a role."""
MAX_WAITING = 100
"""Most writes that wait for the disk."""
LINES_BEFORE_REWRITE = 4 * CAPACITY
LARGEST = (LINES_BEFORE_REWRITE + 2 * CAPACITY) * MAX_PACKET
"""Largest file in bytes that can have been written here."""
MOST_EVENTS = 2**53
"""No door gets so far: a larger number in the file is damage."""


class Spool:
    """The events and acknowledgements. Only the door's thread uses it; another thread does the writing."""

    def __init__(self, folder: Path, door: str, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Reads the file. Raises DoorError when the folder or the file cannot be used."""
        self._path = folder / FILE
        self._door = door
        self._wall = wall
        self._events: dict[int, DoorEvent] = {}
        self._acknowledged: dict[str, int] = {AUDIT: 0}
        self._owners: dict[str, int] = {}
        """The user of each subscriber name that does not belong to a role."""
        self._next = 1
        self._lines = 0
        try:
            refuse_root(folder)
            make_folder(folder)
            self._load()
            self._writer = _Writer(self._path)
        except OSError as error:
            raise DoorError(f"{folder}: the door's state cannot be kept here: {error.strerror or error}") from error
        except HomeError as error:
            raise DoorError(f"the door's state cannot be kept: {error}") from error
        self._rewrite()

    def fileno(self) -> int:
        """Becomes readable when more events can be sent. Then call take_progress()."""
        return self._writer.fileno()

    def take_progress(self) -> None:
        """Takes over the writer's progress, and rewrites the file if writes were left out."""
        if self._writer.take_progress():
            self._rewrite()

    def append(self, news: DoorNews) -> DoorEvent:
        """Gives an event its number and time, and has it written."""
        event = DoorEvent(
            self._next, new_id(), news.kind, self._door, self._wall(), news.at, news.grant_id, news.reason, news.uid
        )
        self._next += 1
        self._events[event.sequence] = event
        if len(self._events) > CAPACITY:
            del self._events[self._dispensable()]
        self._put(encode(DoorEventMessage.of(event)))
        return event

    def subscribe(self, subscriber: str, uid: int | None) -> int:
        """The last sequence number that this subscriber has acknowledged. From now on the name belongs to the user
        `uid`; None means that it belongs to a role, which the caller has checked. Raises DoorError for another user's
        name, and for too many names."""
        if uid is not None:
            if self._owners.get(subscriber, uid) != uid:
                raise DoorError(f"the name {subscriber} belongs to another user")
            if subscriber not in self._owners and list(self._owners.values()).count(uid) >= MAX_NAMES:
                raise DoorError(f"this user has {MAX_NAMES} names already")
            self._owners[subscriber] = uid
        if subscriber not in self._acknowledged:
            self.acknowledge(subscriber, 0)
        return self._acknowledged[subscriber]

    def forget_others(self, users: frozenset[int]) -> None:
        """Forgets the names of users who may no longer subscribe, so that no events are kept for them."""
        for name in [name for name, uid in self._owners.items() if uid not in users]:
            log("warning", "subscriber_forgotten", name=name, uid=self._owners.pop(name))
            del self._acknowledged[name]
        self._rewrite()

    def acknowledge(self, subscriber: str, sequence: int) -> None:
        """Events up to `sequence` are not sent to this subscriber again. Raises DoorError for numbers of future
        events."""
        if sequence > self._writer.written:
            raise DoorError("what was not sent cannot be acknowledged")
        if sequence <= self._acknowledged.get(subscriber, -1):
            return  # already known: nothing to write
        self._acknowledged[subscriber] = sequence
        everywhere = min(self._acknowledged.values())
        for old in [number for number in self._events if number <= everywhere]:
            del self._events[old]
        self._put(self._acknowledgement(subscriber))

    @property
    def last(self) -> int:
        """The sequence number of the last event that can be sent."""
        return self._writer.written

    def after(self, sequence: int) -> Iterator[DoorEvent]:
        """The events after `sequence` that can be sent, in order."""
        written = self._writer.written
        return (event for number, event in self._events.items() if sequence < number <= written)

    def close(self) -> None:
        """Finishes the waiting writes."""
        self._writer.close()

    def _acknowledgement(self, subscriber: str) -> bytes:
        row = {"type": "acknowledge", "subscriber": subscriber, "sequence": self._acknowledged[subscriber]}
        return json.dumps({**row, "uid": self._owners.get(subscriber)}).encode()

    def _dispensable(self) -> int:
        """The number of the event to drop first: the oldest that is no alarm; if all are alarms, the oldest alarm."""
        ordinary = (number for number, event in self._events.items() if event.kind not in ALARMS)
        return next(ordinary, next(iter(self._events)))

    def _put(self, line: bytes) -> None:
        self._lines += 1
        if self._lines > LINES_BEFORE_REWRITE or self._writer.failed:
            self._rewrite()
        else:
            self._writer.put(line + b"\n", self._next - 1, anew=False)

    def _rewrite(self) -> None:
        lines = [json.dumps({"type": "next", "sequence": self._next}).encode()]
        lines += [self._acknowledgement(name) for name in self._acknowledged]
        lines += [encode(DoorEventMessage.of(event)) for event in self._events.values()]
        self._lines = len(lines)
        self._writer.put(b"\n".join(lines) + b"\n", self._next - 1, anew=True)

    def _load(self) -> None:
        try:
            lines = read_at_most(self._path, LARGEST).split(b"\n")
        except FileNotFoundError:
            return
        bad = 0
        for line in filter(None, lines):
            try:
                self._take(line)
            except (DoorError, ValueError, KeyError, TypeError, RecursionError):
                bad += 1
        if bad:
            log("warning", "spool_damaged", lines=bad)
        # An acknowledgement of what was never sent is damage too, and would hide that many events to come.
        self._acknowledged = {name: min(number, self._next - 1) for name, number in self._acknowledged.items()}
        everywhere = min(self._acknowledged.values(), default=0)
        self._events = {n: event for n, event in sorted(self._events.items()) if n > everywhere}

    def _take(self, line: bytes) -> None:
        row = json.loads(line)
        match row["type"]:
            case "event":
                event = decode_event(line)
                _checked(event.sequence)
                self._events[event.sequence] = event
                self._next = max(self._next, event.sequence + 1)
            case "acknowledge":
                name = str(row["subscriber"])
                number, uid = _checked(row["sequence"]), row.get("uid")
                if uid is not None:
                    self._owners[name] = _checked(uid)
                self._acknowledged[name] = number
            case "next":
                self._next = max(self._next, _checked(row["sequence"]))


def _checked(number: object) -> int:
    """A number of the file. Raises ValueError for one that cannot have been written."""
    if type(number) is not int or not 0 <= number < MOST_EVENTS:
        raise ValueError(f"{number!r} is no number of this file")
    return number


class _Writer:
    """The writing thread. After a failure it writes nothing until it gets the whole file again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: SimpleQueue[tuple[bytes, int, bool] | None] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._file: int | None = None
        self._left_out = False
        self.failed = False
        """Whether the file is incomplete because a write failed."""
        self.written = 0
        """Events up to this sequence number may be sent."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._bell

    def put(self, content: bytes, upto: int, *, anew: bool) -> None:
        """Queues a write. Never waits for a disk that hangs, and queues at most MAX_WAITING writes for it; when the
        disk works again the whole file is written."""
        if self._jobs.qsize() < MAX_WAITING and (anew or not self._left_out):
            self._jobs.put((content, upto, anew))
        else:
            self._left_out = True

    def take_progress(self) -> bool:
        """Whether a write was left out while the disk hung, so that the whole file must be written now."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        due = self._left_out and self._jobs.empty()
        self._left_out = self._left_out and not due
        return due

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            content, upto, anew = job
            try:
                self._write(content, anew)
            except OSError as error:
                if not self.failed:
                    log("error", "spool_failed", error=str(error))
                self.failed = True
            self.written = max(self.written, upto)
            os.eventfd_write(self._bell, 1)

    def _write(self, content: bytes, anew: bool) -> None:
        if anew:
            self._replace(content)
            self.failed = False
        elif self._file is not None and not self.failed:
            while content:
                content = content[os.write(self._file, content) :]
            os.fdatasync(self._file)

    def _replace(self, content: bytes) -> None:
        draft = self._path.with_suffix(".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            while content:
                content = content[os.write(file, content) :]
            os.fsync(file)
            draft.replace(self._path)
        except OSError:
            os.close(file)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file = file
        sync(self._path.parent)
