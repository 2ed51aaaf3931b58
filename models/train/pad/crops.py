"""Pictures for PAD: decoded once, faces by YuNet, the crops of both contexts cut once with jittered boxes.

Left out of training, whole: subjects 7 and 8 of nuaa, the sources KevinDepedri and TrickyF0x. LFW and the clips are
for measuring only. A rendered picture never enters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from kiosk.domain.face import Box
from kiosk.vision.pad import surroundings
from models.train.common.pictures import Image, members

SIZE = 80  # pixels, both sides
CONTEXTS = (2.7, 4.0)
VARIANTS = 6  # jittered crops of a picture and context
LEFT_OUT = ("nuaa-7", "nuaa-8", "KevinDepedri", "TrickyF0x")


@dataclass(frozen=True)
class Groups:
    """Rows of `crops`: 2 contexts x N x VARIANTS x 80 x 80 x 3, BGR, uint8; `label` 1 bona fide, 0 attack, -1 none."""

    crops: np.ndarray
    label: np.ndarray
    group: np.ndarray  # "source label" of each row


def left_out_name(row: dict[str, str]) -> str:
    """The left-out subject or source that a row belongs to, or nothing."""
    return next((n for n in (row.get("subject", ""), row["source"]) if n in LEFT_OUT), "")


class Finder:
    """The largest face's box by YuNet 2023mar."""

    def __init__(self, reference: Path) -> None:
        self.net = cv2.FaceDetectorYN.create(str(reference), "", (320, 320), 0.6)

    def __call__(self, image: Image) -> Box | None:
        self.net.setInputSize((image.shape[1], image.shape[0]))
        faces = self.net.detect(image)[1]
        if faces is None:
            return None
        x, y, w, h = (float(v) for v in max(faces, key=lambda f: f[2] * f[3])[:4])
        return Box(x, y, w, h) if w >= 16 and h >= 16 else None


def cut(image: Image, box: Box, context: float) -> Image:
    """80 x 80 x 3: the face's surroundings, as the kiosk cuts them."""
    left, top, right, bottom = surroundings(box, context, image.shape[1], image.shape[0])
    return cv2.resize(image[top : bottom + 1, left : right + 1], (SIZE, SIZE))


def jittered(box: Box, rng: np.random.Generator) -> Box:
    """Place and size as another detector would give them (IoU about 0.85)."""
    dx, dy = rng.normal(0, 0.04, 2)
    sw, sh = np.exp(rng.normal(0, 0.06) + rng.normal(0, 0.04, 2))
    w, h = box.width * sw, box.height * sh
    x, y = box.centre
    return Box(x + dx * box.width - w / 2, y + dy * box.height - h / 2, w, h)


def degraded(image: Image, rng: np.random.Generator) -> tuple[Image, float]:
    """A smaller and more compressed picture, and its scale."""
    scale = rng.uniform(0.5, 1.0)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])[1]
    return cv2.imdecode(packed, cv2.IMREAD_COLOR), small.shape[1] / image.shape[1]


def variants(image: Image, box: Box, rng: np.random.Generator) -> np.ndarray:
    """2 x VARIANTS x 80 x 80 x 3; the last third from a degraded picture."""
    worse, scale = degraded(image, rng)
    out = np.empty((len(CONTEXTS), VARIANTS, SIZE, SIZE, 3), np.uint8)
    for k in range(VARIANTS):
        b = jittered(box, rng)
        source = image
        if k >= VARIANTS * 2 // 3:
            source, b = worse, Box(*(v * scale for v in (b.x, b.y, b.width, b.height)))
        for c, context in enumerate(CONTEXTS):
            out[c, k] = cut(source, b, context)
    return out


def load_training(faces: Path, reference: Path, work: Path, share: float) -> Groups:
    """The crops of all pictures of training, cached in `work`."""
    cache = work / "pad-crops.npz"
    pixels = work / "pad-crops.npy"
    if not cache.exists():
        find, rng = Finder(reference), np.random.default_rng(0)
        crops, labels, groups = [], [], []
        for table in ("pad.csv", "frames.csv"):
            rows = members(faces, table, lambda row: not left_out_name(row) and rng.random() < share)
            for row, image in tqdm(rows, desc=table, mininterval=10, unit="picture", disable=None):
                box = find(image)
                if box is None:
                    continue
                crops.append(variants(image, box, rng))
                name = row.get("label", "")
                labels.append(-1 if not name else int(name == "bona_fide"))
                groups.append(f"{row['source']} {name}")
        np.save(pixels, np.stack(crops, 1))
        np.savez(cache, label=np.array(labels), group=np.array(groups))
    meta = np.load(cache)
    return Groups(np.load(pixels, mmap_mode="r"), meta["label"], meta["group"])


def left_out(faces: Path, reference: Path) -> Iterator[tuple[str, int, Image, Box]]:
    """Name of the left-out subject or source, 1 bona fide or 0 attack, the picture and its face's box."""
    find = Finder(reference)
    for row, image in members(faces, "pad.csv", lambda row: bool(left_out_name(row))):
        if (box := find(image)) is not None:
            yield left_out_name(row), int(row["label"] == "bona_fide"), image, box


def clip_frames(clip: Path, every: int) -> Iterator[Image]:
    video = cv2.VideoCapture(str(clip))
    for k in range(1_000_000):
        good, image = video.read()
        if not good:
            return
        if k % every == 0:
            yield image


class Batches:
    """B x 3 x 80 x 80 float32 BGR 0-255, augmented, and their labels; half of the rows labelled, balanced."""

    def __init__(self, groups: Groups, context: float) -> None:
        self.crops = groups.crops[CONTEXTS.index(context)]
        self.label = groups.label
        weight = np.zeros(len(self.label))
        for name in np.unique(groups.group):
            at = np.flatnonzero(groups.group == name)
            # by the root of a group's size: nuaa is the largest by far, the small sets differ most
            weight[at] = np.sqrt(len(at)) / len(at)
        for value, part in ((-1, 0.4), (0, 0.3), (1, 0.3)):
            at = self.label == value
            weight[at] *= part / max(weight[at].sum(), 1e-9)
        self.weight = weight / weight.sum()

    def batch(self, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([1, step])
        ids = rng.choice(len(self.label), count, p=self.weight)
        x = np.stack([augmented(self.crops[i, rng.integers(VARIANTS)], rng) for i in ids])
        return x.transpose(0, 3, 1, 2), self.label[ids]


def augmented(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip, light, colour, blur or sharpening, noise, compression."""
    x = crop[:, ::-1] if rng.random() < 0.5 else crop
    if rng.random() < 0.15:
        packed = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 98))])[1]
        x = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    x = x.astype(np.float32)
    sharpness = rng.random()
    if sharpness < 0.2:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.0))
    elif sharpness < 0.45:  # as a large picture looks that is made small without a filter
        x = x + rng.uniform(0.2, 1.2) * (x - cv2.GaussianBlur(x, (0, 0), rng.uniform(0.6, 1.2)))
    if rng.random() < 0.7:
        gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.04, 3))
        x = (x - 128) * np.exp(rng.normal(0, 0.12)) + 128 + rng.normal(0, 10)
        x = x * gain
    if rng.random() < 0.2:
        x = x + rng.normal(0, rng.uniform(1, 5), x.shape)
    return np.clip(x, 0, 255).astype(np.float32)
