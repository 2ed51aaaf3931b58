"""Tries once, on the demonstration's visitors, whether a network does what its manifest entry says.

`check_apart` tries a foreign network, in a process without rights (kiosk.evaluation.confined).
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.errors import ModelError
from kiosk.domain.face import Face, Image, Vector
from kiosk.domain.matching import cosine, quantize
from kiosk.sections import ModelsConfig
from kiosk.vision.alignment import align
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import AnyEntry, DetectorEntry, EmbedderEntry, HeldManifest, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load_cohort, load_pad
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture

TEMPLATE_NUMBERS = 128
"""Length of the templates in the gallery."""
SECONDS = 120
ROUNDING = 0.03
"""Largest allowed change of a score by rounding templates to bytes. Measured: 0.006 with a suitable scale."""
APART = 0.7
"""Scores of two different visitors must be below this. Measured: at most 0.46 with three embedders and correct input,
0.98 and more with a wrong mean or std."""


def check(manifest: Manifest, entry: AnyEntry, threads: int = 1) -> None:
    """Raises ModelError when the network is missing, altered or cannot be loaded, has other input or output shapes than
    its role needs, gives useless numbers, or cannot tell the visitors apart."""
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
    """Runs check() in a separate process without rights. Raises ModelError."""
    command = [sys.executable, "-P", "-m", "kiosk.evaluation.confined", str(folder), name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - our own
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{name}: the trial of the network took more than {SECONDS} s") from error
    if done.returncode == 2 and done.stderr.strip():
        raise ModelError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise ModelError(f"{name}: the network broke the process that tried it (exit status {done.returncode})")


def held(folder: Path, name: str) -> HeldManifest:
    """Reads in advance everything that the trial of a network reads, so that the trial needs no right to read files.
    Raises ModelError."""
    _visitors()
    return HeldManifest(Manifest(folder), [name])


@cache
def _visitors() -> tuple[tuple[Image, Face], ...]:
    """Pictures of invented people, with their faces as the shipped detector finds them."""
    manifest = Manifest(default_folder())
    detector = FaceDetector.load(manifest, manifest.entry(ModelsConfig().detector, DetectorEntry), 1)
    images = [SimulatedCamera.enrolment_picture(visitor) for visitor in VISITORS]
    return tuple((image, detector.detect(image)[0]) for image in images)


def _embedder(manifest: Manifest, entry: EmbedderEntry, threads: int) -> None:
    if entry.dimension != TEMPLATE_NUMBERS:
        raise ModelError(
            f"{entry.name}: gives {entry.dimension} numbers a face; the gallery keeps templates of {TEMPLATE_NUMBERS}"
        )
    load_cohort(manifest, entry)
    embedder = FaceEmbedder(Network.load(manifest, entry, threads), entry)
    faces = [align(image, face) for image, face in _visitors()]
    vectors = [embedder.vector(f) for f in faces]
    darker = [embedder.vector(picture((f * 0.7).astype(np.uint8))) for f in faces]
    if not np.isfinite([*vectors, *darker]).all():
        raise ModelError(f"{entry.name}: gives numbers that are not finite")
    templates = [quantize(v, entry.template_scale) for v in vectors]
    pairs = list(combinations(range(len(faces)), 2))
    scores = [_score(vectors[a], vectors[b]) for a, b in pairs]
    if max(scores) >= min(APART, *map(_score, vectors, darker)):
        raise ModelError(
            f"{entry.name}: takes visitors for one another (score {max(scores):.4f}): are colour, mean and std right?"
        )
    if any(abs(cosine(templates[a], templates[b]) - s) > ROUNDING for (a, b), s in zip(pairs, scores, strict=True)):
        raise ModelError(f"{entry.name}: template_scale {entry.template_scale:g} does not fit: bytes lose the face")


def _score(a: Vector, b: Vector) -> float:
    return float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))


def _detector(manifest: Manifest, entry: DetectorEntry, threads: int) -> None:
    detector = FaceDetector.load(manifest, entry, threads)
    for image, face in _visitors():
        found = detector.detect(image)
        if len(found) != 1 or found[0].box.iou(face.box) < 0.5:
            raise ModelError(f"{entry.name}: does not find the visitors' faces: are colour, mean and std right?")
    for shape in ((480, 640), (97, 131)):
        detector.detect(np.full((*shape, 3), 127, np.uint8))


def _pad(manifest: Manifest, entry: PadEntry, threads: int) -> None:
    pad = load_pad(manifest, [entry], threads)
    (image, face), *_ = _visitors()
    noise = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    if np.ptp([pad.score(p, face) for p in (image, np.full_like(image, 127), noise)]) < 1e-6:
        raise ModelError(f"{entry.name}: gives the same score for every picture: everything would pass, or nothing")
