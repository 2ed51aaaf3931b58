"""The aligned faces that an embedder's second output is fitted with (fit.py), as the kiosk's detector sees them.

Whole pictures of the shared folder, as they are and ruined; and aligned ones, enlarged. What a door's camera does to
faces is drawn on the natural ones: light, blur, compression, noise, and masks, glasses or hats.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.domain.face import Face
from kiosk.vision.alignment import align, similarity
from kiosk.vision.detector import FaceDetector
from kiosk.vision.pixels import picture
from kiosk.vision.quality import Bounds, Gate, turned
from models.train.common.covers import COVERS, EYES, Cover, covered
from models.train.common.faces import Face as Listed
from models.train.common.faces import read_faces, training_faces
from models.train.quality.ruins import OFTEN, RUINS, Picture

NATURAL = ("natural", "changed", "mask", "dark glasses", "bar", "glasses", "hat", "uneven")
"""Kinds of upright, whole faces: as they are; as a camera may show them; behind something; lit from one side."""
KINDS = (*NATURAL, *RUINS)
WHOLE, ALIGNED = 3400, 3400
"""Pictures of either sort. Of each, one natural face, one with something drawn on it, RUINED ruined ones."""
RUINED = 2
BOUNDS = Bounds(guide=1.0, max_turn=0.6, min_face=40)
"""Of the pictures that are drawn from: a little wider than a door's."""
ENLARGED = 224
"""Pixels across an aligned picture when it is shown to the detector."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """N faces of 112 x 112 (BGR), the index of each one's kind in KINDS, the number of the picture it is from, and
    whether that is of a set in which every second face is behind a real mask, and none is marked."""

    faces: NDArray[np.uint8]
    kinds: NDArray[np.int64]
    origins: NDArray[np.int64]
    masked: NDArray[np.bool_]

    def of(self, chosen: NDArray[np.bool_]) -> Drawn:
        """Some of them."""
        return Drawn(self.faces[chosen], self.kinds[chosen], self.origins[chosen], self.masked[chosen])


def drawn(shared: Path, detector: FaceDetector, share: float = 1.0) -> Drawn:
    """The faces of the training's pictures, or of a share of them."""
    rng = np.random.default_rng(0)
    gate = Gate(BOUNDS, detector.upright)
    faces: list[Picture] = []
    kinds: list[int] = []
    origins: list[int] = []
    masked: list[bool] = []
    for origin, (behind_masks, image) in enumerate(_pictures(shared, share, rng)):
        for kind, face in _of_one(image, detector, gate, rng):
            faces.append(face)
            kinds.append(KINDS.index(kind))
            origins.append(origin)
            masked.append(behind_masks)
    return Drawn(np.stack(faces), np.array(kinds), np.array(origins), np.array(masked))


def _of_one(
    image: Picture, detector: FaceDetector, gate: Gate, rng: np.random.Generator
) -> Iterator[tuple[str, Picture]]:
    """What is drawn of one picture; nothing where the gate finds no face fit for comparing in it."""
    found = detector.detect(image)
    if not found or gate.assess(image, found[0]).flaw is not None:
        return
    natural = align(image, found[0])
    yield "natural", natural
    kind = NATURAL[int(rng.integers(1, len(NATURAL)))]
    yield kind, changed(natural, kind, rng)
    names = [name for name in RUINS for _ in range(OFTEN.get(name, 1))]
    for name in {names[int(rng.integers(len(names)))] for _ in range(RUINED)}:
        bent = RUINS[name](image, rng)
        again = detector.detect(bent)
        if again and _straight(again[0]):
            yield name, align(bent, again[0])


def _straight(face: Face) -> bool:
    """Whether the landmarks are those of a face that stands upright: others are refused without any network, and of a
    face that leans, its landmarks found rightly, alignment makes an upright one."""
    turn, roll = turned(face)
    return turn <= BOUNDS.max_turn and abs(roll) <= BOUNDS.max_roll


def changed(face: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """An aligned face, changed as one of NATURAL says, and as a camera does besides."""
    x = torch.from_numpy(np.ascontiguousarray(face[:, :, ::-1])).permute(2, 0, 1).float()
    if kind in {"mask", "hat"}:
        x = covered(x, COVERS[kind], rng)
    elif kind in {"glasses", "dark glasses"}:
        x = covered(x, _glasses(kind == "dark glasses"), rng)
    elif kind == "bar":
        x = covered(x, _bar, rng)
    out = np.ascontiguousarray(x.permute(1, 2, 0).numpy()[:, :, ::-1])
    if kind == "uneven":
        out = out * _one_sided(rng)
    return _as_taken(out, rng)


def _glasses(dark: bool) -> Cover:
    def cover(rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
        while True:
            where, weight = COVERS["glasses"](rng)
            if bool(where[EYES[0][1], EYES[0][0]]) == dark:
                return where, max(weight, 0.8)

    return cover


def _bar(rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Over both eyes, across the face or a little more."""
    where = np.zeros((112, 112), np.uint8)
    top, bottom = int(rng.integers(34, 44)), int(rng.integers(58, 68))
    left = int(rng.integers(0, 24))
    where[top:bottom, left : 112 - left] = 1
    return where, 1.0


def _one_sided(rng: np.random.Generator) -> NDArray[np.float32]:
    """Light from one side: the darker half has a tenth to a third of it."""
    x = np.linspace(-1, 1, 112, dtype=np.float32) * (1 if rng.random() < 0.5 else -1)
    dark = rng.uniform(0.1, 0.33)
    across = dark + (1 - dark) / (1 + np.exp(-(x - rng.uniform(-0.25, 0.25)) * rng.uniform(4, 14)))
    return np.repeat(across[None, :, None], 112, axis=0).astype(np.float32)


def _as_taken(face: NDArray[np.float32], rng: np.random.Generator) -> Picture:
    """Light, distance, noise and compression of a door's camera."""
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)
    out = (face - 127.5) * gain + 127.5 + rng.uniform(-20, 20)
    if rng.random() < 0.3:
        out = 255 * (np.clip(out, 0, 255) / 255) ** np.exp(rng.uniform(-0.5, 0.55)) * rng.uniform(0.7, 1.15, 3)
    if rng.random() < 0.5:
        small = int(rng.integers(44, 100))
        out = cv2.resize(cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA), (112, 112))
    if rng.random() < 0.3:
        out = out + rng.normal(0, rng.uniform(2, 12), out.shape)
    face8 = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        content = cv2.imencode(".jpg", face8, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1]
        face8 = picture(cv2.imdecode(content, cv2.IMREAD_COLOR))
    return face8


def around(image: Picture, face: Listed, rng: np.random.Generator) -> Picture:
    """The face in the middle of a square picture, 1.7 to 2.6 times as wide as an aligned one, which is enlarged."""
    if not face.landmarks:
        return picture(cv2.resize(image, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC))
    matrix = similarity(np.array(face.landmarks, np.float64))
    side = 112 / float(np.hypot(matrix[0, 0], matrix[1, 0])) * rng.uniform(1.7, 2.6)
    x, y = np.mean(face.landmarks, axis=0) - side / 2
    edge = int(side)
    wide = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    top, left = max(0, int(y) + edge), max(0, int(x) + edge)
    return np.ascontiguousarray(picture(wide)[top : top + edge, left : left + edge])


def _pictures(shared: Path, share: float, rng: np.random.Generator) -> Iterator[tuple[bool, Picture]]:
    """(whether it is of the set of masks, the picture), evenly over the shards, none of the held-out people."""
    known = training_faces(read_faces(shared))
    whole, small = [f for f in known if f.landmarks], [f for f in known if not f.landmarks]
    chosen = _spread(whole, round(share * WHOLE)) + _spread(small, round(share * ALIGNED))
    with tqdm(total=len(chosen), desc="pictures", mininterval=20) as shown:
        for shard in sorted({f.shard for f in chosen}):
            with tarfile.open(shared / "faces" / shard) as tar:
                for face in (f for f in chosen if f.shard == shard):
                    member = tar.extractfile(face.path)
                    assert member is not None
                    image = picture(cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR))
                    yield face.path.startswith("masks/"), around(image, face, rng)
                    shown.update()


def _spread(faces: Sequence[Listed], count: int) -> list[Listed]:
    return list(faces[:: max(1, len(faces) // max(1, count))][:count])
