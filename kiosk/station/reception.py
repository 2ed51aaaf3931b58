"""Other ways in, one person at a time: a claim, then the face of whom it names (1:1), then the PIN, whatever the face
gave.

A claim that is nobody's takes the very same way as a known one, so that nobody learns which numbers there are.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Condition
from typing import Literal

import structlog

from kiosk.domain.decision import Decision, Proof, Reason
from kiosk.domain.entry import Claim, Claimed, EntryRequest, GaveUp, Means, PinTyped, Step
from kiosk.domain.errors import GalleryError
from kiosk.domain.guesses import Guesses
from kiosk.domain.passes import MARK as PASS_MARK
from kiosk.domain.refusals import counts
from kiosk.domain.updates import Decided, EntryChanged, Faulted, Recovered, Update
from kiosk.domain.verification import ClaimOver, Expected, LetIn, Told
from kiosk.station.admission import Admission, Moment, People, Settled, Visit
from kiosk.storage.pins import Verdict
from kiosk.ways import EntryConfig

MOST_WAITING = 8
"""Requests that wait. More are dropped: nobody types so fast."""
TURN_SECONDS = 0.5
SLACK_SECONDS = 0.5
"""How long the pipeline may take to say that it has looked for long enough."""
SETTLING_SECONDS = 5.0
"""How long a PIN that was typed at the last moment may take; meanwhile no other face is looked at."""
BLIND = frozenset(
    {
        Reason.CAMERA_UNAVAILABLE,
        Reason.STALE_FRAME,
        Reason.DETECTOR_FAULT,
        Reason.QUALITY_FAULT,
        Reason.PAD_FAULT,
        Reason.EMBEDDER_FAULT,
        Reason.REFERENCES_OF_ANOTHER_MODEL,
        Reason.UNSAFE_POLICY,
        Reason.FACE_OFF,
    }
)
"""Faults that last and in which no face is compared: then the PIN is asked for at once."""
log = structlog.get_logger("kiosk")


@dataclass(slots=True)
class _Open:
    """The person who is here: what they are asked for, until when, and what the next decision rests on."""

    visit: Visit
    step: Literal[Step.FACE, Step.PIN] = Step.FACE
    until: float = math.inf
    proof: Proof = Proof.VERIFICATION


@dataclass(slots=True)
class _Forced:
    """Somebody has typed a duress PIN. `grant_id`: of the decision that was made on it; None while there is none."""

    subject_id: str | None
    grant_id: str | None = None


class Reception:
    """`ask`, `heard` and `nudge` are for any thread and return at once; `turn` is for the reception's own one."""

    def __init__(
        self,
        entry: EntryConfig,
        people: People,
        admission: Admission,
        tell: Callable[[Told], None],
        end_claim: Callable[[str], None],
        publish: Callable[[Update], None],
        clock: Callable[[], float],
        wall: Callable[[], datetime],
        new_id: Callable[[], str],
        forced: Callable[[str | None, str | None], None],
    ) -> None:
        """`tell`: Pipeline.tell. `end_claim`: Access.end_claim. `clock`: CLOCK_BOOTTIME. `forced`:
        station.alarm.SilentAlarm.forced."""
        self._forced = forced
        self._entry = entry
        self._people = people
        self._admission = admission
        self._tell = tell
        self._end_claim = end_claim
        self._publish = publish
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._changed = Condition()
        self._asked: deque[tuple[EntryRequest, Moment]] = deque()
        self._decided: deque[Decision] = deque(maxlen=MOST_WAITING)
        self._nudged = False
        self._faults: set[Reason] = set()
        self._open: _Open | None = None
        self._alarm: _Forced | None = None
        self._guesses = Guesses(clock())

    @property
    def busy(self) -> bool:
        """Whether somebody is here."""
        return self._open is not None

    def ask(self, request: EntryRequest, moment: Moment | None = None) -> None:
        """Takes a request; it is dropped if too many wait. It counts as of `moment`, or of now: a grant rests on the
        moment when the last digit was handed over."""
        with self._changed:
            if len(self._asked) < MOST_WAITING:
                self._asked.append((request, moment or Moment(self._clock(), self._wall())))
                self._changed.notify()

    def heard(self, update: Update) -> None:
        """Takes what everybody is told: decisions about the claim, and whether faces can be compared."""
        with self._changed:
            match update:
                case Decided(decision) if decision.claim_id is not None and decision.proof is Proof.VERIFICATION:
                    self._decided.append(decision)
                    compared = decision.evidence.comparison is not None
                    if compared and counts(decision.reason, compared):
                        self._guesses.wrong(self._clock())
                    self._changed.notify()
                case Faulted(reason) if reason in BLIND:
                    self._faults.add(reason)
                case Recovered(reason):
                    self._faults.discard(reason)

    def nudge(self) -> None:
        """Ends a wait of `turn`."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def turn(self) -> None:
        """Waits for what comes next, at most TURN_SECONDS, and answers it."""
        heard = self._next()
        try:
            match heard:
                case Decision():
                    self._looked(heard)
                case (Claimed(claim), moment):
                    self._claim(claim, moment)
                case (PinTyped(pin), moment):
                    self._pin(pin, moment)
                case (GaveUp(), _):
                    self._over()
            if self._open is not None and self._clock() >= self._open.until:
                self._late(self._open)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever fails lets nobody in, is recorded and told
            self._failed(error)
        self._tell_of_force()

    def _tell_of_force(self) -> None:
        """The silent alarm comes last, after all that can be seen, and whatever has failed before."""
        forced, self._alarm = self._alarm, None
        if forced is None:
            return
        try:
            self._forced(forced.subject_id, forced.grant_id)
        except Exception as error:  # noqa: BLE001 - the boundary: it lets nobody in, and the next person can come
            log.error("reception_failed", error=f"{type(error).__name__}: {error}")

    def _next(self) -> Decision | tuple[EntryRequest, Moment] | None:
        with self._changed:
            if not (self._decided or self._asked or self._nudged):
                until = self._open.until if self._open is not None else math.inf
                self._changed.wait(max(0.0, min(TURN_SECONDS, until - self._clock())))
            self._nudged = False
            if self._decided:
                return self._decided.popleft()
            return self._asked.popleft() if self._asked else None

    def _claim(self, claim: Claim, moment: Moment) -> None:
        """Begins with a claim, in place of one that is open. The same again is a double tap."""
        if claim.means not in self._entry.means or (self._open is not None and self._open.visit.claim == claim):
            return
        self._end()
        self._open = opened = _Open(Visit(self._new_id(), claim, None))
        self._publish(EntryChanged(Step.CHECKING))
        if claim.means is Means.QR and claim.text.startswith(PASS_MARK):
            opened.proof = Proof.VISITOR
            self._close(self._admission.visitor(opened.visit, moment, allowed=self._entry.passes))
            return
        opened.visit = Visit(opened.visit.id, claim, self._people.find(claim))
        if self._is_enough(opened.visit):
            opened.proof = Proof.CODE
            self._close(self._admission.person(opened.visit, Proof.CODE, moment))
            return
        self._look(opened, moment)

    def _is_enough(self, visit: Visit) -> bool:
        """Whether this code is enough alone, for a person who needs no verification."""
        allowed = {Means.QR: self._entry.qr_alone, Means.CARD: self._entry.card_alone, Means.NUMBER: False}
        if not allowed[visit.claim.means] or visit.subject_id is None:
            return False
        subject = self._people.subject(visit.subject_id)
        return subject is not None and not subject.verify

    def _look(self, opened: _Open, moment: Moment) -> None:
        """Lets the camera look for the claimed person. The pipeline searches for no face in the gallery until the claim
        is over, also while a PIN is typed. After too many faces of others it does not look, whoever is claimed."""
        visit, now = opened.visit, self._clock()
        with self._changed:
            blind, wait = bool(self._faults), self._guesses.wait(now)
        if wait > 0 and not self._entry.pins:
            reason = Reason.TOO_MANY_ATTEMPTS
            self._close(self._admission.refuse(visit, Proof.VERIFICATION, reason, moment), wait)
            return
        looks = 0.0 if (blind or wait > 0) and self._entry.pins else self._entry.look_seconds
        after = self._entry.pin_seconds + SETTLING_SECONDS if self._entry.pins else 0.0
        opened.until = now + looks + SLACK_SECONDS
        self._tell(Expected(visit.id, visit.claim.means, visit.subject_id, now + looks, opened.until + after))
        if looks:
            self._publish(EntryChanged(Step.FACE, looks))
        else:
            self._late(opened)

    def _looked(self, decision: Decision) -> None:
        """Takes what the face gave."""
        opened = self._open
        if opened is None or opened.visit.id != decision.claim_id:
            return
        if decision.granted:
            self._over()
        elif opened.step is Step.FACE:
            self._late(opened)

    def _late(self, opened: _Open) -> None:
        """Goes on after a step: to the PIN, if it opens here, or to the end."""
        if opened.step is Step.PIN or not self._entry.pins:
            self._over()
            return
        opened.step, opened.until = Step.PIN, self._clock() + self._entry.pin_seconds
        self._publish(EntryChanged(Step.PIN, self._entry.pin_seconds))

    def _pin(self, pin: str, moment: Moment) -> None:
        """Looks at a PIN, also while the camera still looks: whichever comes first lets the person in."""
        opened = self._open
        if opened is None or not self._entry.pins:
            self._publish(EntryChanged(Step.OVER))  # nobody waits for an answer that never comes
            return
        visit, opened.proof = opened.visit, Proof.PIN
        self._publish(EntryChanged(Step.CHECKING))
        checked = self._people.check(visit.claim.text, visit.subject_id, pin)
        if checked.duress:
            self._alarm = _Forced(visit.subject_id)
        if checked.fault is not None:
            raise checked.fault
        if checked.verdict is Verdict.RIGHT:
            settled = self._admission.person(visit, Proof.PIN, moment)
        else:
            reason = Reason.WRONG_PIN if checked.verdict is Verdict.WRONG else Reason.PIN_WAITS
            settled = self._admission.refuse(visit, Proof.PIN, reason, moment)
        if self._alarm is not None:
            self._alarm.grant_id = settled.decision.id
        self._close(settled, checked.wait)

    def _close(self, settled: Settled, wait: float = 0.0) -> None:
        """Ends the claim after a decision. `wait`: until the next PIN is looked at."""
        if settled.opened:
            self._tell(LetIn(settled.decision.subject_id, self._clock()))
        self._end()
        self._publish(EntryChanged(Step.WAIT, wait) if wait > 0 else EntryChanged(Step.OVER))

    def _over(self) -> None:
        if self._open is not None:
            self._end()
            self._publish(EntryChanged(Step.OVER))

    def _end(self) -> None:
        """From here on nothing is granted on the claim, and faces alone count again."""
        opened, self._open = self._open, None
        if opened is not None:
            self._end_claim(opened.visit.id)
            self._tell(ClaimOver(opened.visit.id))

    def _failed(self, error: Exception) -> None:
        """Refuses whoever is here. Nothing stays open."""
        message = f"{type(error).__name__}: {error}"
        log.error("reception_failed", error=message)
        opened = self._open
        if opened is None:
            return
        reason = Reason.GALLERY_FAULT if isinstance(error, GalleryError) else Reason.INTERNAL_FAULT
        try:
            moment = Moment(self._clock(), self._wall())
            self._admission.refuse(opened.visit, opened.proof, reason, moment, message)
        except Exception as again:  # noqa: BLE001 - the same boundary: the record could not be made, nobody is let in
            log.error("refusal_not_recorded", error=f"{type(again).__name__}: {again}")
        self._over()
