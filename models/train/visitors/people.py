"""The people whose pictures a composite may be made of, and which of them go together."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.train.common.runtime import ort

SIZE = 512
"""Width and height of a composite."""
EYE, EYES_Y = 64.0, 172.0
"""Distance between the eyes and their row, in pixels of the composite: room for hair above and shoulders below."""
MEMBERS = 14
EXCLUDED = {"celeba/01837.webp"}
"""Looked at, and perhaps not an adult."""
SAME = 0.40
"""Two pictures of which the teacher says more than this may show one person."""
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
LEFT_EYE, RIGHT_EYE = [33, 133, 159, 145], [362, 263, 386, 374]
INNER_LIPS = [13, 14]


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
