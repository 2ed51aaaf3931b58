"""Brings a decision to the door: records it, then sends the release, then records what the door did (rules 2, 5 and 6
in ARCHITECTURE.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock

from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord, FreeText
from kiosk.domain.decision import Decision, Outcome, Reason
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant, Span
from kiosk.domain.errors import GalleryError
from kiosk.domain.ports.door import Door
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.updates import Decided, DoorAnswered, Faulted, Recovered, Update

BACKLOG = 1000
"""Most refusals and outcomes kept in memory while the audit log cannot be written. No grant is made meanwhile. They are
appended again until they are known to be on disk; the log stores each once (AuditRecord.record_id)."""
CLAIMS = 100
"""Newest claims that are remembered as ended. One is open at a time."""


Detail = Mapping[str, str | int | float | bool | None]


def decision_record(
    decision: Decision, boot: str | None = None, frame_age: float | None = None, basis: Detail | None = None
) -> AuditRecord:
    """A decision as one line of the audit log, with the subject id, never a name or a vector. The decision's id is also
    the record's, so that it is one line however often it is appended. `boot` names the start of the machine to which
    its times belong, `frame_age` is in seconds, `basis` says what had to be met."""
    e = decision.evidence
    c = e.comparison
    return AuditRecord(
        kind=AuditKind.DECISION,
        wall_at=e.wall_at,
        grant_id=decision.id,
        subject_id=decision.subject_id,
        outcome=decision.outcome,
        reason=decision.reason,
        detail={
            "comparison": decision.proof.value,
            "means": decision.means.value if decision.means else None,
            "frame": e.frame_number,
            "frames": e.frames,
            "captured_at": round(e.captured_at, 4),
            "frame_age": None if frame_age is None else round(frame_age, 4),
            "boot": boot,
            "track": decision.track,
            "score": round(c.score, 4) if c else None,
            "threshold": c.threshold if c else None,
            "model_id": c.model_id if c else None,
            "quality": e.quality.score if e.quality else None,
            "flaw": e.quality.flaw.value if e.quality and e.quality.flaw else None,
            "pad": round(e.pad, 4) if e.pad is not None else None,
            **(basis or {}),
            "detail": decision.detail or None,
        },
        record_id=decision.id,
    )


def outcome_record(decision: Decision, reply: DoorReply, frame_age: float) -> AuditRecord:
    """The record of what the door did with a decision's grant. The grant id links it to the decision."""
    return AuditRecord(
        kind=AuditKind.OUTCOME,
        wall_at=decision.evidence.wall_at,
        grant_id=decision.id,
        subject_id=decision.subject_id,
        outcome=reply.result,
        reason=FreeText(reply.reason) if reply.reason else None,
        detail={"frame_age": round(frame_age, 4)},
    )


class Access:
    """Records decisions and acts on them, one after another: the pipeline and the reception wait for each other here.
    Whoever waits for so long that the grant's deadline has passed is refused."""

    def __init__(
        self,
        audit: AuditTrail,
        door: Door,
        grant_seconds: float,
        clock: Callable[[], float],
        boot: str | None = None,
        basis: Detail | None = None,
        who: bool = True,
    ) -> None:
        """`grant_seconds`: time from the frame's capture to the grant's deadline. `clock`: CLOCK_BOOTTIME of the start
        of the machine that `boot` names. `basis`: see `decision_record`. `who`: whether records say who it was."""
        self._audit = audit
        self._door = door
        self._grant_seconds = grant_seconds
        self._clock = clock
        self._boot = boot
        self._basis = basis
        self._who = who
        self._backlog: deque[AuditRecord] = deque(maxlen=BACKLOG)
        self._dropped = 0
        self._broken = False
        self._lock = Lock()
        self._ended: deque[str] = deque(maxlen=CLAIMS)
        self.under_way: str | None = None
        """Id of the grant that was sent to the door and whose outcome is not recorded yet."""

    def settle(self, decision: Decision) -> list[Update]:
        """Records a proposed decision and sends its grant to the door. Returns the final decision and the door's
        answer. A grant is always on disk before it is sent. For any thread. Of one claim the first grant ends it, and
        later ones are refused: its face and its PIN may come at the same moment."""
        with self._lock:
            return self._settle(decision)

    def end_claim(self, claim_id: str) -> None:
        """From now on nothing is granted on this claim. For any thread."""
        with self._lock:
            self._ended.append(claim_id)

    def _settle(self, decision: Decision) -> list[Update]:
        deadline = decision.evidence.captured_at + self._grant_seconds
        if decision.granted and self._clock() >= deadline:
            decision = refused(decision, Reason.STALE_FRAME)
        claim_id = decision.claim_id
        if decision.granted and claim_id is not None:
            if claim_id in self._ended:
                decision = refused(decision, Reason.CLAIM_OVER)
            self._ended.append(claim_id)
        trouble = self._record(self._decision_record(decision))
        if trouble is not None and decision.granted:
            # It is in doubt whether the grant was recorded. So it becomes a refusal with the same record_id. If the
            # grant is on disk after all, the log stores the refusal as its outcome.
            decision = refused(decision, Reason.AUDIT_UNAVAILABLE)
            record = self._decision_record(decision)
            others = [kept for kept in self._backlog if kept.record_id != record.record_id]
            self._backlog = deque([*others, record], maxlen=BACKLOG)
        health = self._health(trouble)
        if not decision.granted:
            return [*health, Decided(decision)]
        self.under_way = decision.id
        try:
            # A panel takes a badge number only, and releases for as long as it is set to.
            span = Span.EXTENDED if decision.extended and decision.badge is None else Span.NORMAL
            reply = self._release(
                Grant(decision.id, decision.evidence.captured_at, deadline, span, badge=decision.badge)
            )
            age = self._clock() - decision.evidence.captured_at
            after = self._health(self._record(self._without_whom(outcome_record(decision, reply, age))))
        finally:
            self.under_way = None  # otherwise the door's events about this grant would wait for ever
        return [*health, Decided(decision), DoorAnswered(decision.id, reply), *after]

    def note(self, record: AuditRecord) -> None:
        """Records something that is not a decision (start, stop, fault, duress). Keeps it in memory while the log
        cannot be written. For any thread."""
        with self._lock:
            self._record(self._without_whom(record))

    def _decision_record(self, decision: Decision) -> AuditRecord:
        age = self._clock() - decision.evidence.captured_at
        return self._without_whom(decision_record(decision, self._boot, age, self._basis))

    def _without_whom(self, record: AuditRecord) -> AuditRecord:
        return record if self._who else replace(record, subject_id=None)

    def _release(self, grant: Grant) -> DoorReply:
        if self._clock() >= grant.deadline:
            return DoorReply(grant.id, DoorResult.REFUSED, "recording the decision took until its deadline")
        return self._door.release(grant)

    def _record(self, record: AuditRecord) -> str | None:
        """Appends the backlog and this record. If that fails, adds the record to the backlog and returns the error. A
        separate record holds the number of records for which the backlog had no room."""
        self._dropped += len(self._backlog) == BACKLOG
        self._backlog.append(record)
        try:
            self._audit.append(tuple(self._backlog))
        except GalleryError as error:
            return str(error)
        self._backlog.clear()
        if not self._dropped:
            return None
        count, self._dropped = self._dropped, 0
        return self._record(
            AuditRecord(AuditKind.FAULT, record.wall_at, reason=AuditReason.RECORDS_DROPPED, detail={"count": count})
        )

    def _health(self, trouble: str | None) -> list[Update]:
        was, self._broken = self._broken, trouble is not None
        if trouble is not None and not was:
            return [Faulted(Reason.AUDIT_UNAVAILABLE, trouble)]
        if was and not self._broken:
            return [Recovered(Reason.AUDIT_UNAVAILABLE)]
        return []


def refused(decision: Decision, reason: Reason) -> Decision:
    """The same attempt, refused."""
    return replace(decision, outcome=Outcome.REFUSED, reason=reason)
