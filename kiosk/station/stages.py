"""The stages of a frame, and the boundary around each: it turns a fault into a denial, and measures the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from kiosk.domain.attempt import Attempt
from kiosk.domain.decision import Comparison, Decision, Reason
from kiosk.domain.errors import OutdatedError, StageError, UnsafeError
from kiosk.domain.face import Face, Frame, Quality, Vector
from kiosk.domain.lingering import Lingering
from kiosk.domain.people import Embedding
from kiosk.domain.ports.gallery import EarlierMatcher, Matcher
from kiosk.domain.ports.recognition import Detector, Embedder, PresentationAttackDetector, QualityGate
from kiosk.domain.transition import Kept
from kiosk.domain.verification import Expected


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a frame, in this order. `lingering`: faces that never leave; the door and staff's booth leave out
    the same ones. `seen`: is told each decision on a face with its attempt; never raises, and returns at once.
    `earlier`: the references of the embedder of before, while it is being changed."""

    detector: Detector
    quality: QualityGate
    pad: PresentationAttackDetector
    embedder: Embedder
    matcher: Matcher
    lingering: Lingering = field(default_factory=Lingering)
    seen: Callable[[Decision, Attempt | None], None] = lambda *_: None
    earlier: EarlierMatcher | None = None

    def look(self, watch: Stopwatch, frame: Frame, face: Face) -> tuple[float, Embedding | None]:
        """(PAD score, embedding) of one face, from one detection in one frame. None if it is no natural face."""
        with watch.stage("pad", Reason.PAD_FAULT):
            pad = self.pad.score(frame.image, face)
        with watch.stage("embed", Reason.EMBEDDER_FAULT):
            return pad, self.embedder.embed(frame.image, face)

    def compared(self, made: Embedding, expected: Expected | None) -> Comparison:
        """The comparison with the claimed person only, or with the whole gallery. While the embedder is being changed a
        face that matches nobody by the current network is compared with references of the earlier one, by that
        network's own vector."""
        found = self._current(made.vector, expected)
        if found.mated or self.earlier is None or made.earlier is None or not self.earlier.counts_earlier:
            return found
        probe = made.earlier()
        if probe is None:  # no natural face for the earlier network
            return found
        if expected is None:
            before = self.earlier.search_earlier(probe)
        else:
            before = self.earlier.verify_earlier(probe, expected.subject_id)
        return before if before.mated else found

    def kept(
        self, frame: Frame, faces: tuple[Face, ...], quality: Quality, made: Embedding, comparison: Comparison
    ) -> Kept | None:
        """What current references may be made of (station.renewals): a frame that an earlier reference has matched."""
        if self.earlier is None or not comparison.mated or comparison.model_id == self.embedder.model_id:
            return None
        return Kept(frame.image, faces, quality, made)

    def _current(self, probe: Vector, expected: Expected | None) -> Comparison:
        return self.matcher.search(probe) if expected is None else self.matcher.verify(probe, expected.subject_id)


class Stopwatch:
    """The stages of the latest frame. `seconds`: the time of each stage by name. `passed`: the fault reasons of the
    stages that had no fault."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.passed: set[Reason] = set()

    def start(self) -> None:
        """Starts a new frame."""
        self.seconds.clear()
        self.passed.clear()

    @contextmanager
    def stage(self, name: str, reason: Reason) -> Iterator[None]:
        """Runs a stage. Turns any error into a StageError with this reason, or with the error's own reason if it has
        one."""
        begin = perf_counter()
        try:
            yield
        except OutdatedError as error:
            raise StageError(Reason.REFERENCES_OF_ANOTHER_MODEL, error) from error
        except UnsafeError as error:
            raise StageError(Reason.UNSAFE_POLICY, error) from error
        except Exception as error:
            raise StageError(reason, error) from error
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - begin
        self.passed.add(reason)
        if name == "search":
            self.passed |= {Reason.REFERENCES_OF_ANOTHER_MODEL, Reason.UNSAFE_POLICY}
