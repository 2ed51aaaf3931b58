"""Measures what the window costs: the rate of recognition with and without it, and the time from a face in the guide to
the decision. The window itself is given as two functions, because this layer does not know it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

import cv2
import numpy as np

from kiosk.demonstration.scene import HOLD, HOLD_BEGINS, Scene
from kiosk.demonstration.stage import stage
from kiosk.demonstration.story import STORY, Kind, Visit
from kiosk.domain.decision import Outcome
from kiosk.domain.face import Frame, Image
from kiosk.domain.presence import GONE_SECONDS
from kiosk.domain.updates import Decided, Observed, Proposed, Update
from kiosk.evaluation.benchmarks.frame import HEIGHT, WIDTH
from kiosk.station import assembly
from kiosk.station.pipeline import Pipeline
from kiosk.system.clock import boottime
from kiosk.vision.pixels import picture

BLOCK = 15
"""Frames with the window, then as many without it, and so on: both meet the same load of the machine."""
RATE = 15.0
"""Frames a second that a usual camera gives in the light of a door."""
GAP, WALK, STAY = GONE_SECONDS + 0.2, 2.0, 1.2
"""Seconds in which nobody is there, so that the one before counts as gone; in which somebody walks up; and stands."""
FROM = 3.0
"""Where the walk begins, in usual distances; one of them a second."""
MOST_LOSS, MOST_P50, MOST_P95 = 0.10, 0.4, 0.8

Show = Callable[[Frame], None]
Publish = Callable[[Update], None]


@dataclass(frozen=True, slots=True)
class Rates:
    """Frames a second through the pipeline."""

    without: float
    beside: float

    @property
    def ratio(self) -> float:
        """What the window leaves."""
        return self.beside / self.without

    @property
    def good(self) -> bool:
        """Whether it costs no more than MOST_LOSS."""
        return self.ratio >= 1 - MOST_LOSS


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the capture of the first frame whose face is in the guide, without a flaw, to the recorded decision.
    `missed`: visits that were not granted before they ended."""

    seconds: tuple[float, ...]
    missed: int

    @property
    def p50(self) -> float:
        """The median."""
        return float(np.percentile(self.seconds, 50)) if self.seconds else float("inf")

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return float(np.percentile(self.seconds, 95)) if self.seconds else float("inf")

    @property
    def good(self) -> bool:
        """Whether both are short enough and nobody was missed."""
        return self.missed == 0 and self.p50 <= MOST_P50 and self.p95 <= MOST_P95


def rates(way: Pipeline, source: Iterator[Frame], blocks: int, show: Show, publish: Publish) -> Rates:
    """Runs 2 x `blocks` blocks of BLOCK frames as fast as they go, every other one with the window. `source` must not
    end before."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for frame in islice(source, BLOCK):
        way.step(frame)
    for block in range(2 * blocks):
        frames, window = list(islice(source, BLOCK)), block % 2 == 0
        begin = time.perf_counter()
        for frame in frames:
            if window:
                show(frame)
            for finding in way.step(frame):
                if window:
                    publish(Decided(finding.decision) if isinstance(finding, Proposed) else finding)
        took[window].append(time.perf_counter() - begin)
    # The median: a block that another program has disturbed says nothing of the window.
    return Rates(without=BLOCK / float(np.median(took[False])), beside=BLOCK / float(np.median(took[True])))


@dataclass(slots=True)
class Approaches:
    """A camera to which enrolled people walk up, one after another, RATE frames a second. Nothing is drawn while it
    runs. `captured`: when each frame was."""

    visits: int
    live: bool = False
    captured: list[float] = field(default_factory=list)
    _people: list[list[Image]] = field(default_factory=list)
    _room: list[Image] = field(default_factory=list)
    _number: int = -1
    _begin: float | None = None
    _grain: Image = field(default_factory=lambda: np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH, 3), np.uint8))

    def open(self) -> None:
        """Draws all pictures."""
        scene = Scene()
        who: dict[str, Visit] = {
            visit.visitor.key: visit for visit in STORY if visit.kind is Kind.LIVE and visit.outcome is Outcome.GRANTED
        }
        times = [i / RATE for i in range(round((WALK + STAY) * RATE))]
        self._people = [
            [scene.render(visit, HOLD_BEGINS + t % HOLD, i, max(1.0, FROM - t)) for i, t in enumerate(times)]
            for visit in who.values()
        ]
        self._room = [scene.render(None, 0.0, i) for i in range(round(GAP * RATE))]

    def read(self, timeout: float) -> Frame:
        """The next frame, when it is due. Raises EOFError after the last visit."""
        self._number += 1
        cycle = len(self._room) + len(self._people[0])
        visit, at = divmod(self._number, cycle)
        if visit >= self.visits:
            raise EOFError
        now = boottime()
        self._begin = now if self._begin is None else self._begin
        due = self._begin + self._number / RATE
        if due > now:
            time.sleep(due - now)
        else:
            self._begin += now - due
        here = at - len(self._room)
        image = self._room[at] if here < 0 else self._people[visit % len(self._people)][here]
        self.captured.append(boottime())
        # Each picture has its own noise, because repeated pictures are no evidence.
        noisy = picture(cv2.add(image, np.roll(self._grain, 7 * self._number)))
        return Frame(noisy, self._number, self.captured[-1], datetime.now(UTC))

    def close(self) -> None:
        """Never raises."""

    def visit_of(self, number: int) -> int:
        """The visit that a frame belongs to."""
        return number // (len(self._room) + len(self._people[0]))


def delays(visits: int, show: Show, publish: Publish) -> Delays:
    """Runs the whole kiosk beside the window: camera, pipeline, audit log, door with a simulated lock. Raises
    KioskError."""
    eye = Approaches(visits)
    arrived: dict[int, float] = {}
    took: dict[int, float] = {}

    def told(update: Update) -> None:
        publish(update)
        if isinstance(update, Observed) and update.quality is not None and update.quality.flaw is None:
            arrived.setdefault(eye.visit_of(update.frame_number), eye.captured[update.frame_number])
        if isinstance(update, Decided) and update.decision.granted:
            visit = eye.visit_of(update.decision.evidence.frame_number)
            took.setdefault(visit, boottime() - arrived[visit])

    with stage() as (config, home), assembly.running(config, home, told, show, eye) as kiosk:
        kiosk.finished.wait()
    return Delays(tuple(took.values()), missed=visits - len(took))
