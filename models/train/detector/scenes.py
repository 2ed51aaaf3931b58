"""Pictures for the detector: whole frames, and scenes made of them (crops at random scale, pasted faces, light, noise).

A tenth of all pictures (by a hash of their path) is held out for measuring. Left out altogether: subjects 7 and 8 of
nuaa and the source KevinDepedri (kept for measuring PAD), LFW and the clips.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.train.common.pictures import Image, held_out, members, path_hash

Detect = Callable[[Image], np.ndarray]


@dataclass(frozen=True)
class Picture:
    path: str
    source: str
    image: Image  # H x W x 3, BGR, uint8
    faces: np.ndarray  # K x 4: x, y, width, height in pixels, by the teacher


def usable(row: dict[str, str]) -> bool:
    return row.get("subject") not in ("nuaa-7", "nuaa-8") and row["source"] != "KevinDepedri"


def load_frames(faces: Path, work: Path, detect: Detect, validation: bool, share: float = 1.0) -> list[Picture]:
    """Frames and PAD frames of one side of the split, with the teacher's boxes (cached in `work`)."""

    def keep(row: dict[str, str]) -> bool:
        chosen = path_hash(row["path"]) // 10 % 1000 < share * 1000
        return chosen and usable(row) and held_out(row["path"]) == validation

    cache = work / "boxes.json"
    boxes: dict[str, list[list[float]]] = json.loads(cache.read_text()) if cache.exists() else {}
    known = len(boxes)
    pictures = []
    for table in ("frames.csv", "pad.csv"):
        for row, image in tqdm(members(faces, table, keep), desc=table, unit="picture", mininterval=5):
            path = row["path"]
            if path not in boxes:
                boxes[path] = np.round(detect(image)[:, :4], 1).tolist()
            pictures.append(Picture(path, row["source"], image, np.array(boxes[path], np.float32).reshape(-1, 4)))
    if len(boxes) > known:
        cache.write_text(json.dumps(boxes))
    return pictures


def load_aligned(faces: Path, share: float) -> list[Image]:
    """A stable share of the aligned faces, 128 x 128, to be pasted into scenes."""

    def keep(row: dict[str, str]) -> bool:
        return not held_out(row["path"]) and path_hash(row["path"]) // 10 % 1000 < share * 1000

    return [image for _, image in tqdm(members(faces, "aligned.csv", keep), desc="aligned.csv", mininterval=5)]


def pad_to_32(image: Image) -> Image:
    """Zeros to the right and below, up to the next multiple of 32, as OpenCV's FaceDetectorYN does."""
    h, w = image.shape[:2]
    return cv2.copyMakeBorder(image, 0, -h % 32, 0, -w % 32, cv2.BORDER_CONSTANT)


class Scenes:
    """Draws scenes; the same seed gives the same scene."""

    def __init__(self, pictures: list[Picture], aligned: list[Image]) -> None:
        self.aligned = aligned
        self.groups = [
            [p for p in pictures if p.source in ("celeba", "masks")],
            [p for p in pictures if p.source not in ("celeba", "masks")],
        ]
        y, x = np.mgrid[-1:1:128j, -1:1:128j]
        self.mask = np.clip((1.05 - np.hypot(x / 0.85, y / 0.95)) / 0.25, 0, 1).astype(np.float32)

    def batch(self, seed: int, count: int, height: int, width: int) -> np.ndarray:
        """count x 3 x height x width, BGR 0 to 255, float32."""
        rng = np.random.default_rng(seed)
        scenes = np.stack([self.scene(rng, height, width) for _ in range(count)])
        return np.ascontiguousarray(scenes.transpose(0, 3, 1, 2).astype(np.float32))

    def scene(self, rng: np.random.Generator, height: int, width: int) -> Image:
        if rng.random() < 0.1:  # four pictures in one: edges, several people, small faces
            top, left = int(height * rng.uniform(0.3, 0.7)), int(width * rng.uniform(0.3, 0.7))
            image = np.empty((height, width, 3), np.uint8)
            for rows in (slice(0, top), slice(top, height)):
                for columns in (slice(0, left), slice(left, width)):
                    part = image[rows, columns]
                    part[:] = self.view(rng, *part.shape[:2])
        else:
            image = self.view(rng, height, width)
        if rng.random() < 0.35:
            for _ in range(int(rng.integers(1, 4))):
                self.paste(rng, image)
        return self.camera(rng, image)

    def view(self, rng: np.random.Generator, height: int, width: int) -> Image:
        """A picture turned, scaled and shifted so that one of its faces has a random size and place (or none has)."""
        group = self.groups[int(rng.random() < 0.3 and bool(self.groups[1]))]
        p = group[int(rng.integers(len(group)))]
        h, w = p.image.shape[:2]
        if len(p.faces) and rng.random() < 0.85:
            x, y, fw, fh = p.faces[int(rng.integers(len(p.faces)))]
            size = np.exp(rng.uniform(np.log(16), np.log(min(height, width) * 1.1)))
            scale = size / max(np.sqrt(fw * fh), 4)
            source = np.array([x + fw / 2, y + fh / 2])
            target = rng.uniform(0.1, 0.9, 2) * (width, height)
            if size > 0.5 * min(height, width):  # a large face: near the middle
                target = rng.normal(0.5, 0.12, 2) * (width, height)
        else:
            scale = np.exp(rng.uniform(np.log(0.5), np.log(4)))
            source, target = rng.uniform(0, 1, 2) * (w, h), np.array([width / 2, height / 2])
        angle = rng.normal(0, 10) if rng.random() < 0.8 else rng.uniform(-45, 45)
        m = cv2.getRotationMatrix2D((0.0, 0.0), float(angle), float(scale))[:, :2]
        m[:, 0] *= rng.uniform(0.9, 1.1)
        if rng.random() < 0.5:
            m[0] *= -1
        shift = target - m @ source
        image = p.image
        if scale < 0.5:  # warpAffine does not average: shrink first
            image = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
            m = m @ np.diag([w / image.shape[1], h / image.shape[0]])
        borders = [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101]
        border = int(rng.choice(borders, p=[0.2, 0.3, 0.5]))
        flags = cv2.INTER_LINEAR if scale < 1 or rng.random() < 0.5 else cv2.INTER_CUBIC
        return cv2.warpAffine(image, np.c_[m, shift], (width, height), flags=flags, borderMode=border)

    def paste(self, rng: np.random.Generator, image: Image) -> None:
        height, width = image.shape[:2]
        size = int(np.exp(rng.uniform(np.log(20), np.log(min(height, width) * 0.9))))
        face = self.aligned[int(rng.integers(len(self.aligned)))]
        way = cv2.INTER_AREA if size < 128 else cv2.INTER_LINEAR
        face = cv2.resize(face[:, :: int(rng.choice([-1, 1]))], (size, size), interpolation=way)
        mask = cv2.resize(self.mask, (size, size))[..., None]
        x, y = (int(v) for v in rng.uniform(-0.3, 1.0, 2) * (width - size / 2, height - size / 2))
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + size, width), min(y + size, height)
        if x0 >= x1 or y0 >= y1:
            return
        part = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
        under = image[y0:y1, x0:x1]
        under[:] = (under + mask[part] * (face[part].astype(np.float32) - under)).astype(np.uint8)

    def camera(self, rng: np.random.Generator, image: Image) -> Image:
        """Exposure, colour, blur, noise and compression of a plain camera."""
        h, w = image.shape[:2]
        if rng.random() < 0.15:  # something before the face, or dirt on the lens
            bh, bw = (int(v) for v in rng.uniform(0.05, 0.3, 2) * (h, w))
            y, x = int(rng.integers(h - bh)), int(rng.integers(w - bw))
            image[y : y + bh, x : x + bw] = rng.integers(0, 256, 3)
        if rng.random() < 0.3:
            k = rng.uniform(0.25, 0.8)
            small = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
            image = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
        elif rng.random() < 0.2:
            n = int(rng.integers(3, 10))
            kernel = np.zeros((n, n), np.float32)
            cv2.line(kernel, (0, int(rng.integers(n))), (n - 1, int(rng.integers(n))), 1.0)
            image = cv2.filter2D(image, -1, kernel / kernel.sum())
        if rng.random() < 0.7:
            levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.35))
            gain = np.exp(rng.normal(-0.1, 0.3)) * np.exp(rng.normal(0, 0.08, 3))
            table = np.clip(levels * gain * 255 + rng.normal(0, 12), 0, 255).astype(np.uint8)
            image = cv2.LUT(image, table.reshape(256, 1, 3))
        if rng.random() < 0.1:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        if rng.random() < 0.4:
            noise = np.empty(image.shape, np.int16)
            cv2.setRNGSeed(int(rng.integers(1 << 30)))
            cv2.randn(noise, 0, float(rng.uniform(2, 14)))
            image = cv2.add(image, noise, dtype=cv2.CV_8U)
        if rng.random() < 0.3:
            ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else image
        return image
