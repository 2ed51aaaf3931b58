"""LFW's View 1: its pictures, its pairs, and the figures of an embedder on them."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.domain.ports.recognition import Detector
from kiosk.evaluation.lfw import central
from kiosk.vision.alignment import align
from models.train.embedder.false_matches import FMRS

# InsightFace's template for 112 x 112: eyes, nose, corners of the mouth; the person's right is the picture's left.
ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
YUNET = Path("weights") / "face_detection_yunet_2023mar.onnx"
LFW = Path("faces") / "lfw-view1-devtest.tar"


def lfw_faces(
    shared: Path, own: Detector | None = None
) -> tuple[list[str], NDArray[np.uint8], list[tuple[int, int, bool]]]:
    """View 1's pictures, aligned by YuNet's landmarks or by those of the kiosk's `own` detector, and its pairs (two
    indices, mated) in the list's order."""
    names: list[str] = []
    crops: list[NDArray[np.uint8]] = []
    yunet = cv2.FaceDetectorYN.create(str(shared / YUNET), "", (250, 250), 0.5)
    with tarfile.open(shared / LFW) as tar:
        lines: list[list[str]] = []
        for member in tar:
            stream = tar.extractfile(member)
            if stream is None:
                continue
            if member.name.endswith(".txt"):
                lines = [line.split() for line in stream.read().decode().splitlines()]
                continue
            picture = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR)
            names.append(Path(member.name).stem)
            crops.append(_aligned(yunet, picture) if own is None else _aligned_by(own, picture))
    at = {n: i for i, n in enumerate(names)}
    pairs = []
    for line in lines:
        if len(line) == 3:
            pairs.append((at[f"{line[0]}_{int(line[1]):04}"], at[f"{line[0]}_{int(line[2]):04}"], True))
        elif len(line) == 4:
            pairs.append((at[f"{line[0]}_{int(line[1]):04}"], at[f"{line[2]}_{int(line[3]):04}"], False))
    return names, np.stack(crops), pairs


def _aligned(detector: cv2.FaceDetectorYN, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face nearest to the middle, large ones first, warped onto the template by the best similarity."""
    h, w = picture.shape[:2]
    detector.setInputSize((w, h))
    _, found = detector.detect(picture)
    if found is None:
        raise SystemExit("YuNet finds no face in a picture of LFW")
    off = np.hypot(found[:, 0] + found[:, 2] / 2 - w / 2, found[:, 1] + found[:, 3] / 2 - h / 2)
    face = found[np.argmax(found[:, 2] - 2 * off)]
    matrix, _ = cv2.estimateAffinePartial2D(face[4:14].reshape(5, 2), ARCFACE, method=cv2.LMEDS)
    return cv2.warpAffine(picture, matrix, (112, 112))


def _aligned_by(detector: Detector, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    face = central(detector.detect(picture), picture)
    if face is None:
        raise SystemExit("the detector finds no face in a picture of LFW")
    return align(picture, face)


def best_threshold(scores: NDArray[np.float32], mated: NDArray[np.bool_]) -> float:
    """The middle of the range of thresholds with the highest accuracy."""
    order = np.argsort(-scores)
    right = np.cumsum(mated[order]) + (~mated).sum() - np.cumsum(~mated[order])
    k = np.flatnonzero(right == right.max())
    k = int(k[len(k) // 2])
    following = scores[order[k + 1]] if k + 1 < len(order) else scores[order[k]]
    return float((scores[order[k]] + following) / 2)


def view1_accuracy(scores: NDArray[np.float32], mated: NDArray[np.bool_]) -> float:
    """Ten folds of the list, mated and non-mated alternately; each by the threshold of the other nine."""
    fold = np.empty(len(scores), int)
    for side in (mated, ~mated):
        fold[side] = np.arange(side.sum()) * 10 // side.sum()
    right = 0
    for k in range(10):
        t = best_threshold(scores[fold != k], mated[fold != k])
        right += int(((scores[fold == k] >= t) == mated[fold == k]).sum())
    return right / len(scores)


@dataclass(frozen=True)
class Lfw:
    accuracy: float
    tar: dict[float, float]


def lfw(score: NDArray[np.float32], names: list[str], pairs: list[tuple[int, int, bool]]) -> Lfw:
    """N x N scores of View 1's pictures -> accuracy of its pairs and TAR at FAR over all pairs of its pictures."""
    a, b, mated = (np.array(v) for v in zip(*pairs, strict=True))
    people = np.array([n[:-5] for n in names])
    return Lfw(view1_accuracy(score[a, b], mated), tar_by_far(score, people))


def tar_by_far(score: NDArray[np.float32], people: NDArray[np.generic]) -> dict[float, float]:
    """N x N scores, the person of each picture -> TAR over all pairs, by their own FAR."""
    i, j = np.triu_indices(len(people), 1)
    same, scores = people[i] == people[j], score[i, j]
    non_mated = np.sort(scores[~same])[::-1]
    return {f: float((scores[same] > non_mated[int(f * len(non_mated))]).mean()) for f in FMRS[:3]}


def told(tar: dict[float, float]) -> str:
    return " ".join(f"TAR@{f:g} {v:.3f}" for f, v in tar.items())


def lfw_at(threshold: float, score: NDArray[np.float32], names: list[str]) -> tuple[float, float]:
    """TAR and FAR over all pairs of View 1's pictures at a threshold."""
    people = np.array([n[:-5] for n in names])
    i, j = np.triu_indices(len(names), 1)
    same, match = people[i] == people[j], score[i, j] >= threshold
    return float(match[same].mean()), float(match[~same].mean())
