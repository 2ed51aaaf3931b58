"""Keeps templates of visits while a study is under way (storage.visits), and begins and ends one for a command.

The pipeline hands over the first vector of each decided attempt. Only after the door has answered, and in a thread of
its own, it is looked at whether it is kept. Who came is known:

- by a right PIN after the face was refused (`Proof.PIN`);
- by a claim that the face then proved (`Proof.VERIFICATION`): a card or code, and the face itself;
- by the face alone (`Proof.SEARCH`): those who were refused are missing, so this is no trial of recognition.

A claim that was refused, and that no PIN proved, is only counted. A visit that a reference of the embedder of before
has matched, while it is being changed, is not kept: the embedder's own references may be made of its very frames
(station.renewals), and compared with these it would always seem to be recognised.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from kiosk.domain.attempt import Attempt
from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Decision, Proof, Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.face import Vector
from kiosk.domain.ports.gallery import AuditTrail
from kiosk.domain.updates import Decided, Update
from kiosk.ipc.control_answers import StudyMessage
from kiosk.ipc.control_messages import BeginStudyRequest, EndStudyRequest
from kiosk.ipc.control_rights import ControlAnswer, ControlRequest
from kiosk.station.control import Desk
from kiosk.station.stages import Stages
from kiosk.station.turns import turning
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault
from kiosk.storage.visits import Study, Visits
from kiosk.system.clock import boottime

WAITING = 8
"""Vectors, and decisions, that wait; older ones are forgotten."""
TURN_SECONDS = 0.5
CHECK_SECONDS = 10.0
"""So long at most until a study that was begun or is over is noticed."""
PIN_SECONDS = 120.0
"""So long after a refused claim its PIN is waited for."""
REFUSED = frozenset({Reason.NOT_VERIFIED, Reason.AMBIGUOUS, Reason.INCOMPLETE, Reason.POOR_QUALITY})
"""Refusals of a claim because of the face. An attack is none."""
log = structlog.get_logger("kiosk")


@dataclass(frozen=True, slots=True, eq=False)
class _Refused:
    """A claim whose face was refused."""

    decision: Decision
    vector: Vector
    until: float


class VisitWatch:
    """`seen` and `heard` are for any thread and return at once; `turn` is for one of its own."""

    def __init__(
        self,
        visits: Visits,
        model_id: str,
        trail: AuditTrail,
        clock: Callable[[], float] = boottime,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._visits, self._model_id, self._trail, self._clock, self._wall = visits, model_id, trail, clock, wall
        self._on = False
        self._check_at = -1.0
        self._study: Study | None = None
        self._ends_at = math.inf
        """When the study is over by this machine's own time, which no clock on the wall moves."""
        self._vectors: deque[tuple[str, Vector]] = deque(maxlen=WAITING)
        self._decided: deque[Decision] = deque(maxlen=WAITING)
        self._refused: _Refused | None = None
        self._told = False

    def seen(self, decision: Decision, attempt: Attempt | None) -> None:
        """Takes a decision on a face before it is settled. Never raises."""
        if self._on and attempt is not None and attempt.first is not None:
            self._vectors.append((decision.id, attempt.first))

    def heard(self, update: Update) -> None:
        """Takes a decision after the door has answered."""
        if self._on and isinstance(update, Decided):
            self._decided.append(update.decision)

    def turn(self) -> None:
        """Keeps what has come, and erases all when the study is over. Never raises."""
        try:
            if self._clock() >= self._check_at:
                self._check()
            while self._decided:
                self._take(self._decided.popleft())
            if self._refused is not None and self._clock() >= self._refused.until:
                self._unproven()
        except Exception as error:  # noqa: BLE001 - nothing at the door depends on it; it is recorded once
            self._failed(error)

    def _check(self) -> None:
        """Looks at the file, and ends what is over."""
        now = self._clock()
        self._check_at = now + CHECK_SECONDS
        self._visits.end_if_over()
        study = self._visits.study()
        if study is not None and study == self._study and now >= self._ends_at:
            self._visits.end(AuditReason.EXPIRED)
            study = None
        if study is not None and study != self._study:
            # A wall clock that is behind makes a study no longer than it was to be.
            self._ends_at = now + (study.ends - max(self._wall(), study.begun)).total_seconds()
        self._study, self._on = study, study is not None
        if study is None:
            self._refused = None
            self._vectors.clear()
            self._decided.clear()

    def _take(self, decision: Decision) -> None:
        vector = dict(list(self._vectors)).get(decision.id)
        refused = self._refused
        if decision.proof is Proof.PIN:
            if refused is not None and decision.granted and refused.decision.claim_id == decision.claim_id:
                self._refused = None
                self._keep(refused.decision, refused.vector, Proof.PIN)
        elif vector is None or decision.subject_id is None or self._by_another(decision):
            return
        elif decision.granted:
            self._keep(decision, vector, decision.proof)
        elif decision.proof is Proof.VERIFICATION and decision.reason in REFUSED:
            self._unproven()
            self._refused = _Refused(decision, vector, self._clock() + PIN_SECONDS)

    def _by_another(self, decision: Decision) -> bool:
        compared = decision.evidence.comparison
        return compared is not None and compared.model_id != self._model_id

    def _keep(self, decision: Decision, vector: Vector, proof: Proof) -> None:
        at, granted = decision.evidence.wall_at, decision.granted
        self._visits.keep(str(decision.subject_id), vector, at, self._model_id, proof, granted)

    def _unproven(self) -> None:
        """Lets go of a refused claim that no PIN has proved."""
        if self._refused is not None:
            self._refused = None
            self._visits.unproven()

    def _failed(self, error: Exception) -> None:
        log.warning("visits_not_kept", error=f"{type(error).__name__}: {error}")
        if not self._told:
            record = AuditRecord(AuditKind.FAULT, self._wall(), reason=AuditReason.VISITS_NOT_KEPT)
            with suppress(GalleryError):
                self._trail.append([record])
                self._told = True


class StudyDesk:
    """Answers requests about a study, with a gallery of the desk's own thread; all others go to another desk."""

    locked = False

    def __init__(self, desk: Desk, gallery: Gallery) -> None:
        self._desk, self._gallery = desk, gallery

    def of_somebody_with_a_role(self, request: ControlRequest) -> bool:
        """See Desk."""
        return self._desk.of_somebody_with_a_role(request)

    def answer(self, client: int, uid: int, request: ControlRequest) -> ControlAnswer:
        """See Desk."""
        if not isinstance(request, BeginStudyRequest | EndStudyRequest):
            return self._desk.answer(client, uid, request)
        self._gallery.by = f"uid {uid}"
        visits = Visits(self._gallery)
        if isinstance(request, EndStudyRequest):
            return StudyMessage(ends=None, visits=visits.end(AuditReason.ASKED))
        return StudyMessage(ends=visits.begin(request.days, request.text).ends, visits=0)

    def forget(self, client: int) -> None:
        """See Desk."""
        self._desk.forget(client)


@contextmanager
def visited(
    home: Home, vault: Vault, model_id: str, trail: AuditTrail, publish: Callable[[Update], None], stages: Stages
) -> Iterator[tuple[Callable[[Update], None], Stages]]:
    """Watches visits with a connection of its own to the gallery. Yields `publish` and `stages`, extended by that."""
    with closing(Gallery(open_database(home.database, check=False), vault)) as gallery:
        watch = VisitWatch(Visits(gallery), model_id, trail)

        def tell(update: Update) -> None:
            publish(update)
            watch.heard(update)

        def turn() -> None:
            watch.turn()
            time.sleep(TURN_SECONDS)

        with turning("visits", turn, lambda: None):
            yield tell, replace(stages, seen=watch.seen)
