"""What the answers of an embedder's second output refuse at enrolment, and what they miss.

    python -m models.train.quality.measure --work FOLDER NAME [NAME ...] [--shared FOLDER] [--models FOLDER]

Pictures that nothing was fitted with: LFW's View 1, and held-out people (aligned pictures, enlarged). As enrolment sees
them: the kiosk's detector and gate, and of what these take the answers alone. Then the same faces of LFW with covers or
light from one side drawn on them (pictures.py). And real masks: of the set of masks the pictures up to WORN
show one, and those after it none, as somebody has seen who looked at all that the gate takes. Nothing of that set is
fitted for "mouth_covered". The faces and the numbers are kept in the work folder.
"""

from __future__ import annotations

import argparse
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.config import Config, ModelsConfig, PolicyConfig
from kiosk.domain.face import Hint
from kiosk.station.assembly import ANY_PLACE, gate
from kiosk.vision.alignment import align
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.models import load
from kiosk.vision.pixels import picture
from models.train.common.faces import Face as Listed
from models.train.common.faces import read_faces, read_heldout, shared_folder
from models.train.quality.pictures import NATURAL, Picture, around, changed

WORN = "masks/00474.webp"
HELDOUT = 400
"""Held-out pictures of each source."""
Seen = dict[str, NDArray[np.uint8]]
Numbers = NDArray[np.float32]


def shown(shared: Path) -> Iterator[tuple[str, Picture]]:
    """(set, picture): all of LFW's View 1 and of the masks, some of each source of held-out people."""
    faces = shared / "faces"
    yield from (("LFW", image) for _, image in _read(faces / "lfw-view1-devtest.tar"))
    for path, image in _read(faces / "frames-00.tar", "masks/"):
        yield ("real masks" if path <= WORN else "their set, bare"), image
    held = read_heldout(read_faces(shared))
    for source in sorted({f.source for f in held}):
        of_source = [f for f in held if f.source == source]
        yield from ((f"held-out {source}", image) for image in _aligned(faces, of_source))


def _read(shard: Path, within: str = "") -> Iterator[tuple[str, Picture]]:
    with tarfile.open(shard) as tar:
        for member in sorted((m for m in tar if m.isfile() and m.name.startswith(within)), key=lambda m: m.name):
            file = tar.extractfile(member)
            assert file is not None
            image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
            if image is not None:
                yield member.name, picture(image)


def _aligned(folder: Path, faces: Sequence[Listed]) -> Iterator[Picture]:
    """HELDOUT of these faces, evenly over them, each in the middle of a larger picture."""
    chosen, rng = faces[:: max(1, len(faces) // HELDOUT)][:HELDOUT], np.random.default_rng(0)
    for shard in sorted({f.shard for f in chosen}):
        names = {f.path: f for f in chosen if f.shard == shard}
        yield from (around(image, names[path], rng) for path, image in _read(folder / shard) if path in names)


def taken(shared: Path) -> Seen:
    """The aligned faces that enrolment's detector and gate take, by set."""
    config = Config()
    models = load(config.models, config.policy)
    quality = gate(config.quality, models, ANY_PLACE)
    kept: dict[str, list[Picture]] = {}
    for name, image in tqdm(shown(shared), "pictures", mininterval=20):
        found = models.detector.detect(image)
        if found and quality.assess(image, found[0]).flaw is None:
            kept.setdefault(name, []).append(align(image, found[0]))
    return {name: np.stack(faces) for name, faces in kept.items()}


def with_covers(seen: Seen) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The sets as they are, and LFW's faces as a camera may show them, covered or lit from one side."""
    yield from seen.items()
    rng = np.random.default_rng(1)
    for kind in NATURAL[1:]:
        yield f"LFW, {kind}", np.stack([changed(face, kind, rng) for face in seen["LFW"][::3]])


def measure(embedder: FaceEmbedder, sets: Sequence[tuple[str, NDArray[np.uint8]]]) -> dict[str, Numbers]:
    """Prints what the answers say of each set: of the natural faces in it, the share with each hint and with any.
    Gives the numbers of all faces: of each set N x K, in the order of the network's answers."""
    numbers = {}
    print("| faces | " + " | ".join((*Hint, "any hint")) + " | no natural face |\n|" + "---|" * (len(Hint) + 3))
    for name, faces in sets:
        looks = [embedder.look(face) for face in tqdm(faces, name, mininterval=20)]
        numbers[name] = np.stack([look.numbers for look in looks])
        said = [embedder.judged(look) for look in looks]
        natural = [made.hints for made in said if made is not None]
        shares = [sum(hint in hints for hints in natural) / len(natural) for hint in Hint]
        any_hint = sum(bool(hints) for hints in natural)
        cells = [f"{v:.3f}" for v in (*shares, any_hint / len(natural), 1 - len(natural) / len(said))]
        print(f"| {name} ({len(said)}) | " + " | ".join(cells) + " |", flush=True)
    return numbers


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("names", nargs="+")
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--shared")
    a.add_argument("--models", type=Path, help="another folder with a manifest than the program's own")
    o = a.parse_args()
    path = o.work / "quality-seen.npz"
    if not path.exists():
        o.work.mkdir(parents=True, exist_ok=True)
        np.savez(path, **taken(shared_folder(o.shared)))
    with np.load(path) as file:
        sets = list(with_covers(dict(file)))
    for name in o.names:
        config = ModelsConfig(embedder=name, folder=o.models, threads=1)
        print(f"\n{name}\n")
        np.savez(o.work / f"quality-numbers-{name}.npz", **measure(load(config, PolicyConfig()).embedder, sets))


if __name__ == "__main__":
    main()
