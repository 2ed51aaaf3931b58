"""Processes a frame from picture to decision: one function, without thread, clock or device.

Tests, `kiosk replay`, `kiosk bench` and the running kiosk all use `Pipeline.step`.
"""

from __future__ import annotations

import math
import queue
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from kiosk.domain.attempt import PASSING_BY, Attempt, Rules, Sample, Verdict
from kiosk.domain.decision import Decision, Evidence, Reason
from kiosk.domain.errors import CameraError, StageError
from kiosk.domain.face import Face, Flaw, Frame, Quality, Vector
from kiosk.domain.refusals import FaceAlone, FaceLimit
from kiosk.domain.tracking import Seen, Tracker
from kiosk.domain.updates import FaceStays, Faulted, Finding, Observed, Proposed, Recovered, Waiting
from kiosk.domain.verification import Claims, Expected, LetIn, Told
from kiosk.station.aftermath import Aftermath
from kiosk.station.deciding import Decider
from kiosk.station.stages import Stages, Stopwatch
from kiosk.station.standing_faults import WHOLE_FRAME, StandingFaults
from kiosk.vision.frozen import Memory


class Pipeline:
    """`step` turns a frame into findings. `min_face`: a second face counts from this width of its box on (px).
    `largest_badge`: the largest number that fits a panel's cards; None if kiosk-door owns the lock."""

    def __init__(
        self,
        stages: Stages,
        rules: Rules,
        min_face: float,
        door_ready: Callable[[], bool],
        largest_badge: int | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        clock: Callable[[Evidence], Reason | None] = lambda _: None,
        alike: Callable[[Vector, Vector], bool] = lambda *_: False,
        limit: FaceLimit | None = None,
        face_alone: Callable[[], bool] = lambda: True,
        searches: bool = True,
    ) -> None:
        """`clock`: why the time of an evidence is not known (Timekeeper.trouble). `alike`: whether two vectors are
        certainly of one face, to recognise a refused person. `limit`: whether a face may open the door now.
        `face_alone`: whether it is enough in this gallery, without a claim that says who it is. `searches`: whether a
        face without a claim is looked for in the gallery; if not, it is not even embedded."""
        self._searches = searches
        self._stages = stages
        self._rules = rules
        self._min_face = min_face
        self._limit = limit or FaceAlone(None)
        self._decider = Decider(stages, door_ready, largest_badge, new_id, clock, self._limit, face_alone)
        self._tracker = Tracker()
        self._memory = Memory()
        self._aftermath = Aftermath(rules, alike)
        self._attempt: Attempt | None = None
        self._expected: Expected | None = None
        """The claim of the open attempt; None for a face alone."""
        self._claims = Claims()
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._faults = StandingFaults()
        self.stopwatch = Stopwatch()

    def step(self, frame: Frame) -> list[Finding]:
        """Processes a frame. Never raises: a fault of any stage becomes a refusal with its reason."""
        return self._guarded(self._step, frame)

    def put_aside(self, frame: Frame) -> list[Finding]:
        """Ends an open attempt: staff take the camera, and this frame is theirs. Never raises."""
        return [*([] if self._attempt is None else self._guarded(self._taken, frame)), *self._news()]

    def _news(self) -> list[Finding]:
        return [] if (news := self._stages.lingering.news()) is None else [FaceStays(news)]

    def _guarded(self, do: Callable[[Frame], list[Finding]], frame: Frame) -> list[Finding]:
        self.stopwatch.start()
        try:
            findings = do(frame)
        except StageError as fault:
            return self.interrupt(fault.reason, str(fault), frame.captured_at, frame.wall_at, frame.number)
        except Exception as error:  # noqa: BLE001 - any error between the stages denies and is recorded
            message = f"{type(error).__name__}: {error}"
            return self.interrupt(Reason.INTERNAL_FAULT, message, frame.captured_at, frame.wall_at, frame.number)
        over = self._faults.passed(self.stopwatch.passed, frame.captured_at)
        return [*map(Recovered, over), *findings]

    @property
    def busy(self) -> bool:
        """Whether somebody is in the middle of an attempt."""
        return self._attempt is not None

    def tell(self, told: Told) -> None:
        """Takes news of a claim, from any thread. It counts from the next frame on."""
        self._told.put(told)

    def expect(self, reason: Reason) -> None:
        """Takes a fault that was reported before the first frame. It is not reported again, but its end is."""
        self._faults.see(reason, -math.inf)

    def interrupt(self, reason: Reason, message: str, at: float, wall_at: datetime, number: int = -1) -> list[Finding]:
        """Takes a fault inside or outside the pipeline. An open attempt is refused. Without an attempt, the fault
        itself is recorded as a refusal, once until it has ended and come again."""
        known = not self._faults.see(reason, at)
        attempt = self._closed(at)
        expected = None if attempt is None else self._expected
        self._aftermath.fault(attempt, reason, at, claimed=expected is not None)
        self._tracker.drop()
        self._listen()
        if known and attempt is None:
            return []
        decision = self._decider.fault(reason, message, Evidence(number, at, wall_at), attempt, expected)
        self._aftermath.after_fault(at)
        return [Proposed(decision)] if known else [Faulted(reason, message), Proposed(decision)]

    def _step(self, frame: Frame) -> list[Finding]:
        """A claim that has come, or whose time is over, ends the open attempt. The frame counts for the next one."""
        self._listen()
        findings = [*self._ended(frame), *self._seen(frame), *self._news()]
        self.stopwatch.passed |= WHOLE_FRAME
        return findings

    def _listen(self) -> None:
        """Takes what the reception has told."""
        while not self._told.empty():
            told = self._told.get_nowait()
            if isinstance(told, LetIn):
                # The person is in: what the camera had compared so far counts, and is no refusal.
                attempt = self._closed(told.at)
                self._aftermath.fault(attempt, Reason.INCOMPLETE, told.at, claimed=self._expected is not None)
                self._aftermath.opened(told.subject_id, told.at)
            else:
                self._claims.take(told)

    def _ended(self, frame: Frame) -> list[Finding]:
        """Ends an open attempt that is of another claim than the one that is open now, or too late for it. What it has
        compared counts: claiming again refills no budget."""
        at = frame.captured_at
        same = self._claims.now(at) is self._expected and self._claims.looks(at)
        return [] if self._attempt is None or same else self._broken_off(self._attempt, frame)

    def _taken(self, frame: Frame) -> list[Finding]:
        self._tracker.drop()
        return [] if self._attempt is None else self._broken_off(self._attempt, frame, Reason.CAMERA_TAKEN)

    def _broken_off(self, attempt: Attempt, frame: Frame, because: Reason = Reason.INCOMPLETE) -> list[Finding]:
        """Ends the open attempt: a refusal if it has compared anything."""
        verdict = attempt.abandon(frame)
        if verdict is None or self._stays(verdict, frame.captured_at):
            self._attempt = None
            return []
        reason = because if verdict.reason is Reason.INCOMPLETE else verdict.reason
        return [self._proposed(replace(verdict, reason=reason), frame)]

    def _seen(self, frame: Frame) -> list[Finding]:
        stages, watch = self._stages, self.stopwatch
        with watch.stage("repeats", Reason.INTERNAL_FAULT):
            seen = self._memory.take(frame)
        if self._memory.frozen:
            raise StageError(Reason.CAMERA_UNAVAILABLE, CameraError("the camera shows what it has shown before"))
        with watch.stage("detect", Reason.DETECTOR_FAULT):
            faces = stages.lingering.without(stages.detector.detect(frame.image), frame.captured_at)
        near = [f for f in faces if f.box.width >= self._min_face]
        self._aftermath.look(frame.captured_at, bool(near))
        if not faces:
            return self._nobody(frame)
        if len(near) > 1:
            return self._hindered(frame, faces, Reason.SEVERAL_FACES)
        with watch.stage("repeats", Reason.INTERNAL_FAULT):
            seen = self._memory.face(faces[0].box) if seen is Seen.NEW else seen
        track = self._tracker.follow(faces[0], frame.captured_at, seen)
        if seen is Seen.FROZEN:
            return self._hindered(frame, faces, Reason.CAMERA_UNAVAILABLE)
        with watch.stage("quality", Reason.QUALITY_FAULT):
            quality = stages.quality.assess(frame.image, faces[0])
        return self._present(frame, faces, quality, track, seen)

    def _present(
        self, frame: Frame, faces: tuple[Face, ...], quality: Quality, track: int, seen: Seen
    ) -> list[Finding]:
        """Handles the one face of a frame, after quality and track are known."""
        if self._attempt is None:
            at, claim = frame.captured_at, self._claims.now(frame.captured_at)
            waits = self._limit.off(at) or self._aftermath.waits(track, faces[0].box, at)
            rests = self._aftermath.rests(at, claimed=claim is not None) or not self._claims.looks(at)
            if waits or rests or quality.flaw in PASSING_BY:
                return [Observed(frame.number, faces, quality, 0.0, self._aftermath.let_in, waits)]
            if claim is None and not self._searches:
                there = self._aftermath.let_in
                return [Observed(frame.number, faces, quality, 0.0, there, claim_first=not there)]
            self._attempt, self._expected = Attempt(self._rules, track, frame), claim
        attempt, stages = self._attempt, self._stages
        if attempt.track != track:
            attempt.restart(track, Reason.INCOMPLETE)
        if quality.flaw is not None:
            attempt.hinder(Reason.POOR_QUALITY)
            return self._conclude(frame, faces, quality, attempt.expire(frame))
        followed = self._rules.followed(self._tracker.frames, frame.captured_at - self._tracker.since)
        if seen is not Seen.NEW or not followed:
            attempt.hinder(Reason.INCOMPLETE if seen is Seen.NEW else Reason.CAMERA_UNAVAILABLE)
            return self._conclude(frame, faces, quality, attempt.expire(frame))
        pad, made = stages.look(self.stopwatch, frame, faces[0])
        if made is None:
            attempt.hinder(Reason.POOR_QUALITY)
            return self._conclude(frame, faces, Quality(0.0, Flaw.UNNATURAL), attempt.expire(frame))
        probe = made.vector
        attempt.hinted(made.hints)
        if self._aftermath.had_enough(probe, track, frame.captured_at):
            return self._turn_away(frame, faces, quality, attempt, probe)
        with self.stopwatch.stage("search", Reason.GALLERY_FAULT):
            comparison = stages.compared(made, self._expected)
        if attempt.is_first_match(comparison) and not self._stands(frame, faces[0]):
            comparison, quality = replace(comparison, subject_id=None), Quality(0.0, Flaw.TURNED_OVER)
        live = pad >= stages.pad.threshold
        kept = stages.kept(frame, faces, quality, made, comparison)
        sample = Sample(frame.number, frame.captured_at, quality, pad, live, comparison, probe, kept)
        return self._conclude(frame, faces, quality, attempt.add(sample, frame) or attempt.expire(frame))

    def _stands(self, frame: Frame, face: Face) -> bool:
        """Whether the first frame of an attempt that matches a subject is upright. If not, it counts for nobody."""
        with self.stopwatch.stage("quality", Reason.QUALITY_FAULT):
            return self._stages.quality.upright(frame.image, face)

    def _turn_away(
        self, frame: Frame, faces: tuple[Face, ...], quality: Quality, attempt: Attempt, probe: Vector
    ) -> list[Finding]:
        """Ends the attempt of a face that must not be compared, because it has used up its attempts or must wait. If
        the attempt has compared something before, that is a refusal."""
        tells = attempt.compared == 0 and self._aftermath.to_tell(probe, frame.captured_at)
        verdict = attempt.turned_away(frame) if tells else attempt.abandon(frame)
        if verdict is not None:
            return self._conclude(frame, faces, quality, verdict)
        self._attempt = None
        return [Observed(frame.number, faces, quality, 0.0, waits=True)]

    def _conclude(
        self, frame: Frame, faces: tuple[Face, ...], quality: Quality | None, verdict: Verdict | None
    ) -> list[Finding]:
        progress, hint = (self._attempt.progress, self._attempt.hint) if self._attempt else (0.0, None)
        observed = Observed(frame.number, faces, quality, progress, hint=None if progress else hint)
        if verdict is None:
            return [observed]
        if self._stays(verdict, frame.captured_at):
            return [replace(observed, let_in=True)]
        return [observed, self._proposed(verdict, frame)]

    def _stays(self, verdict: Verdict, at: float) -> bool:
        """Whether the attempt's face is of a person who was let in and has not left. Then it is over."""
        if stays := self._aftermath.stays(verdict, self._attempt, at):
            self._attempt = None
        return stays

    def stayed_closed(self, decision: Decision) -> None:
        """Notes that the door did not act on this grant. The person may try again without leaving first."""
        if decision.subject_id is not None:
            self._aftermath.stayed_closed(decision.subject_id)

    def _hindered(self, frame: Frame, faces: tuple[Face, ...], because: Reason) -> list[Finding]:
        """Handles a frame that cannot be evidence. The samples before it no longer count."""
        if self._attempt is None:
            return [Observed(frame.number, faces, None, 0.0)]
        self._attempt.restart(self._attempt.track, because)
        return self._conclude(frame, faces, None, self._attempt.expire(frame))

    def _nobody(self, frame: Frame) -> list[Finding]:
        lost = self._tracker.lost(frame.captured_at)
        if lost:
            self._aftermath.left(frame.captured_at)
        if self._attempt is None:
            return [Waiting(frame.number)]
        if not lost:
            return self._conclude(frame, (), None, self._attempt.expire(frame))
        return [*self._broken_off(self._attempt, frame), Waiting(frame.number)]

    def _proposed(self, verdict: Verdict, frame: Frame) -> Proposed:
        """Turns a verdict into a decision by the policy. A fault of gallery or door here refuses the open attempt."""
        at = frame.captured_at
        decision = self._decider.decide(verdict, self._attempt, at, self.stopwatch, self._expected)
        attempt = self._closed(at)
        self._limit.refused(decision.reason, at, verdict.evidence.comparison is not None)
        self._aftermath.settle(decision, verdict, attempt, self._tracker.box, at)
        known = attempt if decision.granted else None
        return Proposed(decision, known.kept(decision.subject_id) if known and decision.subject_id else ())

    def _closed(self, at: float) -> Attempt | None:
        """Ends the open attempt, and returns it. A claim has one only."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None and self._expected is not None and self._expected is self._claims.now(at):
            self._claims.looked()
        return attempt
