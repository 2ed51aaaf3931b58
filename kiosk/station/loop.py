"""The running kiosk: a camera thread, a pipeline thread, and a LatestFrame between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Event as Flag
from threading import Thread
from typing import Protocol, TypeVar

import structlog

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.decision import Decision, Reason
from kiosk.domain.door.grants import DoorResult
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame
from kiosk.domain.ports.camera import Camera
from kiosk.domain.transition import Kept
from kiosk.domain.updates import Decided, DoorAnswered, FaceStays, Faulted, Finding, Proposed, Recovered, Update
from kiosk.station.access import Access
from kiosk.station.attention import Attention
from kiosk.station.latest import LatestFrame
from kiosk.station.metering import Meter
from kiosk.station.pipeline import Pipeline
from kiosk.system.health import Health
from kiosk.system.memory import give_back

FRAME_TIMEOUT = 2.0
"""A camera counts as failed after this many seconds without a frame."""
OPENING_TIMEOUT = 7.0
"""The same for the first frame, because a camera needs time to open."""
MAX_BACKOFF = 10.0
T = TypeVar("T")
log = structlog.get_logger("kiosk")


def unfailing(listen: Callable[[T], None]) -> Callable[[T], None]:
    """Wraps `listen` so that its errors are only logged: an observer must not stop the decisions."""

    told = ""

    def listening(what: T) -> None:
        nonlocal told
        try:
            listen(what)
        except Exception as error:  # noqa: BLE001 - a window or a console: no grant depends on it
            trouble = f"{type(error).__name__}: {error}"
            if trouble != told:
                told = trouble
                log.error("listener_failed", error=trouble)

    return listening


class Aside(Protocol):
    """What may keep frames from the door's pipeline (station.booth)."""

    def take(self, frame: Frame) -> bool:
        """Whether it keeps this frame. Never raises."""

    def lost(self, message: str) -> None:
        """Takes note that the camera gives no frame."""


class Station:
    """Runs the threads around `Pipeline.step`. The pipeline thread calls `publish`,
    the camera thread `show`; neither may block."""

    def __init__(
        self,
        camera: Camera,
        pipeline: Pipeline,
        access: Access,
        health: Health,
        clock: Callable[[], float],
        publish: Callable[[Update], None],
        show: Callable[[Frame], None],
        max_age: float,
        policy: Mapping[str, str | int | float | bool | None] | None = None,
        aside: Aside | None = None,
        scan: Callable[[Frame], None] | None = None,
        renew: Callable[[Decision, Sequence[Kept]], None] = lambda *_: None,
    ) -> None:
        """`max_age`: a frame older than these seconds is no evidence. `policy`: the deciding settings, for the start
        record. `aside`: what may keep frames from the pipeline. `scan` takes frames in which somebody is and no attempt
        is open, to look for QR codes. `renew` takes the frames behind a grant that the door has acted on, after that
        was published (station.renewals)."""
        self._camera = camera
        self._pipeline = pipeline
        self._access = access
        self._health = health
        self._clock = clock
        self._publish = publish
        self._show = show
        self._max_age = max_age
        self._aside = aside
        self._policy = dict(policy or {})
        self._scan = scan
        self._renew = renew
        self._latest = LatestFrame()
        self._attention = Attention()
        self._meter = Meter(camera)
        self._patience = OPENING_TIMEOUT
        self._stop = Flag()
        self.finished = Flag()
        """Set when nothing more will be decided: at the end of the recording, or when the pipeline has died."""
        self.died = True
        """Whether the pipeline died; false after a normal end."""
        self._threads = (
            Thread(target=self._watch, name="camera", daemon=True),
            Thread(target=self._decide, name="pipeline", daemon=True),
        )

    def start(self) -> None:
        """Starts both threads."""
        self._access.note(AuditRecord(AuditKind.START, datetime.now(UTC), detail=self._policy))
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stops both threads. Does not wait longer than `timeout` for a thread that hangs in its device."""
        self._stop.set()
        self._latest.end()
        for thread in self._threads:
            thread.join(timeout)
        self._access.note(AuditRecord(AuditKind.STOP, datetime.now(UTC)))

    def _watch(self) -> None:
        """The camera thread: opens the camera, reads frames, and opens it again with growing pauses."""
        wait = 0.5
        while not self._stop.is_set():
            self._health.beat("camera")  # before it opens: a driver may hang there
            try:
                self._camera.open()
                while not self._stop.is_set():
                    self._health.beat("camera")
                    frame = self._camera.read(FRAME_TIMEOUT)
                    wait = 0.5
                    if self._attention.shown(frame):
                        self._show(frame)
                    self._latest.put(frame)
                    if self._camera.live:
                        self._stop.wait(self._attention.rest(frame))
                    else:
                        self._latest.wait_taken(FRAME_TIMEOUT)
            except EOFError:
                break
            except CameraError as error:
                self._latest.fail(str(error))
            except Exception as error:  # noqa: BLE001 - any error of a driver counts as a failed camera
                self._latest.fail(f"{type(error).__name__}: {error}")
            finally:
                self._camera.close()
            self._health.beat("camera")
            self._stop.wait(wait)
            wait = min(2 * wait, MAX_BACKOFF / 2)
        self._latest.end()
        self._health.leave("camera")

    def _decide(self) -> None:
        """The pipeline thread."""
        try:
            while not self._stop.is_set():
                self._health.beat("pipeline")
                if not self._turn():
                    break
            self.died = False
        finally:
            self.finished.set()
        self._health.leave("pipeline")

    def _turn(self) -> bool:
        """Processes one frame, or reports why there is none. False at the end of the recording or story."""
        try:
            frame = self._latest.take(self._patience)
            self._patience = FRAME_TIMEOUT
            findings = self._look(frame)
        except EOFError:
            return False
        except CameraError as error:
            if self._aside is not None:
                self._aside.lost(str(error))
            findings = self._interrupt(Reason.CAMERA_UNAVAILABLE, str(error))
        for finding in findings:
            self._tell(finding)
        return True

    def _look(self, frame: Frame) -> list[Finding]:
        age = self._clock() - frame.captured_at
        fresh = 0 <= age <= self._max_age
        if fresh and not self._attention.due(frame):
            return []
        if not fresh:
            return self._interrupt(Reason.STALE_FRAME, f"the frame is {age:.2f} s old")
        if self._aside is not None and self._aside.take(frame):
            self._attention.used(frame)
            return self._pipeline.put_aside(frame)  # staff use the camera: no decision rests on this frame
        findings = self._pipeline.step(frame)
        self._attention.found(frame, findings)
        self._meter.see(frame, findings)
        if self._scan is not None and self._attention.somebody(frame) and not self._pipeline.busy:
            self._scan(frame)
        return findings

    def _interrupt(self, reason: Reason, message: str) -> list[Finding]:
        return self._pipeline.interrupt(reason, message, self._clock(), datetime.now(UTC))

    def _tell(self, finding: Finding) -> None:
        """Settles a proposed decision; logs and publishes all other findings unchanged."""
        updates = self._settle(finding.decision) if isinstance(finding, Proposed) else [finding]
        for update in updates:
            if isinstance(update, Faulted):
                log.error("fault", reason=update.reason.value, message=update.message)
                self._access.note(AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=update.reason))
            elif isinstance(update, Recovered):
                log.info("recovered", reason=update.reason.value)
            elif isinstance(update, FaceStays):
                outcome = AuditOutcome.FACE_STAYS if update.there else AuditOutcome.FACE_GONE
                log.warning(outcome.value)
                self._access.note(AuditRecord(AuditKind.STAFF, datetime.now(UTC), outcome=outcome))
            self._publish(update)
        if not isinstance(finding, Proposed):
            return
        if finding.kept and any(map(acted, updates)):
            self._renew(finding.decision, finding.kept)
        give_back()

    def _settle(self, proposed: Decision) -> list[Update]:
        updates = self._access.settle(proposed)
        if proposed.granted and not any(map(acted, updates)):
            self._pipeline.stayed_closed(proposed)
        return [update for update in updates if not is_over(update)]


def acted(update: Update) -> bool:
    """Whether the door or the panel acted on a grant."""
    return isinstance(update, DoorAnswered) and update.reply.result in {DoorResult.RELEASED, DoorResult.PRESENTED}


def is_over(update: Update) -> bool:
    """Whether it is the refusal of somebody whose claim was over, by the PIN or the face that came first. It is
    recorded, but the person in front reads "welcome" meanwhile, or has left."""
    return isinstance(update, Decided) and update.decision.reason is Reason.CLAIM_OVER
