"""Measures a gallery of random references: how long it takes to load, its memory, and a search, beside other ways."""

from __future__ import annotations

import gc
import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Vector
from kiosk.domain.matching import Centres, Cohort
from kiosk.domain.people import NewReference, Reference
from kiosk.domain.products import kernel_for, plain
from kiosk.domain.renewal import UNTURNED, TurnedMatrix
from kiosk.evaluation.benchmarks.frame import Times, resident_mb, times_of
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.turning import new_turning
from kiosk.system.memory import let_measure

MODEL = "random"
DIMENSION = 128
SPREAD = 28
"""The standard deviation of a byte, as in the shipped networks' templates."""
SEALED = 50_000
"""Largest number of references that are sealed in a gallery on disk first; more go from memory into the matrix."""
EACH = 5
"""References of one subject."""
PROBES = 50
TOGETHER = 10_000
"""Random templates that are made at a time."""
OURS, NUMPY, FAISS = "kiosk", "numpy", "faiss"


@dataclass(frozen=True, slots=True)
class GalleryTiming:
    """`load`: seconds from a sealed gallery on disk to a matrix that can be searched; None for more than SEALED.
    `memory`: bytes of the process that the matrix takes, `peak` the most while it was made. `searches`: by the names
    above; faiss is missing where it is not installed."""

    references: int
    kernel: str
    load: float | None
    memory: int
    peak: int
    searches: dict[str, Times]

    def ratio(self, other: str) -> float | None:
        """Our median divided by that of another; None if that was not measured."""
        return self.searches[OURS].p50 / self.searches[other].p50 if other in self.searches else None


def measure(count: int, searches: int, cohort: Cohort) -> GalleryTiming:
    """Loads `count` references and searches them so often, in turns with numpy alone and with faiss, if it can be
    imported. All templates lie near some of the cohort's centres, so that there is an excess to be counted. Raises
    GalleryError."""
    centres, sealed = cohort.centres, count <= SEALED
    if sealed:
        with tempfile.TemporaryDirectory(prefix="kiosk-gallery-") as name:
            home = Home(Path(name))
            _fill(home, _references(count, centres))
            matrix, load, memory, peak = _loaded(lambda: _from_disk(home, cohort))
    else:
        turning = new_turning()  # random templates are as good turned as not: a search takes the same time
        references = _references(count, centres)
        matrix, load, memory, peak = _loaded(lambda: TurnedMatrix(MODEL, DIMENSION, cohort, turning, references))
    ways: dict[str, Callable[[Vector], object]] = {OURS: lambda probe: matrix.search(probe, 1.0)}
    reference = TurnedMatrix(MODEL, DIMENSION, cohort, UNTURNED, _references(count, centres), plain)
    ways[NUMPY] = lambda probe: reference.search(probe, 1.0)
    if (other := _faiss(count, centres)) is not None:
        ways[FAISS] = other
    found = _timed(ways, searches, centres)
    return GalleryTiming(count, kernel_for(count).__name__, load if sealed else None, memory, peak, found)


def templates(count: int, centres: Centres | None, seed: int = 1) -> Iterator[NDArray[np.int8]]:
    """Random templates, TOGETHER rows at a time at most; the same for the same seed."""
    random = np.random.default_rng(seed)
    near = (
        None if centres is None else centres * (SPREAD * np.sqrt(DIMENSION) / np.linalg.norm(centres, axis=1))[:, None]
    )
    for start in range(0, count, TOGETHER):
        rows = random.normal(0, SPREAD, (min(TOGETHER, count - start), DIMENSION))
        if near is not None:
            rows = (rows + near[random.integers(len(near), size=len(rows))]) / np.sqrt(2)
        yield np.clip(np.rint(rows), -127, 127).astype(np.int8)


def _references(count: int, centres: Centres | None) -> Iterator[Reference]:
    now = datetime.now(UTC)
    for i, template in enumerate(chain.from_iterable(templates(count, centres))):
        yield Reference(f"{i:016x}", f"{i // EACH:016x}", MODEL, template, 1.0, now)


def _fill(home: Home, found: Iterator[Reference]) -> None:
    gallery = open_gallery(home)
    try:
        gallery.store.execute("PRAGMA synchronous=OFF")  # nobody lives here
        while part := list(islice(found, EACH)):
            new = [NewReference(r.template.astype(np.float32), MODEL, r.quality) for r in part]
            gallery.add_subject(f"Subject {part[0].subject_id}", new)
    finally:
        gallery.close()


def _from_disk(home: Home, cohort: Cohort) -> TurnedMatrix:
    gallery = open_gallery(home)
    try:
        found = gallery.enrolled(MODEL)
        return TurnedMatrix(MODEL, DIMENSION, cohort, found.turning, found.references)
    finally:
        gallery.close()


def _loaded(make: Callable[[], TurnedMatrix]) -> tuple[TurnedMatrix, float, int, int]:
    """The matrix, and what making it took: seconds, bytes afterwards, bytes at most."""
    gc.collect()
    before = resident_mb()
    let_measure()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): begins VmHWM anew
    begin = time.perf_counter()
    matrix = make()
    took = time.perf_counter() - begin
    gc.collect()
    return matrix, took, round((resident_mb() - before) * 2**20), round((resident_mb("VmHWM") - before) * 2**20)


def _faiss(count: int, centres: Centres | None) -> Callable[[Vector], object] | None:
    """A search of faiss's flat index of signed bytes, on one thread; None where faiss is not installed."""
    try:
        faiss: Any = importlib.import_module("faiss")
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index = faiss.IndexScalarQuantizer(
        DIMENSION, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    )
    for rows in templates(count, centres):
        index.add(rows.astype(np.float32))
    return lambda probe: index.search(probe[np.newaxis], 1)


def _timed(ways: dict[str, Callable[[Vector], object]], searches: int, centres: Centres | None) -> dict[str, Times]:
    """The ways in turns, each search of all before the next one; the first PROBES searches are not counted."""
    probes = next(templates(PROBES, centres, seed=2)).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(searches + min(PROBES, searches)):
        probe = probes[turn % PROBES]
        for name, search in ways.items():
            begin = time.perf_counter()
            search(probe)
            seconds[name].append(time.perf_counter() - begin)
    return {name: times_of(taken[-searches:]) for name, taken in seconds.items()}
