"""Makes the demonstration's visitors: composites of several people each, so that they are nobody.

    python models/train/composites.py --shared ../shared --work build/composites kiosk/cameras/visitors

A composite is the average of a person and those nearest to them by the teacher's embedding who are different people
(cosine between any two members below `SAME`), warped onto the members' mean shape. It is kept only when it is close
neither to another composite nor to any of its members. Nothing of one single person goes into a picture.

Needs opencv, numpy, onnxruntime and mediapipe 0.10 (Apache-2.0; its face mesh gives the shape, its selfie segmentation
the matte), in an environment of its own: mediapipe pins an older numpy than the kiosk.
"""

from __future__ import annotations

import argparse
import csv
import os
import tarfile
import zlib
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

SIZE = 512
"""Width and height of a composite."""
EYE, EYES_Y = 64.0, 172.0
"""Distance between the eyes and their row, in pixels of the composite: room for hair above and shoulders below."""
MEMBERS = 14
NAMES = ("ada", "ben", "cleo", "stranger")
SEEDS = [61, 589, 487, 132]
"""Of those that `--seeds` without numbers proposes, the ones that look best."""
EXCLUDED = {"celeba/01837.webp"}
"""Looked at, and perhaps not an adult."""
SAME = 0.40
"""Two pictures of which the teacher says more than this may show one person."""
MAX_TO_MEMBER, MAX_BETWEEN = 0.35, 0.25
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
LEFT_EYE, RIGHT_EYE = [33, 133, 159, 145], [362, 263, 386, 374]
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]  # fmt: skip
INNER_LIPS = [13, 14]
WARDROBE: list[tuple[tuple[int, int, int], tuple[int, int, int] | None]] = [
    ((96, 68, 48), None),
    ((196, 196, 200), (62, 50, 44)),
    ((70, 84, 60), None),
    ((205, 190, 176), (84, 84, 90)),
    ((58, 52, 120), None),
    ((60, 58, 60), None),
    ((120, 128, 140), (48, 60, 78)),
]
"""Jersey and jacket, BGR."""

README = """# The demonstration's visitors

Nobody. Each picture is the average of at least eight different adults, warped onto their mean shape. Neck and clothes
are drawn. `models/train/composites.py` made them and wrote this file.

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


@dataclass
class Sample:
    """One usable picture of one person, already scaled and turned onto the composite's canvas."""

    name: str
    image: np.ndarray  # SIZE x SIZE x 3, float32 0..255
    matte: np.ndarray  # SIZE x SIZE, float32 0..1: the person
    inside: np.ndarray  # SIZE x SIZE, bool: where the picture has pixels
    shape: np.ndarray  # 478 x 2: the face mesh on the canvas
    vector: np.ndarray  # the teacher's unit feature vector

    @property
    def gape(self) -> float:
        """How far the mouth is open, in eye distances."""
        return float(np.linalg.norm(self.shape[INNER_LIPS[0]] - self.shape[INNER_LIPS[1]]) / EYE)


class Teacher:
    """Reference detector and embedder."""

    def __init__(self, weights: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._net = ort.InferenceSession(str(weights / "mobilefacenet_y1.onnx"), options, ["CPUExecutionProvider"])
        self._input = self._net.get_inputs()[0].name
        self._yunet = cv2.FaceDetectorYN.create(
            str(weights / "face_detection_yunet_2023mar.onnx"), "", (320, 320), 0.8, 0.3, 50
        )

    def faces(self, image: np.ndarray) -> np.ndarray:
        """N x 15: box, five landmarks, score."""
        self._yunet.setInputSize((image.shape[1], image.shape[0]))
        found = self._yunet.detect(image)[1]
        return np.zeros((0, 15), np.float32) if found is None else found

    def embed(self, image: np.ndarray, face: np.ndarray) -> np.ndarray:
        matrix, _ = cv2.estimateAffinePartial2D(face[4:14].reshape(5, 2), ARCFACE, method=cv2.LMEDS)
        aligned = cv2.warpAffine(image, matrix, (112, 112))[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        vector = self._net.run(None, {self._input: aligned})[0][0]
        return vector / np.linalg.norm(vector)


def usable(face: np.ndarray, width: int, height: int) -> bool:
    """Frontal, upright, large enough, with room around it for hair and shoulders."""
    points = face[4:14].reshape(5, 2)
    eye = float(np.linalg.norm(points[1] - points[0]))
    x, y = points[:2].mean(0)
    yaw = abs(points[2, 0] - x) / eye
    roll = abs(np.degrees(np.arctan2(points[1, 1] - points[0, 1], points[1, 0] - points[0, 0])))
    room = min(x, width - x) / eye > 2.0 and y / eye > 1.9 and (height - y) / eye > 3.4
    return eye > 36 and yaw < 0.13 and roll < 10 and room


def collect(shared: Path, work: Path, teacher: Teacher) -> list[Sample]:
    """All usable pictures of frames-00.tar; kept in `work` for the next time."""
    cache = work / "samples.npz"
    if cache.exists():
        data = np.load(cache)
        return [
            Sample(str(n), i.astype(np.float32), m.astype(np.float32) / 255, k, s, v)
            for n, i, m, k, s, v in zip(*(data[key] for key in data.files), strict=True)
        ]
    import mediapipe  # noqa: PLC0415  (slow to import, and not needed once the samples are cached)

    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True)
    selfie = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    samples = []
    with (shared / "faces/frames.csv").open() as file, tarfile.open(shared / "faces/frames-00.tar") as tar:
        for row in csv.DictReader(file):
            if row["source"] != "celeba":
                continue
            data = tar.extractfile(row["path"])
            image = cv2.imdecode(np.frombuffer(data.read() if data else b"", np.uint8), cv2.IMREAD_COLOR)
            faces = teacher.faces(image)
            if len(faces) != 1 or not usable(faces[0], image.shape[1], image.shape[0]):
                continue
            rgb = np.ascontiguousarray(image[:, :, ::-1])
            found = mesh.process(rgb).multi_face_landmarks
            if not found:
                continue
            points = np.array([(p.x, p.y) for p in found[0].landmark]) * image.shape[1::-1]
            matte = selfie.process(rgb).segmentation_mask
            samples.append(place(row["path"], image, matte, points, teacher.embed(image, faces[0])))
    columns = {
        "name": [s.name for s in samples],
        "image": [s.image.astype(np.uint8) for s in samples],
        "matte": [(s.matte * 255).astype(np.uint8) for s in samples],
        "inside": [s.inside for s in samples],
        "shape": [s.shape for s in samples],
        "vector": [s.vector for s in samples],
    }
    work.mkdir(parents=True, exist_ok=True)
    np.savez(cache, **{k: np.array(v) for k, v in columns.items()})
    return samples


def place(name: str, image: np.ndarray, matte: np.ndarray, points: np.ndarray, vector: np.ndarray) -> Sample:
    """Scales and turns a picture so that the eyes lie where every composite has them."""
    left, right = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)
    d = right - left
    c, s = EYE * d / (d @ d)
    turn = np.array([[c, s], [-s, c]])
    shift = np.array([SIZE / 2, EYES_Y]) - turn @ ((left + right) / 2)
    matrix = np.hstack([turn, shift[:, None]])
    flags = cv2.INTER_CUBIC
    warped = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), matrix, (SIZE, SIZE)) > 0
    cut = cv2.warpAffine(matte, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    return Sample(name, warped.astype(np.float32), np.clip(cut, 0, 1), inside, points @ turn.T + shift, vector)


def look(sample: Sample) -> np.ndarray:
    """A coarse picture of face, hair and light, to choose members that blend; clothes are drawn anyway."""
    person = sample.image * sample.matte[:, :, None] + 255 * (1 - sample.matte[:, :, None])
    return cv2.resize(person[20:320, 116:396], (14, 15), interpolation=cv2.INTER_AREA).ravel() / 255


def choose(seed: int, samples: list[Sample], vectors: np.ndarray, looks: np.ndarray) -> list[int]:
    """The seed and its nearest by embedding and look, no two of them possibly the same person."""
    cosine = vectors @ vectors[seed]
    apart = np.linalg.norm(looks - looks[seed], axis=1) / np.sqrt(looks.shape[1])
    gape = np.array([abs(s.gape - samples[seed].gape) for s in samples])
    cost = -cosine + 6.0 * apart + 2.0 * gape
    members = [seed]
    for i in np.argsort(cost):
        if len(members) == MEMBERS:
            break
        if (
            i != seed
            and samples[i].name not in EXCLUDED
            and max(float(vectors[i] @ vectors[j]) for j in members) < SAME
            and cosine[i] > 0
        ):
            members.append(int(i))
    return members


def spread_seeds(samples: list[Sample], vectors: np.ndarray, looks: np.ndarray, count: int = 18) -> list[int]:
    """Seeds whose members blend best, far from each other by the mean of their members."""
    found, centres = [], []
    sets = {i: choose(i, samples, vectors, looks) for i in range(0, len(samples), 2)}
    cost = {i: np.linalg.norm(looks[m] - looks[m].mean(0), axis=1).mean() - 4 * (vectors[m] @ vectors[i]).mean()
            for i, m in sets.items()}  # fmt: skip
    for i in sorted(sets, key=lambda i: cost[i]):
        centre = vectors[sets[i]].mean(0)
        centre = centre / np.linalg.norm(centre)
        if all(float(centre @ other) < 0.35 for other in centres):
            found.append(i)
            centres.append(centre)
        if len(found) == count:
            break
    return found


def warp_map(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Thin plate spline that tells for each pixel of the canvas where to read: `source` points come to `target`."""
    margin = np.array([(x, y) for x in (0, 128, 256, 384, 511) for y in (0, 511)] + [(x, 300) for x in (0, 511)])
    centres = np.vstack([target, margin]).astype(float)
    moves = np.vstack([source - target, np.zeros_like(margin)])

    def radial(points: np.ndarray) -> np.ndarray:
        r2 = ((points[:, None] - centres[None]) ** 2).sum(-1)
        return r2 * np.log(r2 + 1e-9) / 2

    n = len(centres)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = radial(centres) + 5.0 * np.eye(n)  # a little stiffness: the mesh is not exact
    system[:n, n:] = np.hstack([np.ones((n, 1)), centres])
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.vstack([moves, np.zeros((3, 2))]))
    grid = np.stack(np.meshgrid(np.arange(0, SIZE, 8) + 3.5, np.arange(0, SIZE, 8) + 3.5), -1).reshape(-1, 2)
    coarse = np.hstack([radial(grid), np.ones((len(grid), 1)), grid]) @ weights
    coarse = coarse.reshape(SIZE // 8, SIZE // 8, 2).astype(np.float32)
    field = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return field + np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)


def remap(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    return cv2.remap(image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def blend(stack: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the members, each pixel by its weight; what only one member has (glasses, a lock of hair, a shadow)
    weighs little."""
    mean = np.average(stack, axis=0, weights=np.broadcast_to(weights[..., None], stack.shape))
    smooth = blur_each(stack, 3)
    for _ in range(2):
        away = np.abs(smooth - cv2.GaussianBlur(mean, (0, 0), 3)).mean(-1)
        trusted = weights * (np.exp(-((away / 28) ** 2)) + 0.05)
        mean = (stack * trusted[..., None]).sum(0) / trusted.sum(0)[..., None]
    return mean


def restore(mean: np.ndarray, stack: np.ndarray, weights: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Gives the mean's fine bands the energy that its members have there: averaging n pictures flattens them.

    `limits`: bands x SIZE x SIZE, the largest gain of each band at each pixel, the finest band first.
    """

    def bands(image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        out, current = [], image
        for level in range(len(limits)):
            smooth = cv2.GaussianBlur(current, (0, 0), 1.0 * 2**level)
            out.append(current - smooth)
            current = smooth
        return out, current

    def energy(band: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur((band**2).mean(-1), (0, 0), 10)

    own, rest = bands(mean)
    of_members = np.zeros(limits.shape, np.float32)
    for image, weight in zip(stack, weights, strict=True):
        for k, band in enumerate(bands(image)[0]):
            of_members[k] += energy(band) * weight / weights.sum(0)
    for band, wanted, limit in zip(own, of_members, limits, strict=True):
        gain = np.sqrt(wanted / np.maximum(energy(band), 1e-3))
        rest = rest + band * np.clip(gain, np.minimum(1.0, limit), limit)[..., None]
    return rest


def head(members: list[Sample], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(picture, matte, shape) of the average of the members, floats; good down to the neck."""
    shape = np.mean([m.shape for m in members], 0)
    keep = sorted(set(OVAL) | set(range(0, 478, 4)) | {*LEFT_EYE, *RIGHT_EYE, *INNER_LIPS, 61, 291, 0, 17})
    images, mattes, weights = [], [], []
    for m in members:
        where = warp_map(m.shape[keep], shape[keep])
        images.append(np.clip(remap(m.image, where), 0, 255))
        mattes.append(np.clip(remap(m.matte, where), 0, 1))
        weights.append(remap(m.inside.astype(np.float32), where) > 0.99)
    stack, matte, seen = refine(
        level_light(np.stack(images), shape), np.stack(mattes), blur_each(np.stack(weights).astype(np.float32), 6)
    )
    person = np.clip(matte * 1.2 - 0.2, 0, 1) * seen + 1e-3
    mean = blend(stack, person).astype(np.float32)
    alpha = (matte * seen).sum(0) / np.maximum(seen.sum(0), 1e-3)
    alpha = np.clip((alpha - 0.38) / 0.24, 0, 1)
    alpha = cv2.GaussianBlur(alpha * alpha * (3 - 2 * alpha), (0, 0), 1.0)

    face = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillConvexPoly(face, cv2.convexHull(shape[OVAL].astype(np.int32)), 1.0)
    face = cv2.GaussianBlur(face, (0, 0), 5)
    chin = shape[152, 1]
    below = np.clip((np.arange(SIZE)[:, None] - chin + 4) / 14, 0, 1) * (np.abs(np.arange(SIZE) - 256) < 62)[None]
    limits = np.stack([of_hair + (of_face - of_hair) * face for of_face, of_hair in
                       ((1.9, 2.4), (1.6, 1.9), (1.2, 1.4), (1.0, 1.0))])  # fmt: skip
    sharp = restore(mean, stack, person, limits * (1 - below))
    grain = rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    grain = 2.2 * cv2.GaussianBlur(grain, (0, 0), 0.8) + 6.0 * cv2.GaussianBlur(grain, (0, 0), 2.2)
    return sharp + (grain * (0.3 + mean.mean(-1) / 255))[..., None], alpha, shape


def smooth_noise(rng: np.random.Generator, sx: float, sy: float) -> np.ndarray:
    """Noise of unit deviation with features of sx by sy pixels."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), sx, sigmaY=sy)
    return noise / noise.std()


def garment(
    chin: float, colour: tuple[int, int, int], jacket: tuple[int, int, int] | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(picture, matte) of a drawn jersey, under an open jacket if it has a colour (BGR): the average of ten people's
    clothes looks like nothing anybody wears."""
    y0 = chin + 4
    half = [(66, 0), (86, 12), (128, 30), (164, 48), (190, 76), (206, 120), (218, 400)]  # from the neck down the arm
    outline = [(256 - dx, y0 + dy) for dx, dy in half] + [(256 + dx, y0 + dy) for dx, dy in half[::-1]]
    body = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillPoly(body, [np.array(outline, np.int32)], 1.0)
    body = np.clip(cv2.GaussianBlur(body, (0, 0), 7) * 3 - 1, 0, 1)
    neck = np.zeros_like(body)
    cv2.ellipse(neck, (256, int(y0) - 4), (66, 38), 0, 0, 360, 1.0, -1)
    neck[: int(y0) - 4, 190:322] = 1
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    round_off = 1 - 0.45 * np.clip(np.abs(x - 256) / 210, 0, 1) ** 3
    folds = 0.035 * smooth_noise(rng, 9, 38) + 0.04 * smooth_noise(rng, 40, 16)
    top_light = 1.08 - 0.30 * np.clip((y - y0) / 240, 0, 1)
    shade = (round_off + folds) * top_light
    cloth = np.array(colour, np.float32) * shade[..., None]
    rim = np.zeros_like(body)
    cv2.ellipse(rim, (256, int(y0) - 4), (71, 43), 0, 0, 180, 1.0, 9)
    rim = cv2.GaussianBlur(rim, (0, 0), 1.2)
    edge = cv2.GaussianBlur(np.roll(rim, 5, 0), (0, 0), 2.5)
    cloth *= (1 + 0.10 * rim - 0.22 * np.clip(edge - rim, 0, 1))[..., None]
    if jacket is not None:
        open_ = np.zeros_like(body)
        gap = [(178, y0 - 30), (334, y0 - 30), (300, SIZE + 10), (226, SIZE + 10)]
        cv2.fillPoly(open_, [np.array(gap, np.int32)], 1.0)
        lapel = np.zeros_like(body)
        for side in (1, -1):
            edge_of = [(82, -12), (106, 14), (122, 70), (98, 84), (44, 400), (34, 400)]
            points = [(256 + side * dx, y0 + dy) for dx, dy in edge_of]
            cv2.fillPoly(lapel, [np.array(points, np.int32)], 1.0)
        open_, lapel = cv2.GaussianBlur(open_, (0, 0), 1.2), cv2.GaussianBlur(lapel, (0, 0), 1.2)
        shadow = cv2.GaussianBlur(1 - open_, (0, 0), 7)
        cloth *= (1 - 0.5 * shadow * open_)[..., None]
        fall = cv2.GaussianBlur(np.roll(lapel, 4, 0), (0, 0), 4)
        coat_shade = shade * (1 + 0.16 * lapel - 0.30 * np.clip(fall - lapel, 0, 1))
        coat = np.array(jacket, np.float32) * coat_shade[..., None]
        cloth = cloth * open_[..., None] + coat * (1 - open_[..., None])
    cast = np.exp(-(((x - 256) / 95) ** 2) - ((y - y0) / 40) ** 2)
    cloth *= (1 - 0.30 * cast)[..., None]
    cloth += (5.0 * smooth_noise(rng, 0.8, 0.8) * (0.35 + cloth.mean(-1) / 255))[..., None]
    return cloth, cv2.GaussianBlur(body * (1 - neck), (0, 0), 0.9)


def composite(members: list[Sample], seed: int, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """(picture SIZE x SIZE x 3, matte SIZE x SIZE), both uint8. The heads are kept in `work`: they take long."""
    rng = np.random.default_rng(seed)
    cache = work / f"head-{zlib.crc32(' '.join(m.name for m in members).encode()):08x}.npz"
    if not cache.exists():
        np.savez(cache, **dict(zip(("picture", "alpha", "shape"), head(members, rng), strict=True)))
    kept = np.load(cache)
    picture, alpha, shape = kept["picture"], kept["alpha"], kept["shape"]
    chin = float(shape[152, 1])
    colour, jacket = WARDROBE[seed % len(WARDROBE)]
    cloth, body = garment(chin, colour, jacket, rng)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    away = np.abs(x - 256)
    face = np.zeros((SIZE, SIZE), np.float32)
    cv2.fillConvexPoly(face, cv2.convexHull(shape[OVAL].astype(np.int32)), 1.0)
    # The neck is drawn in the face's own skin: below the chin the average holds hair, collars and necklaces.
    lower = (face > 0) & (y > chin - 45) & (y < chin - 8) & (away < 45)
    skin = np.median(picture[lower], 0)
    half = 56 + 10 * np.clip((y - chin - 5) / 40, 0, 1) ** 2
    neck = np.clip((half - away) / 5 + 0.5, 0, 1) * (y > chin - 55) * (y < chin + 80)
    jaw_shadow = 0.36 * cv2.GaussianBlur(np.roll(face, 16, 0), (0, 0), 9)
    tone = (0.92 - jaw_shadow) * (1 - 0.32 * (away / 62) ** 2) + 0.012 * smooth_noise(rng, 3, 3)
    under = neck * (1 - cv2.GaussianBlur(face, (0, 0), 1.5))
    picture = picture * (1 - under[..., None]) + (skin * tone[..., None]) * under[..., None]
    # Hair that is long enough goes on behind the shoulders.
    beside = alpha[int(chin) - 35, [256 - 84, 256 + 84]].min() > 0.6
    end = chin + 45 if beside else chin - 46
    beside_neck = np.clip((118 - away) / 12 + np.clip((chin - 60 - y) / 40, 0, 1), 0, 1)
    alpha = alpha * np.clip((end - y) / 20, 0, 1) * beside_neck
    alpha = np.maximum(np.maximum(alpha, neck), cv2.GaussianBlur(face, (0, 0), 1.0))
    whole = picture * (1 - body[..., None]) + cloth * body[..., None]
    return np.clip(whole, 0, 255).astype(np.uint8), (np.maximum(alpha, body) * 255).astype(np.uint8)


def blur_each(stack: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(layer, (0, 0), sigma) for layer in stack])


def level_light(stack: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Brings the members' faces to one mean colour and contrast, so that the average keeps its own."""
    face = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(shape[OVAL].astype(np.int32)), 255)
    inside = face > 0
    means = np.array([image[inside].mean(0) for image in stack])
    spread = np.array([image[inside].std() for image in stack])
    out = []
    for image, mean, deviation in zip(stack, means, spread, strict=True):
        gain = float(np.clip(spread.mean() / deviation, 0.8, 1.25))
        out.append(np.clip((image - mean) * gain + means.mean(0) * 0.8 + mean * 0.2, 0, 255))
    return np.stack(out).astype(np.float32)


def refine(stack: np.ndarray, matte: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Optical flow of each member to the mean of all, so that hairlines, collars and contours meet."""
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow_of.setUseSpatialPropagation(True)
    base = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)
    for sigma in (16, 11, 8):
        flat = [
            np.clip(image.mean(-1) * cut + 255 * (1 - cut), 0, 255).astype(np.uint8)
            for image, cut in zip(stack, matte, strict=True)
        ]
        target = np.mean(flat, 0).astype(np.uint8)
        images, mattes, weights = [], [], []
        for image, cut, weight, grey in zip(stack, matte, seen, flat, strict=True):
            flow = cv2.GaussianBlur(flow_of.calc(target, grey, None), (0, 0), sigma)
            where = base + np.clip(flow, -18, 18)
            images.append(np.clip(remap(image, where), 0, 255))
            mattes.append(np.clip(remap(cut, where), 0, 1))
            weights.append(np.clip(remap(weight, where), 0, 1))
        stack, matte, seen = np.stack(images), np.stack(mattes), np.stack(weights)
    return stack, matte, seen


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
        print(f"{seed}: {len(members)} people, likeness to the nearest {likeness.max():.2f}", flush=True)
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
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("KIOSK_SHARED", "../shared")))
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
