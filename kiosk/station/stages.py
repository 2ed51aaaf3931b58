"""The stages of a frame, and the boundary around each: it turns a fault into a denial, and measures the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from kiosk.domain.attempt import Attempt
from kiosk.domain.decision import Comparison, Decision, Reason
from kiosk.domain.errors import OutdatedError, StageError, UnsafeError
from kiosk.domain.face import Vector
from kiosk.domain.lingering import Lingering
from kiosk.domain.ports.gallery import Matcher
from kiosk.domain.ports.recognition import Detector, Embedder, PresentationAttackDetector, QualityGate
from kiosk.domain.verification import Expected


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a frame, in this order. `lingering`: faces that never leave; the door and staff's booth leave out
    the same ones. `seen`: is told each decision on a face with its attempt; never raises, and returns at once."""

    detector: Detector
    quality: QualityGate
    pad: PresentationAttackDetector
    embedder: Embedder
    matcher: Matcher
    lingering: Lingering = field(default_factory=Lingering)
    seen: Callable[[Decision, Attempt | None], None] = lambda *_: None

    def compared(self, probe: Vector, expected: Expected | None) -> Comparison:
        """The comparison with the claimed person only, or with the whole gallery."""
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
