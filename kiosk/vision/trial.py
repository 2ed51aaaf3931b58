"""Does a network do what its manifest entry says? Tried once before it is trusted with a door.

As a program, `python -m kiosk.vision.trial FOLDER NAME`, the trial has a process of its own with bounds on memory and
time: a file from somewhere else may crash or fill whatever opens it. Exit status 2 with one line for a bad network.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from kiosk.domain.errors import ModelError
from kiosk.domain.matching import cosine, quantize
from kiosk.domain.types import Box, Face, Image
from kiosk.vision.alignment import SIZE
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import AnyEntry, DetectorEntry, EmbedderEntry, Manifest, PadEntry
from kiosk.vision.network import Network
from kiosk.vision.pad import MeanPad

TEMPLATE_NUMBERS = 128
"""The gallery keeps templates of this length."""
MEMORY_BYTES = 2 << 30
"""Beyond what the process has at its start."""
SECONDS = 120
SAME = 0.9999
"""Cosine of feature vectors that are one and the same, but for rounding."""
ROUNDING = 0.03
"""What bytes may change of a score; 0.006 with a scale that fits."""


def check(manifest: Manifest, entry: AnyEntry, threads: int = 1) -> None:
    """Raises ModelError when the network is missing, altered, cannot be loaded, takes or gives other shapes than its
    role asks for, or gives numbers that are of no use."""
    try:
        if isinstance(entry, EmbedderEntry):
            _embedder(manifest, entry, threads)
        elif isinstance(entry, DetectorEntry):
            _detector(manifest, entry, threads)
        else:
            _pad(manifest, entry, threads)
    except ModelError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ModelError(f"{entry.name}: does not work as {entry.role}: {reason}") from error


def check_apart(folder: Path, name: str) -> None:
    """The same in a process of its own. Raises ModelError."""
    command = [sys.executable, "-m", "kiosk.vision.trial", str(folder), name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - our own
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{name}: the trial of the network took more than {SECONDS} s") from error
    if done.returncode == 2 and done.stderr.strip():
        raise ModelError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise ModelError(f"{name}: the network broke the process that tried it (exit status {done.returncode})")


def pictures(height: int, width: int) -> list[Image]:
    """Three pictures that have nothing in common: grey, noise, a slope of brightness."""
    grey = np.full((height, width, 3), 127, np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    slope = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3))
    return [grey, noise, slope.copy()]


def _embedder(manifest: Manifest, entry: EmbedderEntry, threads: int) -> None:
    if entry.dimension != TEMPLATE_NUMBERS:
        raise ModelError(
            f"{entry.name}: gives {entry.dimension} numbers a face; the gallery keeps templates of {TEMPLATE_NUMBERS}"
        )
    embedder = FaceEmbedder(Network.load(manifest, entry, threads), entry)
    vectors = [embedder.vector(p) for p in pictures(SIZE, SIZE)]
    if not np.isfinite(vectors).all() or any(np.linalg.norm(v) < 1e-6 for v in vectors):
        raise ModelError(f"{entry.name}: gives numbers that are not finite or have no direction")
    templates = [quantize(v, entry.template_scale) for v in vectors]
    for (a, s), (b, t) in pairwise(zip(vectors, templates, strict=True)):
        score = float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
        if score > SAME:
            raise ModelError(f"{entry.name}: gives the same numbers for every picture: everybody would match")
        if abs(cosine(s, t) - score) > ROUNDING:
            raise ModelError(f"{entry.name}: template_scale {entry.template_scale:g} does not fit: bytes lose the face")


def _detector(manifest: Manifest, entry: DetectorEntry, threads: int) -> None:
    detector = FaceDetector.load(manifest, entry, threads)
    for picture in [*pictures(480, 640), *pictures(97, 131)]:
        detector.detect(picture)


def _pad(manifest: Manifest, entry: PadEntry, threads: int) -> None:
    pad = MeanPad([(Network.load(manifest, entry, threads), entry)], entry.threshold)
    face = Face(Box(200, 150, 120, 150), ((0.0, 0.0),) * 5, 1.0)
    if np.ptp([pad.score(picture, face) for picture in pictures(480, 640)]) < 1e-6:
        raise ModelError(f"{entry.name}: gives the same score for every picture: everything would pass, or nothing")


def main() -> int:
    """FOLDER and NAME from the command line."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder, name = Path(sys.argv[1]), sys.argv[2]
    try:
        manifest = Manifest(folder)
        check(manifest, next(e for e in manifest.entries if e.name == name))
    except ModelError as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201 - a program of one line
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
