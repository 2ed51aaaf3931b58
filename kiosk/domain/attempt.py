"""An attempt: n concordant frames of m, all of one face track, within a few seconds.

Pure: times come with the samples. An attempt opens when a face presents itself (large enough and in the guide) and
ends in exactly one verdict, or in none when a passer-by left no usable sample.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from kiosk.domain.types import Comparison, Evidence, Flaw, Frame, Quality, Reason

PASSING_BY = frozenset({Flaw.TOO_SMALL, Flaw.OUTSIDE_GUIDE})
"""Flaws of a face that is not presenting itself: it opens no attempt."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`needed` of the last `window` usable frames, within `seconds`; `pause` seconds after a refusal until the next
    attempt; `rest` seconds after a grant, unless the face has gone before."""

    needed: int = 3
    window: int = 5
    seconds: float = 3.0
    pause: float = 1.5
    rest: float = 5.0

    def pause_after(self, refusals: int) -> float:
        """Seconds until the next attempt may open: doubled from the fourth refusal in a row on, 30 s at most."""
        return float(min(self.pause * 2.0 ** max(0, min(refusals, 10) - 3), max(30.0, self.pause)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One usable frame: past the quality gate, scored by PAD, compared with the gallery."""

    frame_number: int
    captured_at: float
    quality: Quality
    pad: float
    bona_fide: bool
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the attempt found about the person; whether that person may pass is the policy's business."""

    reason: Reason
    subject_id: str | None
    evidence: Evidence


class Attempt:
    """One attempt of one face track."""

    def __init__(self, rules: Rules, track: int, frame: Frame) -> None:
        self.rules = rules
        self.track = track
        self.started_at = frame.captured_at
        self._samples: deque[Sample] = deque(maxlen=rules.window)
        self._hindrance = Reason.POOR_QUALITY

    @property
    def progress(self) -> float:
        """0..1 of the frames that a grant needs."""
        votes = self._votes().most_common(1)
        return min(1.0, votes[0][1] / self.rules.needed) if votes else 0.0

    def restart(self, track: int, because: Reason) -> None:
        """Forgets all samples: another track, a second face, a frozen picture. The time spent still counts."""
        self.track = track
        self._samples.clear()
        self._hindrance = because

    def hinder(self, because: Reason) -> None:
        """A frame that gave no sample, for the reason stated when time runs out."""
        self._hindrance = because

    def add(self, sample: Sample, frame: Frame) -> Verdict | None:
        """Takes a usable sample; a verdict when it settles the attempt."""
        self._samples.append(sample)
        self._hindrance = Reason.INCOMPLETE
        votes = self._votes()
        if len(votes) == 1:
            subject_id, count = votes.most_common(1)[0]
            if count >= self.rules.needed:
                return self._verdict(Reason.MATCHED, frame, subject_id)
        if len(self._samples) < self.rules.window:
            return None
        return self._verdict(self._refusal(votes), frame)

    def expire(self, frame: Frame) -> Verdict | None:
        """A refusal once the time is over."""
        if frame.captured_at - self.started_at < self.rules.seconds:
            return None
        return self._verdict(self._hindrance, frame)

    def abandon(self, frame: Frame) -> Verdict | None:
        """The face has gone: a refusal if it had been looked at, nothing for a passer-by."""
        return self._verdict(Reason.INCOMPLETE, frame) if self._samples else None

    def evidence(self, frame: Frame) -> Evidence:
        """What is known so far, resting on `frame`."""
        last = self._samples[-1] if self._samples else None
        return Evidence(
            frame_number=frame.number,
            captured_at=frame.captured_at,
            wall_at=frame.wall_at,
            frames=len(self._samples),
            comparison=last.comparison if last else None,
            quality=last.quality if last else None,
            pad=min(s.pad for s in self._samples) if self._samples else None,
        )

    def _votes(self) -> Counter[str]:
        """Samples by subject. A sample that PAD denies votes for nobody."""
        return Counter(
            s.comparison.subject_id
            for s in self._samples
            if s.bona_fide and s.comparison.mated and s.comparison.subject_id is not None
        )

    def _refusal(self, votes: Counter[str]) -> Reason:
        attacks = sum(not s.bona_fide for s in self._samples)
        if attacks > self.rules.window - self.rules.needed:
            return Reason.PRESENTATION_ATTACK
        if len(votes) > 1:
            return Reason.AMBIGUOUS
        return Reason.NOT_ENROLLED

    def _verdict(self, reason: Reason, frame: Frame, subject_id: str | None = None) -> Verdict:
        return Verdict(reason, subject_id, self.evidence(frame))
