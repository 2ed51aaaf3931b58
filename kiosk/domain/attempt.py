"""An attempt: n of m frames agree, all of one face track, within a few seconds.

Pure: times come with the samples. An attempt opens when a face presents itself (large enough and in the guide). It ends
in exactly one verdict, or in none when a passer-by left no usable sample.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kiosk.domain.decision import Comparison, Evidence, Reason
from kiosk.domain.face import Flaw, Frame, Hint, Quality, Vector
from kiosk.domain.transition import Kept

PASSING_BY = frozenset({Flaw.TOO_SMALL, Flaw.OUTSIDE_GUIDE})
"""Flaws of a face that does not present itself. Such a face opens no attempt."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of an attempt.

    A grant needs `needed` matching frames among the last `window` usable frames, within `seconds`. `pause`: seconds
    from a refusal to the next attempt. `rest`: seconds after a grant, unless the face has left before. `budget`: most
    comparisons in one attempt, even if it is restarted. `denial_voids`: a frame that PAD denies voids those before it;
    otherwise it only has no vote. `fresh_frames` and `fresh_seconds`: a face is compared only after it was followed for
    so many frames and seconds, each frame new. These are more frames than a driver has buffers (8), which it could show
    in turns. `fresh_at_most`: this many seconds are enough if frames come slowly. `again`: whether a person may be let
    in again without having left; for recordings.
    """

    needed: int = 3
    window: int = 5
    seconds: float = 3.0
    pause: float = 1.5
    rest: float = 5.0
    budget: int = 15
    denial_voids: bool = True
    fresh_frames: int = 6
    fresh_seconds: float = 0.35
    fresh_at_most: float = 0.7
    again: bool = False

    def followed(self, frames: int, seconds: float) -> bool:
        """Whether a face was followed long enough to notice a driver that shows its buffers in turns."""
        enough = frames > self.fresh_frames and seconds >= self.fresh_seconds
        return enough or (frames > 0 and seconds >= self.fresh_at_most)

    def pause_after(self, refusals: int) -> float:
        """Seconds until the next attempt may open. Doubles from the fourth refusal in a row on, up to 30 s."""
        return float(min(self.pause * 2.0 ** max(0, min(refusals, 10) - 3), max(30.0, self.pause)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One usable frame: it passed the quality gate, was scored by PAD, and was compared with the gallery."""

    frame_number: int
    captured_at: float
    quality: Quality
    pad: float
    bona_fide: bool
    comparison: Comparison
    probe: Vector | None = field(default=None, repr=False, compare=False)
    """Kept in memory during the attempt, to recognise the face again if it is refused."""
    kept: Kept | None = field(default=None, repr=False, compare=False)
    """Of a frame that a reference of the embedder of before has matched."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the attempt found out about the person. The policy decides whether that person may pass."""

    reason: Reason
    subject_id: str | None
    evidence: Evidence


class Attempt:
    """One attempt of one face track."""

    def __init__(self, rules: Rules, track: int, frame: Frame) -> None:
        self.rules = rules
        self.track = track
        self.started_at = frame.captured_at
        self.compared = 0
        """Number of comparisons so far. A restart does not reset it."""
        self._all: list[Sample] = []
        self._samples: deque[Sample] = deque(maxlen=rules.window)
        self._last: Sample | None = None
        self._denials = 0
        self._hindrance = Reason.POOR_QUALITY
        self._hints: list[tuple[Hint, ...]] = []

    @property
    def probe(self) -> Vector | None:
        """The feature vector that was compared last; None if there was none."""
        return self._last.probe if self._last else None

    @property
    def first(self) -> Vector | None:
        """The vector of the first frame that counts: unlike the last one it is chosen by no score."""
        return self._samples[0].probe if self._samples else None

    def charged(self, reason: Reason) -> list[Vector]:
        """The compared vectors whose faces this verdict counts against. Clear matches (mated, and PAD passed them) do
        not count, because they are no guesses. For a match, the samples behind it do not count. If the frames match
        several subjects, all vectors count."""
        window = {id(s) for s in self._samples} if reason is Reason.MATCHED else set()
        every = reason is Reason.AMBIGUOUS
        return [
            s.probe
            for s in self._all
            if s.probe is not None and id(s) not in window and (every or not (s.bona_fide and s.comparison.mated))
        ]

    def kept(self, subject_id: str) -> tuple[Kept, ...]:
        """The frames from which this subject may get references of the current network: all compared ones, if each was
        live and matched this subject by a reference of the earlier one; else none."""
        kept = [s.kept for s in self._all if s.bona_fide and s.comparison.subject_id == subject_id]
        return tuple(k for k in kept if k is not None) if len(kept) == len(self._all) and None not in kept else ()

    def unlike(self, vector: Vector, alike: Callable[[Vector, Vector], bool]) -> bool:
        """Whether no compared vector is mated or like this one."""
        return not any(s.comparison.mated or s.probe is None or alike(s.probe, vector) for s in self._all)

    def is_first_match(self, comparison: Comparison) -> bool:
        """Whether it is mated, and no frame that still counts has matched that subject."""
        return comparison.mated and not self._votes()[str(comparison.subject_id)]

    @property
    def progress(self) -> float:
        """The share (0..1) of the frames that a grant needs."""
        votes = self._votes().most_common(1)
        return min(1.0, votes[0][1] / self.rules.needed) if votes else 0.0

    def hinted(self, hints: tuple[Hint, ...]) -> None:
        """Notes the hints of a frame; empty for a frame without any. They change no verdict."""
        self._hints.append(hints)

    @property
    def hint(self) -> Hint | None:
        """The first hint, in the order of Hint, that more than half of this track's frames gave. Guidance only."""
        return next((h for h in Hint if 2 * sum(h in given for given in self._hints) > len(self._hints)), None)

    def restart(self, track: int, because: Reason) -> None:
        """Drops all samples, because of another track, a second face or a frozen picture. The time and the comparisons
        spent so far still count."""
        if track != self.track:
            self._hints.clear()
        self.track = track
        self._samples.clear()
        self._hindrance = because

    def hinder(self, because: Reason) -> None:
        """Notes why a frame gave no sample. This is the reason of the refusal if the time runs out."""
        self._hindrance = because

    def add(self, sample: Sample, frame: Frame) -> Verdict | None:
        """Takes a usable sample. Returns a verdict if it ends the attempt."""
        self.compared += 1
        self._last = sample
        self._all.append(sample)
        if not sample.bona_fide:
            self._denials += 1
        if sample.bona_fide or not self.rules.denial_voids:
            self._samples.append(sample)
            self._hindrance = Reason.INCOMPLETE
        else:
            self.restart(self.track, Reason.PRESENTATION_ATTACK)
        return self._settled(frame)

    def _settled(self, frame: Frame) -> Verdict | None:
        votes = self._votes()
        if len(votes) == 1:
            subject_id, count = votes.most_common(1)[0]
            if count >= self.rules.needed:
                return self._verdict(Reason.MATCHED, frame, subject_id)
        full = len(self._samples) == self.rules.window
        if full or self._attacked or self.compared >= self.rules.budget:
            return self._verdict(self._refusal(votes), frame)
        return None

    def expire(self, frame: Frame) -> Verdict | None:
        """Returns a refusal once the time is over."""
        if frame.captured_at - self.started_at < self.rules.seconds:
            return None
        return self._verdict(self._hindrance, frame)

    def abandon(self, frame: Frame) -> Verdict | None:
        """Ends the attempt because the face has left. Returns a refusal if it was compared, None for a passer-by."""
        if not self.compared:
            return None
        attack = self._hindrance is Reason.PRESENTATION_ATTACK
        return self._verdict(Reason.PRESENTATION_ATTACK if attack else Reason.INCOMPLETE, frame)

    def turned_away(self, frame: Frame) -> Verdict:
        """The refusal of a face that has used up its attempts. It was not compared."""
        return self._verdict(Reason.TOO_MANY_ATTEMPTS, frame)

    def evidence(self, frame: Frame, hint: Hint | None) -> Evidence:
        """The evidence so far, with `frame` as its last frame."""
        last = self._last
        return Evidence(
            frame_number=frame.number,
            captured_at=frame.captured_at,
            wall_at=frame.wall_at,
            frames=len(self._samples),
            comparison=last.comparison if last else None,
            quality=last.quality if last else None,
            pad=min((s.pad for s in self._samples), default=last.pad if last else None),
            hint=hint,
        )

    @property
    def _attacked(self) -> bool:
        """Whether PAD denied more frames than a window can spare, so that the attempt counts as an attack."""
        return self._denials > self.rules.window - self.rules.needed

    def _votes(self) -> Counter[str]:
        """Number of samples for each subject. A sample that PAD denies votes for nobody."""
        return Counter(
            s.comparison.subject_id
            for s in self._samples
            if s.bona_fide and s.comparison.mated and s.comparison.subject_id is not None
        )

    def _refusal(self, votes: Counter[str]) -> Reason:
        if self._attacked:
            return Reason.PRESENTATION_ATTACK
        if len(votes) > 1:
            return Reason.AMBIGUOUS
        if len(self._samples) == self.rules.window:
            return Reason.NOT_ENROLLED
        return self._hindrance

    def _verdict(self, reason: Reason, frame: Frame, subject_id: str | None = None) -> Verdict:
        return Verdict(reason, subject_id, self.evidence(frame, None if reason is Reason.MATCHED else self.hint))
