"""Makes the demonstration's visitors: composites of several people each, so that they are nobody.

    python -m models.train.visitors --shared ../shared --work build/composites kiosk/demonstration/visitors

A composite is the average of a person and those nearest to them by the teacher's embedding who are different people
(cosine between any two members below `SAME`), warped onto the members' mean shape. It is kept only when it is close
neither to another composite nor to any of its members. Nothing of one single person goes into a picture.

Needs opencv, numpy, onnxruntime and mediapipe 0.10 (Apache-2.0; its face mesh gives the shape, its selfie segmentation
the matte), in an environment of its own: mediapipe pins an older numpy than the kiosk.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from models.train.common.folders import SHARED
from models.train.visitors.drawing import composite
from models.train.visitors.people import Sample, Teacher, choose, collect, look, spread_seeds

NAMES = ("ada", "ben", "cleo", "stranger")
SEEDS = [157, 589, 280, 132]
"""Of those that `--seeds` without numbers proposes, the ones that look best."""
MAX_TO_MEMBER, MAX_BETWEEN = 0.35, 0.25


README = """# The demonstration's visitors

Nobody. Each picture is the average of at least eight different adults, warped onto their mean shape. Neck and clothes
are drawn. `models.train.visitors` made them and wrote this file.

Source: {pool} frontal pictures of CelebA (Liu et al., 2015: for non-commercial research only; the pictures belong to
their owners). No picture of the set, and no part of one, is here. The composites may be used to demonstrate and test
this kiosk, under the same research-only terms. Shape and matte: MediaPipe (Apache-2.0). Embedder: MobileFaceNet y1 of
InsightFace (non-commercial research), used to choose and to measure only.

"Different" means: the embedder gives any two people of a composite a cosine below 0.40. A composite is kept only if its
cosine is at most 0.35 to each of its own people and at most 0.25 to each other composite.

| picture | people | closest two of them | to its people, mean | at most | to the rest of the pool, at most | size |
|---|---|---|---|---|---|---|
{table}

{between}
"""


def encode(picture: np.ndarray, matte: np.ndarray, limit: int = 60_000) -> bytes:
    """WebP with alpha, the best quality that stays below `limit` bytes."""
    for quality in range(92, 40, -4):
        done, data = cv2.imencode(".webp", np.dstack([picture, matte]), [cv2.IMWRITE_WEBP_QUALITY, quality])
        if done and len(data) < limit:
            return bytes(data)
    raise ValueError("the picture does not fit")


@dataclass
class Made:
    """A finished composite and what was measured on it."""

    seed: int
    members: list[int]
    picture: np.ndarray
    matte: np.ndarray
    vector: np.ndarray

    @property
    def shown(self) -> np.ndarray:
        """Before a plain wall, for looking and measuring."""
        return before_wall(self.picture, self.matte)


def before_wall(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    cut = matte[..., None] / 255
    return (picture * cut + 200 * (1 - cut)).astype(np.uint8)


def make(
    seed: int, samples: list[Sample], vectors: np.ndarray, looks: np.ndarray, teacher: Teacher, work: Path
) -> Made | None:
    """A composite that resembles none of its members: whoever it resembles too much leaves. None when that leaves
    fewer than eight."""
    members = choose(seed, samples, vectors, looks)
    while len(members) >= 8:
        picture, matte = composite([samples[i] for i in members], seed, work)
        shown = before_wall(picture, matte)
        faces = teacher.faces(shown)
        if len(faces) != 1:
            return None
        vector = teacher.embed(shown, faces[0])
        likeness = vectors[members] @ vector
        print(f"{seed}: {len(members)} people, likeness to the nearest {likeness.max():.2f}, "
              f"to anybody {(vectors @ vector).max():.2f}", flush=True)  # fmt: skip
        if likeness.max() <= MAX_TO_MEMBER:
            return Made(seed, members, picture, matte, vector)
        members.pop(int(likeness.argmax()))
    return None


def select(made: list[Made], count: int) -> list[Made]:
    """The first `count`, in the order given, no two of which are closer than MAX_BETWEEN."""
    for chosen in combinations(made, count):
        if all(float(a.vector @ b.vector) <= MAX_BETWEEN for a, b in combinations(chosen, 2)):
            return list(chosen)
    raise SystemExit(f"no {count} of these composites are distinct enough: give more seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--work", type=Path, required=True, help="for the cache and pictures to look at")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="none: propose some, write nothing else")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    teacher = Teacher(args.shared / "weights")
    samples = collect(args.shared, args.work, teacher)
    vectors = np.array([s.vector for s in samples])
    looks = np.array([look(s) for s in samples])
    seeds = args.seeds or spread_seeds(samples, vectors, looks)
    made = [m for seed in seeds if (m := make(seed, samples, vectors, looks, teacher, args.work))]
    for m in made:
        cv2.imwrite(str(args.work / f"{m.seed}.png"), m.shown)
    between = np.array([[a.vector @ b.vector for b in made] for a in made])
    print([m.seed for m in made], np.round(between, 2), sep="\n")
    if not args.seeds:
        return
    args.out.mkdir(parents=True, exist_ok=True)
    lines = []
    chosen = select(made, len(NAMES))
    for name, m in zip(NAMES, chosen, strict=True):
        data = encode(m.picture, m.matte)
        (args.out / f"{name}.webp").write_bytes(data)
        pairs = (vectors[m.members] @ vectors[m.members].T)[np.triu_indices(len(m.members), 1)]
        own = vectors[m.members] @ m.vector
        others = np.delete(vectors, m.members, 0) @ m.vector
        lines.append(f"| {name} | {len(m.members)} | {pairs.max():.2f} | {own.mean():.2f} | {own.max():.2f} "
                     f"| {others.max():.2f} | {len(data) / 1000:.0f} kB |")  # fmt: skip
    pairs = [float(a.vector @ b.vector) for a, b in combinations(chosen, 2)]
    figures = f"Between composites: {np.mean(pairs):.2f} in the mean, {max(pairs):.2f} at most."
    (args.out / "README.md").write_text(README.format(table="\n".join(lines), between=figures, pool=len(samples)))


if __name__ == "__main__":
    main()
