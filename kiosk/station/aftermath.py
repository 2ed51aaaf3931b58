"""What follows from a verdict: who has to wait, who was let in and has not left, and whom a refusal counts against.

It belongs to one pipeline and its thread. Times are those of the frames.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from kiosk.domain.attempt import Attempt, Rules, Verdict
from kiosk.domain.decision import Decision, Proof, Reason
from kiosk.domain.face import Box, Vector
from kiosk.domain.patience import Patience
from kiosk.domain.presence import Presence


class Aftermath:
    """Remembers the ends of attempts. station.pipeline.Pipeline describes `alike`."""

    def __init__(self, rules: Rules, alike: Callable[[Vector, Vector], bool]) -> None:
        self._rules = rules
        self._alike = alike
        self._patience = Patience(rules, alike)
        self._presence = Presence()
        self._let_in: tuple[int, Vector] | None = None
        self._resume_at = 0.0
        self._alone_at = 0.0
        self._fault_until = 0.0

    @property
    def let_in(self) -> bool:
        """Whether the present face may be of a person who was let in and has not left."""
        return self._presence.here and not self._rules.again

    def look(self, at: float, somebody: bool) -> None:
        """Takes every frame's time, and whether it shows a face that may present itself."""
        self._presence.look(at, somebody)

    def waits(self, track: int, box: Box, at: float) -> float:
        """Seconds for which the face of this track, or any in this place, was refused and must wait; 0 for others."""
        return self._patience.waits(track, box, at)

    def rests(self, at: float, *, claimed: bool) -> bool:
        """Whether no attempt may open yet: after a grant, after a fault, or without a claim because a face alone was
        not enough."""
        return at < max(self._resume_at, self._fault_until, 0.0 if claimed else self._alone_at)

    def had_enough(self, probe: Vector, track: int, at: float) -> bool:
        """Whether this face must not be compared: see Patience."""
        return self._patience.had_enough(probe, track, at)

    def to_tell(self, probe: Vector, at: float) -> bool:
        """Whether to report that this face has used up its attempts and is here again."""
        return self._patience.to_tell(probe, at)

    def left(self, at: float) -> None:
        """Notes that the face has gone: the next one need not rest."""
        self._resume_at = self._alone_at = at

    def fault(self, attempt: Attempt | None, reason: Reason, at: float, *, claimed: bool) -> None:
        """Charges the attempt that a fault has ended."""
        if attempt is None:
            return
        # The fault may be in the comparison of vectors. The attempt is then still refused and recorded.
        with contextlib.suppress(Exception):
            self._patience.charge(attempt.charged(reason), at, claimed=claimed)

    def after_fault(self, at: float) -> None:
        """Starts the pause after a fault that was told."""
        self._fault_until = self._patience.after_fault(at)

    def stays(self, verdict: Verdict, attempt: Attempt | None, at: float) -> bool:
        """Whether the face is of a person who was let in and has not left. Then nothing is decided about them."""
        last = verdict.evidence.comparison
        left = verdict.reason is Reason.INCOMPLETE and last is not None and last.mated
        subject_id = last.subject_id if left and last is not None else verdict.subject_id
        if subject_id is None or not (left or verdict.reason is Reason.MATCHED):
            return False
        if not left or subject_id in self._presence:
            self._presence.recognised(subject_id)
        if self._rules.again or subject_id not in self._presence:
            return False
        if attempt is not None:
            self._remember(attempt)
            self._patience.charge(attempt.charged(verdict.reason), at)
        self._resume_at = at + self._rules.rest
        return True

    def settle(self, decision: Decision, verdict: Verdict, attempt: Attempt | None, box: Box, at: float) -> None:
        """Starts the pause after a decision: after a refusal the person must wait; after a grant no attempt opens until
        the face has left, or for `rest` seconds. `box`: where the attempt's face is."""
        if decision.granted and decision.subject_id is not None:
            self.opened(decision.subject_id, at)
            if attempt is not None:
                self._remember(attempt)
                self._patience.charge(attempt.charged(verdict.reason), at)
                if attempt.probe is not None:
                    self._patience.granted(attempt.probe, at)
        elif attempt is None:
            return
        elif decision.reason is Reason.VERIFICATION_REQUIRED:
            # No guess: the person is known, and waits for no face. What it matched before counts as always.
            self._patience.charge(attempt.charged(verdict.reason), at)
            self._alone_at = at + self._rules.rest
        else:
            claimed = decision.proof is Proof.VERIFICATION
            if verdict.reason is Reason.NOT_ENROLLED and self._is_another(attempt):
                self._presence.somebody_else()
            self._patience.refused(attempt.charged(verdict.reason), attempt.track, box, at, claimed=claimed)

    def opened(self, subject_id: str | None, at: float) -> None:
        """Notes that the person who is here was let in, by whatever means. None: nobody of the gallery."""
        self._presence.somebody_else()
        if subject_id is not None:
            self._presence.let_in(subject_id)
        self._resume_at = at + self._rules.rest

    def stayed_closed(self, subject_id: str) -> None:
        """Notes that the door did not act on the grant. The person may try again without leaving first."""
        self._presence.forget(subject_id)

    def _remember(self, attempt: Attempt) -> None:
        """Remembers this attempt's face as the one that was let in last."""
        if attempt.probe is not None:
            self._let_in = attempt.track, attempt.probe

    def _is_another(self, attempt: Attempt) -> bool:
        """Whether the person that this attempt refused is certainly not the one who was let in last: the track is
        another, and no vector is similar."""
        if self._let_in is None:
            return False
        track, vector = self._let_in
        return attempt.track != track and attempt.unlike(vector, self._alike)
