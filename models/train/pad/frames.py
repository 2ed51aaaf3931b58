"""Frames as a door sees them, for training PAD: the pictures of the training sources presented in every species, drawn
once, with the crops that each network looks at.

Attacks: each labelled attack as framed, cut out on plain and on busy ground, bent, and filling the frame; near and
far. Bona fide: as framed and at the same distances, through the same scaling, so that neither a soft picture nor a
near one is a sign of an attack. CelebA and the masked faces (no label, but photographs of people): as bona fide,
and cut out as attacks that only the surroundings show (`EDGES`). Left out: see crops.py. The grounds are drawn, or
parts of pictures of CelebA without a face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from kiosk.domain.face import Box
from kiosk.evaluation.species import HEIGHT, WIDTH, Cut, busy, cut_out, edgeless, plain
from models.train.common.pictures import Image, members
from models.train.pad.crops import CONTEXTS, SIZE, Finder, cut, jittered, left_out_name

ATTACK, BONA_FIDE, EDGES = 0, 1, 2
"""Labels. EDGES: a cut-out of a photograph that no screen or paper has shown again: only its edges tell."""
KINDS = ("as framed", "near", "plain", "busy", "bent")
TIMES = {ATTACK: (1, 1, 1, 1, 1), BONA_FIDE: (2, 3, 0, 0, 0), EDGES: (0, 0, 1, 1, 0)}
"""How often a picture is drawn as each of the KINDS."""
SHARES = {"nuaa": 0.4, "saikan45": 0.7, "D-sourav-M044": 0.7, "ShubhamLala": 1.0, "celeba": 0.2, "masks": 0.2}
"""Of each source's pictures that are drawn: most are frames of few videos, much alike."""
GRAIN = 32
"""Grey levels of the tile of noise."""
GROUNDS = 150
"""Of each kind that are drawn; and as many parts of pictures."""


@dataclass(frozen=True)
class Frames:
    """Rows of `crops` (N x 2 x 80 x 80 x 3), BGR, uint8: each context's."""

    crops: np.ndarray
    label: np.ndarray
    group: np.ndarray  # "source kind" of each row


class Stage:
    """Where the attacks are shown: grounds that are plain, drawn, or a picture's surroundings without a face; and the
    sensor's noise, a large tile of it."""

    def __init__(self, faces: Path, find: Finder, count: int, rng: np.random.Generator) -> None:
        self.plain = [plain(rng) for _ in range(count)]
        self.busy = [busy(rng) for _ in range(count)]
        for _, image in members(faces, "frames.csv", lambda row: row["source"] == "celeba" and rng.random() < 0.2):
            if len(self.busy) == 2 * count:
                break
            box = find(image)
            if box is None:
                continue
            side = max((image[:, : int(max(box.x, 0))], image[:, int(box.x + box.width) :]), key=lambda p: p.shape[1])
            if side.shape[1] >= 60:
                wide = np.hstack([side, side[:, ::-1]])
                self.busy.append(cv2.resize(wide, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))
        self.grain = np.clip(128 + GRAIN * rng.standard_normal((1200, 1200, 3), np.float32), 0, 255).astype(np.uint8)

    def ground(self, kind: str, rng: np.random.Generator) -> Image:
        those = self.plain if kind == "plain" else self.busy
        chosen = those[int(rng.integers(len(those)))]
        return np.ascontiguousarray(chosen[:, :: rng.choice([-1, 1])])

    def noisy(self, frame: Image, sigma: float, rng: np.random.Generator) -> Image:
        """With the sensor's noise of so many grey levels; a frame larger than the tile has none at its far edges."""
        height, width = (min(a, b) for a, b in zip(frame.shape[:2], self.grain.shape[:2], strict=True))
        y, x = rng.integers(0, np.array(self.grain.shape[:2]) - (height, width) + 1)
        part, gain = self.grain[y : y + height, x : x + width], sigma / GRAIN
        out = frame.copy()
        out[:height, :width] = cv2.addWeighted(frame[:height, :width], 1.0, part, gain, -128 * gain)
        return out


def presented(image: Image, box: Box, kind: str, stage: Stage, rng: np.random.Generator) -> Image:
    """One frame, before the sensor's noise."""
    if kind == "as framed":
        scale = float(rng.uniform(0.6, 1.6)) if rng.random() < 0.5 else 1.0
        return cv2.resize(
            image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
    share = float(np.exp(rng.uniform(np.log(0.16), np.log(0.7))))
    if kind == "near":
        return edgeless(image, box, max(share, 0.25))
    shape = Cut(*(float(v) for v in rng.uniform((0.55, 0.6, 0.0), (1.1, 1.15, 0.16))))
    bend = float(rng.uniform(0.4, 1.1)) if kind == "bent" else 0.0
    place = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.6))
    return cut_out(image, box, stage.ground(kind, rng), share, shape, bend, place)


def taken(frame: Image, stage: Stage, rng: np.random.Generator) -> Image:
    """What the sensor and its compression make of a frame."""
    if rng.random() < 0.25:
        frame = cv2.GaussianBlur(frame, (0, 0), float(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        gamma = float(np.exp(rng.normal(0, 0.25)))
        frame = cv2.LUT(frame, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
    sigma = float(rng.choice([0.0, rng.uniform(0.5, 4.0), rng.uniform(1.0, 4.0)]))
    if sigma:
        frame = stage.noisy(frame, sigma, rng)
    if rng.random() < 0.25:
        packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])[1]
        frame = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return frame


def found(frame: Image, find: Finder) -> Box | None:
    """The face's box, looked for in half the size where the frame is large: twice as fast."""
    by = 2 if len(frame) >= HEIGHT else 1
    box = find(cv2.resize(frame, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA) if by > 1 else frame)
    return box and Box(box.x * by, box.y * by, box.width * by, box.height * by)


def drawn(
    image: Image, label: int, find: Finder, stage: Stage, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Kind and crops of every frame that a picture gives, where the frame's face is found."""
    box = find(image)
    if box is None:
        return
    for kind, times in zip(KINDS, TIMES[label], strict=True):
        for _ in range(times):
            frame = taken(presented(image, box, kind, stage, rng), stage, rng)
            seen = found(frame, find)
            if seen is None or min(seen.width, seen.height) < 36:
                continue
            seen = jittered(seen, rng)
            yield kind, np.stack([cut(frame, seen, c) for c in CONTEXTS])


def tasks(faces: Path, share: float, rng: np.random.Generator) -> list[tuple[str, int, Image]]:
    """Source, label and picture of all of training, shuffled: what is drawn first stands for the whole."""
    found: list[tuple[str, int, Image]] = []

    def kept(row: dict[str, str]) -> bool:
        return not left_out_name(row) and rng.random() < share * SHARES[row["source"]]

    for row, image in members(faces, "pad.csv", kept):
        found.append((row["source"], BONA_FIDE if row["label"] == "bona_fide" else ATTACK, image))
    for row, image in members(faces, "frames.csv", kept):
        found += [(row["source"], BONA_FIDE, image), (row["source"], EDGES, image)]
    return [found[i] for i in rng.permutation(len(found))]


def load_frames(faces: Path, reference: Path, work: Path, share: float) -> Frames:
    """All frames, drawn once and kept in `work`; a drawing that was broken off serves with what it has drawn."""
    pixels = work / "pad-frames-context.raw"
    meta = work / "pad-frames.npz"
    if not meta.exists():
        find, rng = Finder(reference), np.random.default_rng(0)
        stage = Stage(faces, find, GROUNDS if share == 1 else 5, rng)
        labels: list[int] = []
        groups: list[str] = []
        with pixels.open("wb") as file:
            pictures = tasks(faces, share, rng)
            for k, (source, label, image) in enumerate(tqdm(pictures, "frames", mininterval=20, disable=None)):
                for kind, crops in drawn(image, label, find, stage, rng):
                    file.write(crops.tobytes())
                    labels.append(label)
                    groups.append(f"{source} {kind}")
                if k % 200 == 199 or k + 1 == len(pictures):
                    file.flush()
                    np.savez(meta, label=np.array(labels), group=np.array(groups))
    kept = np.load(meta)
    count = len(kept["label"])
    crops = np.memmap(pixels, np.uint8, "r", shape=(count, len(CONTEXTS), SIZE, SIZE, 3))
    return Frames(crops, kept["label"], kept["group"])
