"""Where an embedder puts turned and ruined pictures (kiosk.vision.ruins.Ruins): NAME-ruins.npy and its line of the
manifest.

    python -m models.train.embedder.ruins NAME [NAME ...] [--shared FOLDER] [--pictures NUMBER]

For any embedder of the manifest. The centre is the mean of the unit feature vectors of whole pictures, turned by
quarters, in which the detector finds a face all the same. The bounds are those that REFUSED of the same pictures,
upright (masked faces among them), do not keep: no ruin takes part. `kiosk evaluate ruins`
measures what they do, on others. Needs the package alone.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.evaluation.ruin_kinds import QUARTERS, UPRIGHT
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.alignment import align
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models, load
from kiosk.vision.quality import Bounds, Gate

SHARD = Path("faces") / "frames-00.tar"
REFUSED = 0.02  # of the upright pictures, by each bound: heads far back, children, covered faces
Vectors = NDArray[np.float32]


def whole_pictures(shared: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """So many of the shard, evenly spread."""
    with tarfile.open(shared / SHARD) as tar:
        members = sorted((m for m in tar if m.isfile()), key=lambda m: m.name)
        with click.progressbar(members[:: max(1, len(members) // count)], label="Pictures", file=sys.stderr) as shown:
            for member in shown:
                content = tar.extractfile(member)
                assert content is not None
                picture = cv2.imdecode(np.frombuffer(content.read(), np.uint8), cv2.IMREAD_COLOR)
                yield np.asarray(picture, np.uint8)


def seen(
    pictures: Iterator[NDArray[np.uint8]], models: Models, embedders: Sequence[FaceEmbedder]
) -> tuple[list[Vectors], list[Vectors]]:
    """Feature vectors, N x D for each embedder: of the pictures as they are, past the whole gate, and of their quarter
    turns, past all of the gate but the look at the way up."""
    bounds = Bounds(guide=1.0)
    upright, turned = Gate(bounds, models.detector.upright), Gate(bounds, lambda *_: True)
    kept: tuple[list[list[Vectors]], list[list[Vectors]]] = ([], [])
    for picture in pictures:
        for ruin, gate, rows in ((UPRIGHT, upright, kept[0]), *((q, turned, kept[1]) for q in QUARTERS)):
            image = ruin.change(picture)
            faces = models.detector.detect(image)
            if faces and gate.assess(image, faces[0]).flaw is None:
                face = align(image, faces[0])
                rows.append([e.vector(face) for e in embedders])
    first, second = ([np.array(column) for column in zip(*rows, strict=True)] for rows in kept)
    return first, second


def measured(upright: Vectors, turned: Vectors, refused: float = REFUSED) -> tuple[Vectors, float, float]:
    """(centre, min_length, max_cosine)."""
    centre = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).mean(0)
    centre = (centre / np.linalg.norm(centre)).astype(np.float32)
    lengths = np.linalg.norm(upright, axis=1)
    cosines = upright @ centre / lengths
    return centre, float(np.quantile(lengths, refused)), float(np.quantile(cosines, 1 - refused))


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("names", nargs="+")
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--pictures", type=int, default=900)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--out", type=Path, default=default_folder())
    o = a.parse_args()
    models = [load(ModelsConfig(embedder=name, threads=o.threads), PolicyConfig()) for name in o.names]
    pictures = whole_pictures(o.shared, o.pictures)
    upright, turned = seen(pictures, models[0], [m.embedder for m in models])
    for name, up, over in zip(o.names, upright, turned, strict=True):
        centre, shortest, nearest = measured(up, over)
        path = o.out / f"{name}-ruins.npy"
        np.save(path, centre)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        lengths, cosines = np.linalg.norm(over, axis=1), over @ centre / np.linalg.norm(over, axis=1)
        passed = ((lengths >= shortest) & (cosines <= nearest)).sum()
        print(f"# {name}: {len(up)} faces upright; {passed} of {len(over)} turned ones would pass this wall")
        print(
            f'evidence = {{ file = "{path.name}", sha256 = "{sha256}", min_length = {shortest:.2f}, '
            f"max_cosine = {nearest:.3f} }}"
        )


if __name__ == "__main__":
    main()
