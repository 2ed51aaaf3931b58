"""Draws a composite: the average head of its members, on a drawn neck in drawn clothes."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np

from models.train.visitors.people import INNER_LIPS, LEFT_EYE, RIGHT_EYE, SIZE, Sample

OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]  # fmt: skip
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
    # Just outside the clothes too, lest something light shines through at their soft edge.
    cover = np.maximum(body, cv2.dilate(body, np.ones((11, 11))) * (1 - alpha))[..., None]
    whole = picture * (1 - cover) + cloth * cover
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
