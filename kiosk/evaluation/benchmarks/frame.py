"""Measures how long a frame takes from picture to decision, stage by stage, on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from kiosk.config import Config
from kiosk.demonstration.scene import HOLD, HOLD_BEGINS, Scene
from kiosk.demonstration.story import STORY, Kind
from kiosk.domain.attempt import Rules
from kiosk.domain.decision import Comparison
from kiosk.domain.errors import KioskError, ModelError
from kiosk.domain.face import Frame, Image, Vector
from kiosk.domain.matching import Cohort
from kiosk.domain.people import Reference, Subject
from kiosk.domain.ports.recognition import QualityGate
from kiosk.domain.renewal import TurnedMatrix, Turning, randomness
from kiosk.domain.thresholds import Thresholds
from kiosk.domain.updates import Proposed
from kiosk.station.pipeline import Pipeline
from kiosk.station.stages import Stages
from kiosk.vision.manifest import EmbedderEntry, Input, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture

WIDTH, HEIGHT, RATE = 640, 480, 30.0
REFERENCES = 1000
STAGES = ("repeats", "detect", "quality", "pad", "embed", "search")
WARM_UP = 10
"""Number of first frames, and of first comparisons of two embedders, that are not counted."""
PATIENCE = 1000
"""The measurement is given up after this many frames in a row without a usable face."""
TURN = 5
"""Number of faces for one embedder before the other has its turn."""


class RandomGallery:
    """Implements the port Matcher with random references. They belong to nobody, but a search costs as much as a real
    one."""

    def __init__(
        self,
        model_id: str,
        dimension: int,
        thresholds: Thresholds,
        count: int = REFERENCES,
        cohort: Cohort | None = None,
    ) -> None:
        rows = np.random.default_rng(1).integers(-60, 61, (count, dimension), np.int8)
        now = datetime.now(UTC)
        self._matrix = TurnedMatrix(
            model_id,
            dimension,
            cohort or Cohort(),
            Turning.made(np.random.default_rng(2).bytes(randomness(dimension)), dimension),
            (Reference(f"r{i}", f"s{i}", model_id, row, 1.0, now) for i, row in enumerate(rows)),
        )
        self._threshold = thresholds.for_gallery(self._matrix.sizes).score

    def search(self, probe: Vector) -> Comparison:
        """The nearest of the random references."""
        return self._matrix.search(probe, self._threshold)

    def verify(self, probe: Vector, subject_id: str | None) -> Comparison:
        """No frame of a benchmark is claimed."""
        raise NotImplementedError

    def subject(self, subject_id: str) -> Subject | None:
        """None: this gallery has no subjects, so nobody may pass."""
        return None


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`step` and `stages` cover the `frames` that passed every stage. `seen` also counts frames without a usable face.
    `first_decision`: seconds from the start of this process, including Python's own start, without waiting for
    frames."""

    stages: dict[str, Times]
    step: Times
    frames: int
    seen: int
    fps: float
    first_decision: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Contest:
    """Medians in milliseconds of one run of two embedders' networks, one face at a time, alternating. `runs`: how many
    runs one template of ours takes."""

    ours: float
    other: float
    runs: int

    @property
    def ratio(self) -> float:
        """The other's time divided by ours."""
        return self.other / self.ours


def pipeline(config: Config, models: Models, gate: QualityGate) -> Pipeline:
    """The kiosk's own pipeline with random references, and a new attempt directly after each decision."""
    entry, attempt = models.embedder_entry, config.attempt
    gallery = RandomGallery(entry.model_id, entry.dimension, models.thresholds, cohort=models.cohort)
    return Pipeline(
        Stages(models.detector, gate, models.pad, models.embedder, gallery),
        Rules(attempt.needed, attempt.window, attempt.seconds, pause=0.0, rest=0.0, again=True),
        config.quality.min_face,
        door_ready=lambda: True,
    )


def scene() -> Iterator[Image]:
    """Pictures of the demonstration's live visitors, who stand before the kiosk one after another. Raises CameraError
    when a visitor's picture is missing."""
    view = Scene()
    moments = [(visit, i / RATE) for visit in STORY if visit.kind is Kind.LIVE for i in range(round(HOLD * RATE))]
    for number, (visit, t) in enumerate(moments):
        yield view.render(visit, HOLD_BEGINS + t, number)


def frames(images: Iterable[Image]) -> Iterator[Frame]:
    """Pictures as 640 x 480 frames of a camera. Each gets its own noise, because repeated pictures are no evidence."""
    begin = datetime.now(UTC)
    grain = np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH, 3), np.uint8)
    for number, image in enumerate(images):
        fit = image.shape[:2] == (HEIGHT, WIDTH)
        sized = image if fit else picture(cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))
        sized = picture(cv2.add(sized, np.roll(grain, 7 * number)))
        yield Frame(sized, number, number / RATE, begin + timedelta(seconds=number / RATE))


def measure(way: Pipeline, source: Iterable[Frame], count: int) -> Timing:
    """Times `count` frames that pass every stage. Raises KioskError when the source has too few of them, or when a
    stage fails."""
    stages: dict[str, list[float]] = {name: [] for name in STAGES}
    steps: list[float] = []
    first_decision: float | None = None
    seen = unfit = 0
    warm_up = WARM_UP
    for frame in source:
        begin = time.perf_counter()
        events = way.step(frame)
        took = time.perf_counter() - begin
        seen += 1
        decided = next((e.decision for e in events if isinstance(e, Proposed)), None)
        if decided is not None and decided.detail:
            raise KioskError(f"a stage failed while it was timed: {decided.detail}")
        if decided is not None and first_decision is None:
            first_decision = process_age()
        seconds = way.stopwatch.seconds
        unfit = unfit + 1 if "search" not in seconds else 0
        if unfit >= PATIENCE:
            break
        if unfit or warm_up > 0:
            warm_up -= not unfit
            continue
        steps.append(took)
        for name, times in stages.items():
            times.append(seconds[name])
        if len(steps) >= count and first_decision is not None:
            break
    if len(steps) < count or first_decision is None:
        raise KioskError(f"only {len(steps)} of {seen} frames hold a face that is fit to be compared")
    return Timing(
        stages={name: times_of(t) for name, t in stages.items()},
        step=times_of(steps),
        frames=len(steps),
        seen=seen,
        fps=len(steps) / sum(steps),
        first_decision=first_decision,
        rss_mb=resident_mb(),
    )


ALIGNED = (112, 112)


def contest(config: Config, other: Path, count: int) -> Contest:
    """Compares our embedder with the one in the file `other`: the same threads, one random face at a time, `count`
    each.

    Raises ModelError when the file is not an embedder of 1 x 3 x 112 x 112 floats.
    """
    manifest = Manifest(config.models.folder or default_folder())
    entry = manifest.entry(config.models.embedder, EmbedderEntry)
    ours = Network.load(manifest, entry, config.models.threads, config.models.provider)
    try:
        content = other.read_bytes()
    except OSError as error:
        raise ModelError(f"{other}: cannot be read ({error.strerror})") from error
    # Only the time matters, so any scale will do.
    scale = Input(colour="rgb", mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))
    theirs = Network(content, scale, str(other), config.models.threads, config.models.provider)
    given = {
        network: np.random.default_rng(2).uniform(-1, 1, (TURN, 1, 3, *size)).astype(np.float32)
        for network, size in ((ours, entry.input.size or ALIGNED), (theirs, ALIGNED))
    }
    try:
        theirs.run_batch(given[theirs][0])
    except Exception as error:
        raise ModelError(f"{other}: does not take one face of 3 x 112 x 112 floats: {error}") from error
    times: dict[Network, list[float]] = {ours: [], theirs: []}
    for turn in range(2 * WARM_UP // TURN + -(-count // TURN)):
        for network in (ours, theirs) if turn % 2 else (theirs, ours):
            for face in given[network]:
                begin = time.perf_counter()
                network.run_batch(face)
                times[network].append(time.perf_counter() - begin)
    medians = [float(np.median(times[n][2 * WARM_UP :])) * 1e3 for n in (ours, theirs)]
    return Contest(medians[0], medians[1], runs=2 if entry.mirrored else 1)


def process_age() -> float:
    """Seconds since this process was started, to a hundredth (proc(5): field 22 of stat)."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def resident_mb(field: str = "VmRSS") -> float:
    """Memory of this process that is resident now, in MiB; with the field VmHWM the most so far (proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def times_of(seconds: list[float]) -> Times:
    """The percentiles of times in seconds."""
    p50, p99 = np.percentile(seconds, (50, 99)) * 1e3
    return Times(float(p50), float(p99))
