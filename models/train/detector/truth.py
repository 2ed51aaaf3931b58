"""Scenes with faces of known box and landmarks, for `kiosk evaluate detector`; the same ones every time.

    python -m models.train.detector.truth FOLDER
    kiosk evaluate detector FOLDER --truth FOLDER/truth.csv --reference YUNET

The faces are aligned ones of utkface and aaf, of the held-out tenth: no frame of the training shows one of these sets.
They lie on the ArcFace template, so its five points are the landmarks; the box around them is that of the hand-checked
frames in the mean. The scenes are parts without a face of those frames (detector_frames.csv). The edge of a face is
feathered and its light brought near the scene's. Each band of sizes has as many faces; a sixth of the scenes each is
left as it is, dark, bright, lit from a side, out of focus, or noisy and compressed.

Needs opencv-python-headless numpy tqdm pydantic onnxruntime.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from kiosk.evaluation.truth import COLUMNS, Pictures, TrueFace, read_truth
from kiosk.vision.alignment import TEMPLATE
from models.train.common.folders import SHARED
from models.train.common.pictures import Image, held_out, members, path_hash

BANDS = ((24, 40, 3), (40, 64, 3), (64, 100, 2), (100, 160, 1), (160, 300, 1))  # pixels, and faces a scene
CONDITIONS = ("plain", "dark", "bright", "side light", "blur", "noise")
WIDTH, HEIGHT = 480, 400
MARGIN = 8  # of the aligned faces around the template's 112 pixels
POINTS = TEMPLATE + MARGIN
EYES = float(np.linalg.norm(POINTS[0] - POINTS[1]))


def mean_box(faces: list[TrueFace]) -> np.ndarray:
    """x, y, width, height in an aligned face: the median, in distances of the eyes from the middle of the landmarks."""
    rows = []
    for face in faces:
        points = np.array(face.landmarks)
        eyes, middle = np.linalg.norm(points[0] - points[1]), points.mean(0)
        b = face.box
        rows.append([*((b.x, b.y) - middle) / eyes, b.width / eyes, b.height / eyes])
    box = np.median(rows, 0) * EYES
    box[:2] += POINTS.mean(0)
    return box


def faces_of(folder: Path, count: int) -> list[Image]:
    """Aligned faces without the black of a picture's edge, in a stable order."""

    def keep(row: dict[str, str]) -> bool:
        wanted = row["source"] in ("utkface", "aaf") and int(row["face_px"]) >= 100 and float(row["score"]) >= 0.9
        return wanted and held_out(row["path"])

    found = {}
    for row, image in tqdm(members(folder, "aligned.csv", keep), desc="aligned.csv", mininterval=5):
        edge = np.concatenate([image[:4].reshape(-1, 3), image[-4:].reshape(-1, 3)])
        if (edge.max(1) == 0).mean() < 0.02:
            found[row["path"]] = image
    return [found[path] for path in sorted(found, key=path_hash)[:count]]


def backgrounds(shared: Path, truth: Path) -> list[Image]:
    """The largest part of each frame above, below or beside all its faces, where it is large enough."""
    found = []
    with Pictures(shared) as source:
        for entry in tqdm(read_truth(truth), desc=truth.name, mininterval=5):
            image = source.read(entry.name)
            h, w = image.shape[:2]
            boxes = [f.box for f in entry.faces or ()]
            left = int(min([b.x - 0.3 * b.width for b in boxes], default=w))
            right = int(max([b.x + 1.3 * b.width for b in boxes], default=0))
            below = int(max([b.y + 1.3 * b.height for b in boxes], default=0))
            parts = [image[:, : max(left, 0)], image[:, min(right, w) :], image[min(below, h) :]]
            best = max(parts, key=lambda p: min(p.shape[:2]))
            if min(best.shape[:2]) >= 80:
                found.append(best)
    return found


def scene(rng: np.random.Generator, part: Image) -> Image:
    """A random cut of the shape of the scene, enlarged to it."""
    h, w = part.shape[:2]
    scale = min(h / HEIGHT, w / WIDTH)
    cut_h, cut_w = int(HEIGHT * scale), int(WIDTH * scale)
    y, x = int(rng.integers(h - cut_h + 1)), int(rng.integers(w - cut_w + 1))
    cut = part[y : y + cut_h, x : x + cut_w][:, :: int(rng.choice([-1, 1]))]
    return cv2.resize(cut, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC)


def paste(image: Image, face: Image, centre: np.ndarray, scale: float, angle: float) -> np.ndarray:
    """Lays the face over the scene; returns the 2 x 3 matrix from the aligned face to the scene."""
    m = cv2.getRotationMatrix2D((64.0, 64.0), angle, scale)
    m[:, 2] += centre - 64
    mask = np.zeros((128, 128), np.float32)
    cv2.rectangle(mask, (14, 14), (113, 113), 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 6)
    light = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean() / max(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).mean(), 1)
    shown = face.astype(np.float32) * np.clip(light, 0.75, 1.3) ** 0.5
    if scale < 1:  # warpAffine does not average
        shown = cv2.GaussianBlur(shown, (0, 0), 0.45 / scale)
    size = (WIDTH, HEIGHT)
    over = cv2.warpAffine(shown, m, size, flags=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR)
    share = cv2.warpAffine(mask, m, size, flags=cv2.INTER_LINEAR)[..., None]
    image[:] = np.clip(image + share * (over - image), 0, 255).astype(np.uint8)
    return m


def camera(rng: np.random.Generator, image: Image, condition: str, size: float) -> Image:
    """The scene as a camera gives it in one of the CONDITIONS; blur in proportion to the face."""
    x = image.astype(np.float32)
    if condition == "dark":
        x *= rng.uniform(0.12, 0.4)
    elif condition == "bright":
        x = 255 * (x / 255) ** rng.uniform(0.4, 0.7) * rng.uniform(1.1, 1.5)
    elif condition == "side light":
        ramp = np.linspace(rng.uniform(0.1, 0.3), rng.uniform(1.1, 1.5), WIDTH, dtype=np.float32)
        x *= ramp[:: int(rng.choice([-1, 1])), None]
    elif condition == "blur":
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.02, 0.06) * size)
    noise = rng.uniform(8, 20) if condition == "noise" else 2.0
    x = np.clip(x + rng.normal(0, noise, x.shape), 0, 255).astype(np.uint8)
    quality = int(rng.integers(25, 60)) if condition == "noise" else 90
    _, data = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def place(rng: np.random.Generator, count: int, reach: float) -> Iterator[np.ndarray]:
    """Centres of faces side by side, each whole inside its part of the scene."""
    wide = WIDTH / count
    for i in range(count):
        low = np.array([i * wide + reach, reach])
        high = np.array([(i + 1) * wide - reach, HEIGHT - reach])
        yield rng.uniform(np.minimum(low, high), np.maximum(low, high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the scenes and truth.csv go")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with faces and clips")
    parser.add_argument("--faces", type=int, default=240, help="in each band of sizes")
    a = parser.parse_args()
    cv2.setNumThreads(1)
    frames = Path(__file__).with_name("frames.csv")
    box = mean_box([f for p in read_truth(frames) for f in p.faces or () if f.landmarks])
    unit = float(np.sqrt(box[2] * box[3]))
    parts = backgrounds(a.shared, frames)
    faces = faces_of(a.shared / "faces", a.faces * len(BANDS))
    a.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    taken, number = 0, 0
    with (a.folder / "truth.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for low, high, count in BANDS:
            for _ in tqdm(range(-(-a.faces // count)), desc=f"{low} to {high} px", mininterval=5):
                condition, name = CONDITIONS[number % len(CONDITIONS)], f"{number:04d}.png"
                image = scene(rng, parts[int(rng.integers(len(parts)))])
                size = np.exp(rng.uniform(np.log(low), np.log(high)))
                scale = size / unit
                for centre in place(rng, count, 0.62 * size):
                    face = faces[taken % len(faces)]
                    taken += 1
                    m = paste(image, face, centre, scale, rng.normal(0, 6))
                    points = cv2.transform(POINTS[None], m)[0]
                    middle = cv2.transform(np.array([[box[:2] + box[2:] / 2]]), m)[0, 0]
                    corner = middle - box[2:] * scale / 2
                    values = (*corner, *box[2:] * scale, *points.flatten())
                    table.writerow([name, condition, 0, *(f"{v:.1f}" for v in values)])
                cv2.imwrite(str(a.folder / name), camera(rng, image, condition, float(size)))
                number += 1
    print(f"{number} scenes with {taken} faces of {len(faces)} people's pictures, {len(parts)} backgrounds: {a.folder}")


if __name__ == "__main__":
    main()
