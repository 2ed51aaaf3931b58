"""The way of a frame, from picture to decision: one function, no thread, no clock, no device.

Tests, `kiosk replay`, `kiosk bench` and the running kiosk all go through `Pipeline.step`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kiosk.domain.attempt import PASSING_BY, Attempt, Rules, Sample, Verdict
from kiosk.domain.events import Decided, Event, Faulted, Observed, Recovered, Waiting
from kiosk.domain.policy import decide
from kiosk.domain.ports import Detector, Embedder, Matcher, PresentationAttackDetector, QualityGate
from kiosk.domain.types import Decision, Evidence, Face, Flaw, Frame, Outcome, Quality, Reason
from kiosk.service.stages import StageFault, Stopwatch
from kiosk.service.standing_faults import StandingFaults
from kiosk.vision.tracking import FrozenPicture, Tracker

WHOLE_FRAME = frozenset({Reason.CAMERA_UNAVAILABLE, Reason.STALE_FRAME, Reason.INTERNAL_FAULT})
"""Faults that a fresh frame which went through has ended."""
QUIET_SECONDS = 60.0
"""So long after the last pause, refusals no longer count as in a row: the morning does not pay for the night."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What a frame passes, in this order."""

    detector: Detector
    quality: QualityGate
    pad: PresentationAttackDetector
    embedder: Embedder
    matcher: Matcher


class Pipeline:
    """`step` turns a frame into events. `min_face` (px of the box's width) is when a second face disturbs;
    `largest_badge` what a panel can be told, None where the kiosk's own door has the lock."""

    def __init__(
        self,
        stages: Stages,
        rules: Rules,
        min_face: float,
        door_ready: Callable[[], bool],
        largest_badge: int | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        clock: Callable[[Evidence], Reason | None] = lambda _: None,
    ) -> None:
        """`clock` tells why the time of an evidence is not known (Timekeeper.trouble)."""
        self._stages = stages
        self._rules = rules
        self._min_face = min_face
        self._door_ready = door_ready
        self._largest_badge = largest_badge
        self._new_id = new_id
        self._clock = clock
        self._tracker = Tracker()
        self._frozen = FrozenPicture()
        self._attempt: Attempt | None = None
        self._resume_at = 0.0
        self._refusals = 0
        self._faults = StandingFaults()
        self.stopwatch = Stopwatch()

    def step(self, frame: Frame) -> list[Event]:
        """Never raises: a fault of any stage is a refusal with its reason."""
        self.stopwatch.start()
        try:
            events = self._step(frame)
        except StageFault as fault:
            return self.interrupt(fault.reason, str(fault), frame.captured_at, frame.wall_at, frame.number)
        except Exception as error:  # noqa: BLE001 - between the stages: whatever it is, it denies and is recorded
            message = f"{type(error).__name__}: {error}"
            return self.interrupt(Reason.INTERNAL_FAULT, message, frame.captured_at, frame.wall_at, frame.number)
        return [*self._recovered(frame.captured_at), *events]

    def expect(self, reason: Reason) -> None:
        """A fault that was told before the first frame: it is not told again, but its end is."""
        self._faults.see(reason, -math.inf)

    def interrupt(self, reason: Reason, message: str, at: float, wall_at: datetime, number: int = -1) -> list[Event]:
        """Something outside or inside failed: an open attempt is refused. Without one, the fault is refused and so
        recorded once, until it has gone and come again."""
        known = not self._faults.see(reason, at)
        attempt, self._attempt = self._attempt, None
        self._tracker.drop()
        if known and attempt is None:
            return []
        evidence = Evidence(number, at, wall_at)
        decision = Decision(
            id=self._new_id(),
            outcome=Outcome.REFUSED,
            reason=reason,
            subject_id=None,
            evidence=evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            detail=message[:200],
        )
        self._settle(decision, at)
        return [Decided(decision)] if known else [Faulted(reason, message), Decided(decision)]

    def _recovered(self, at: float) -> list[Event]:
        """What was at fault, works on this frame, and has not failed for a while."""
        return [Recovered(r) for r in self._faults.passed(self.stopwatch.passed | WHOLE_FRAME, at)]

    def _step(self, frame: Frame) -> list[Event]:
        stages, watch = self._stages, self.stopwatch
        if self._frozen.check(frame):
            return self._hindered(frame, (), None, Reason.CAMERA_UNAVAILABLE)
        with watch.stage("detect", Reason.DETECTOR_FAULT):
            faces = tuple(stages.detector.detect(frame.image))
        if not faces:
            return self._nobody(frame)
        near = [f for f in faces if f.box.width >= self._min_face]
        if len(near) > 1:
            return self._hindered(frame, faces, None, Reason.SEVERAL_FACES)
        with watch.stage("quality", Reason.QUALITY_FAULT):
            quality = stages.quality.assess(frame.image, faces[0])
        track = self._tracker.follow(faces[0], frame.captured_at)
        return self._present(frame, faces, quality, track)

    def _present(self, frame: Frame, faces: tuple[Face, ...], quality: Quality, track: int) -> list[Event]:
        """One face, judged and tracked."""
        if self._attempt is None:
            if quality.flaw in PASSING_BY or frame.captured_at < self._resume_at:
                return [Observed(frame.number, faces, quality, 0.0)]
            self._attempt = Attempt(self._rules, track, frame)
        attempt = self._attempt
        if attempt.track != track:
            attempt.restart(track, Reason.INCOMPLETE)
        if quality.flaw is not None:
            attempt.hinder(Reason.POOR_QUALITY)
            return self._conclude(frame, faces, quality, attempt.expire(frame))
        sample = self._sample(frame, faces[0], quality)
        if sample is None:
            attempt.hinder(Reason.POOR_QUALITY)
            return self._conclude(frame, faces, Quality(0.0, Flaw.UNNATURAL), attempt.expire(frame))
        verdict = attempt.add(sample, frame) or attempt.expire(frame)
        return self._conclude(frame, faces, quality, verdict)

    def _sample(self, frame: Frame, face: Face, quality: Quality) -> Sample | None:
        """PAD, template and search of one face: all of the same detection in the same frame. None for what is no
        natural face."""
        stages, watch = self._stages, self.stopwatch
        with watch.stage("pad", Reason.PAD_FAULT):
            pad = stages.pad.score(frame.image, face)
            bona_fide = pad >= stages.pad.threshold
        with watch.stage("embed", Reason.EMBEDDER_FAULT):
            probe = stages.embedder.embed(frame.image, face)
        if probe is None:
            return None
        with watch.stage("search", Reason.GALLERY_FAULT):
            comparison = stages.matcher.search(probe)
        return Sample(frame.number, frame.captured_at, quality, pad, bona_fide, comparison)

    def _conclude(
        self, frame: Frame, faces: tuple[Face, ...], quality: Quality | None, verdict: Verdict | None
    ) -> list[Event]:
        progress = self._attempt.progress if self._attempt else 0.0
        observed = Observed(frame.number, faces, quality, progress)
        if verdict is None:
            return [observed]
        return [observed, Decided(self._decision(verdict, frame))]

    def _hindered(self, frame: Frame, faces: tuple[Face, ...], quality: Quality | None, because: Reason) -> list[Event]:
        """This frame can be no evidence, and what was gathered before it no longer is."""
        if self._attempt is None:
            return [Observed(frame.number, faces, quality, 0.0)]
        self._attempt.restart(self._attempt.track, because)
        return self._conclude(frame, faces, quality, self._attempt.expire(frame))

    def _nobody(self, frame: Frame) -> list[Event]:
        lost = self._tracker.lost(frame.captured_at)
        if lost and self._refusals == 0:
            self._resume_at = frame.captured_at
        if self._attempt is None:
            return [Waiting(frame.number)]
        if not lost:
            return self._conclude(frame, (), None, self._attempt.expire(frame))
        verdict = self._attempt.abandon(frame)
        if verdict is None:
            self._attempt = None
            return [Waiting(frame.number)]
        return [Decided(self._decision(verdict, frame)), Waiting(frame.number)]

    def _decision(self, verdict: Verdict, frame: Frame) -> Decision:
        """The policy's word on a verdict. A gallery or door that fails here refuses."""
        matched = verdict.reason is Reason.MATCHED and verdict.subject_id is not None
        with self.stopwatch.stage("policy", Reason.GALLERY_FAULT):
            subject = self._stages.matcher.subject(verdict.subject_id) if matched and verdict.subject_id else None
        with self.stopwatch.stage("door", Reason.DOOR_UNAVAILABLE):
            ready = matched and self._door_ready()
        clock = self._clock(verdict.evidence)
        outcome, reason = decide(verdict, subject, ready, self._largest_badge, clock)
        attempt, self._attempt = self._attempt, None
        decision = Decision(
            id=self._new_id(),
            outcome=outcome,
            reason=reason,
            subject_id=verdict.subject_id,
            evidence=verdict.evidence,
            track=attempt.track if attempt else None,
            started_at=attempt.started_at if attempt else None,
            badge=subject.badge if subject is not None and self._largest_badge is not None else None,
        )
        self._settle(decision, frame.captured_at)
        return decision

    def _settle(self, decision: Decision, at: float) -> None:
        """No attempt opens for a while; after a grant it may as soon as whoever was let in has gone."""
        if at - self._resume_at > QUIET_SECONDS:
            self._refusals = 0
        self._refusals = 0 if decision.granted else self._refusals + 1
        self._resume_at = at + (self._rules.rest if decision.granted else self._rules.pause_after(self._refusals))
