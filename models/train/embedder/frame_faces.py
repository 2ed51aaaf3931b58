"""Finds the faces of the whole pictures that the embedder learns from, beside the aligned ones: frame_faces.csv.

    python -m models.train.embedder.frame_faces [--shared FOLDER]

Rows: shard, path, x and y of the five landmarks that the teacher of the detector (YuNet 2023mar) finds. Left out: small
and doubtful faces, and those that may be of the people held out of training (the second teacher's similarity to one of
their pictures is above NEAR). The pictures' people have no names. Needs what models.train.embedder needs; three
minutes.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.train.common.faces import (
    FRAME_FACES,
    aligned,
    clean_crops,
    pictures,
    read_aligned,
    read_heldout,
    shared_folder,
)
from models.train.embedder.second_teacher import Second

SHARD = "frames-00.tar"
DETECTOR = Path("weights") / "face_detection_yunet_2023mar.onnx"
SURE, SMALLEST = 0.8, 60  # the detector's score, and the height of a face in pixels
NEAR = 0.4
SOURCES = ("celeba", "celeb20")  # the pictures of the frames are of celeba: their people held out may be in them


def landmarks(detector: cv2.FaceDetectorYN, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """n x 5 x 2."""
    detector.setInputSize(picture.shape[1::-1])
    found = detector.detect(picture)[1]
    rows = np.zeros((0, 15), np.float32) if found is None else found[found[:, 3] >= SMALLEST]
    points: NDArray[np.float32] = rows[:, 4:14].reshape(-1, 5, 2)
    return points


def embedded(teacher: Second, x: NDArray[np.uint8]) -> NDArray[np.float32]:
    """N x 128 x 128 x 3 BGR -> N x 512 unit vectors."""
    parts = tqdm(np.array_split(np.arange(len(x)), max(1, len(x) // 64)), desc="second teacher", mininterval=20)
    return np.concatenate([teacher.run(clean_crops(x, 2 * part)).numpy() for part in parts])


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", help="the data folder")
    a.add_argument("--threads", type=int, default=2)
    o = a.parse_args()
    shared = shared_folder(o.shared)
    detector = cv2.FaceDetectorYN.create(str(shared / DETECTOR), "", (320, 320), SURE, 0.3, 100)
    rows, crops = [], []
    with tarfile.open(shared / "faces" / SHARD) as tar:
        for member in tqdm([m for m in tar if m.isfile()], desc="faces", mininterval=20):
            content = tar.extractfile(member)
            assert content is not None
            picture = np.asarray(cv2.imdecode(np.frombuffer(content.read(), np.uint8), cv2.IMREAD_COLOR), np.uint8)
            for points in landmarks(detector, picture):
                at = points.astype(np.float64).round(1).tolist()
                rows.append([SHARD, member.name, *(v for point in at for v in point)])
                crops.append(aligned(picture, at))
    faces = read_aligned(shared)
    held = [f for f in read_heldout(faces) if f.source in SOURCES]
    with tempfile.TemporaryDirectory() as work:
        people = pictures(shared, Path(work), faces, held)[[f.index for f in held]]
    teacher = Second(shared, o.threads)
    near = (embedded(teacher, np.stack(crops)) @ embedded(teacher, people).T).max(1)
    kept = [row for row, similarity in zip(rows, near, strict=True) if similarity <= NEAR]
    with FRAME_FACES.open("w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(kept)
    print(f"{len(kept)} of {len(rows)} faces; {len(rows) - len(kept)} may be of people held out")


if __name__ == "__main__":
    main()
