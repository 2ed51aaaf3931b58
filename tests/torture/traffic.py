"""A kiosk without camera and networks: decisions as they come, through the real audit log, door client and auditor.

    python traffic.py HOME DOOR-SOCKET EVENTS-SOCKET LEDGER SEED

Each decision that was acknowledged as recorded is a line of the ledger, with what the door did. What must never happen
(a grant released twice, or late, or of a door that died since) is a line that begins with VIOLATION.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from kiosk.domain.audit import AuditKind
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.updates import DoorAnswered
from kiosk.ipc.door_event_messages import DoorEventStream
from kiosk.station.access import Access
from kiosk.station.door_audit import KEPT_IDS, SUBSCRIBER, DoorAuditor
from kiosk.station.door_client import DoorClient
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.system.clock import boottime

GRANT_SECONDS = 1.5


def main(home: str, door: str, events: str, ledger: str, seed: str) -> None:
    """Until it is killed."""
    chance = random.Random(seed)
    database = Home(Path(home)).database
    with closing(Audit(open_database(database, check=False))) as audit:
        audit.settle_pending(datetime.now(UTC))
        known = {str(r.detail.get("event")) for r in audit.records(KEPT_IDS, kinds=(AuditKind.DOOR, AuditKind.OUTCOME))}
    writer = Writer.at(database, time.monotonic, timeout=5.0)
    writer.start()
    client = DoorClient(Path(door))
    access = Access(writer, client, GRANT_SECONDS, boottime)
    seen = Audit(open_database(database, check=False))
    stream = DoorEventStream(Path(events), SUBSCRIBER)
    auditor = DoorAuditor(stream, writer, known, lambda: access.under_way, foreseen=seen.foresees)

    def follow() -> None:
        while True:
            auditor.turn(0.5)

    threading.Thread(target=follow, daemon=True).start()
    lines = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    old: list[Grant] = []
    while True:
        time.sleep(chance.uniform(0, 0.08))
        for line in turn(chance, access, client, old):
            os.write(lines, line.encode() + b"\n")


def turn(chance: random.Random, access: Access, client: DoorClient, old: list[Grant]) -> list[str]:
    """One person at the door, and now and then somebody who tries what was granted before."""
    captured_at = boottime() - chance.choice([0.0, 0.1, 1.0])
    granted = chance.random() < 0.8
    decision = Decision(
        id=uuid.uuid4().hex,
        outcome=Outcome.GRANTED if granted else Outcome.REFUSED,
        reason=Reason.MATCHED if granted else Reason.NOT_ENROLLED,
        subject_id="somebody" if granted else None,
        evidence=Evidence(0, captured_at, datetime.now(UTC)),
    )
    answers = [event.reply for event in access.settle(decision) if isinstance(event, DoorAnswered)]
    lines = [f"{decision.id} {answers[0].result.value if answers else 'refused'}"]
    if answers:
        old.append(Grant(decision.id, captured_at, captured_at + GRANT_SECONDS))
    if old and chance.random() < 0.3:
        again = chance.choice(old[-20:])
        reply = client.release(again)
        if reply.result is DoorResult.RELEASED and again.id != old[-1].id:
            lines.append(f"VIOLATION {again.id} was released again or late")
    return lines


if __name__ == "__main__":
    main(*sys.argv[1:])
