"""Hears from the door: its lock's state for the window, its events for the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from kiosk.config import Config
from kiosk.domain.audit import AuditKind
from kiosk.domain.updates import DoorChanged, Update
from kiosk.ipc.door_event_messages import DoorEventStream
from kiosk.station.access import Access
from kiosk.station.door_audit import KEPT_IDS, SUBSCRIBER, DoorAuditor
from kiosk.station.door_client import DoorWatcher
from kiosk.station.turns import turning
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.health import Health


@contextmanager
def watching(
    config: Config, home: Home, writer: Writer, access: Access, publish: Callable[[Update], None], health: Health
) -> Iterator[None]:
    """Runs the threads `door` and `door-events`."""
    with ExitStack() as stack:
        watcher = DoorWatcher(config.door.socket)
        stack.enter_context(turning("door", lambda: _watch(watcher, publish), watcher.close, health))
        stream = DoorEventStream(config.door.events, SUBSCRIBER)
        seen = stack.enter_context(closing(Audit(open_database(home.database, check=False))))
        kept = seen.records(KEPT_IDS, kinds=(AuditKind.DOOR, AuditKind.OUTCOME))
        heard = {str(record.detail.get("event")) for record in kept}
        auditor = DoorAuditor(stream, writer, heard, lambda: access.under_way, foreseen=seen.foresees, publish=publish)
        stack.enter_context(turning("door-events", lambda: auditor.turn(0.5), auditor.close, health))
        yield


def _watch(watcher: DoorWatcher, publish: Callable[[Update], None]) -> None:
    """Publishes the changes of the door's state."""
    state = watcher.wait(0.5)
    if state is not None:
        publish(DoorChanged(state))
