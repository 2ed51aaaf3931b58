"""The detector against its teacher: held-out frames, LFW View 1, the clips, face-free crops, and time."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx

from models.train.common.pictures import Image
from models.train.common.runtime import session
from models.train.detector.network import free_size
from models.train.detector.scenes import load_frames, pad_to_32

Found = np.ndarray  # K x 15: x, y, width, height, five landmarks, score; best first
Network = Callable[..., Found]

SMALLEST = 40.0  # pixels, the square root of the box's area


def suppress(rows: np.ndarray, threshold: float, overlap: float = 0.3) -> Found:
    """Rows above the threshold, best first, without those that overlap a better one."""
    rows = rows[rows[:, 14] >= threshold]
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    kept = []
    while len(rows):
        kept.append(rows[0])
        rows = rows[1:][ious(rows[0], rows[1:]) <= overlap]
    return np.array(kept, np.float32).reshape(-1, 15)


def ious(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[:2] + box[2:4], boxes[:, :2] + boxes[:, 2:4])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    return both / (box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - both + 1e-9)


def landmark_error(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of the five landmarks relative to the distance of the eyes in b."""
    p, q = a[4:14].reshape(5, 2), b[4:14].reshape(5, 2)
    return float(np.linalg.norm(p - q, axis=1).mean() / max(float(np.linalg.norm(q[0] - q[1])), 1e-6))


class OnnxNetwork:
    def __init__(self, path: Path) -> None:
        self.session = session(str(path))

    def __call__(self, image: Image, threshold: float = 0.3) -> Found:
        x = np.ascontiguousarray(pad_to_32(image).transpose(2, 0, 1)[None].astype(np.float32))
        return suppress(self.session.run(None, {"input": x})[0][0], threshold)


@dataclass(frozen=True)
class Agreement:
    faces: int  # of the teacher, at least SMALLEST large
    recall: float  # of those, at IoU 0.5, at the student's threshold
    extra: int  # the student's faces that no face of the teacher above 0.3 overlaps by 0.3
    landmarks: float  # mean error relative to the distance of the eyes
    landmarks_p95: float

    def __str__(self) -> str:
        return (
            f"{self.faces} faces of the teacher: recall {self.recall:.4f}, {self.extra} others found, "
            f"landmarks {self.landmarks:.4f} (95%: {self.landmarks_p95:.4f}) of the eyes' distance"
        )


def large(found: Found) -> Found:
    return found[np.sqrt(np.clip(found[:, 2] * found[:, 3], 0, None)) >= SMALLEST]


def teacher_agreement(
    student: Network, teacher: Network, images: list[Image], threshold: float, at_teacher: float = 0.7
) -> Agreement:
    hits, faces, extra, errors = 0, 0, 0, []
    for image in images:
        all_wanted, got = teacher(image, 0.3), student(image, min(threshold, at_teacher))
        got = got[got[:, 14] >= threshold]
        for face in large(all_wanted[all_wanted[:, 14] >= at_teacher]):
            faces += 1
            overlap = ious(face, got)
            if len(got) and overlap.max() >= 0.5:
                hits += 1
                errors.append(landmark_error(got[int(overlap.argmax())], face))
        extra += sum(1 for face in large(got) if not (ious(face, all_wanted) >= 0.3).any())
    e = np.array(errors or [np.nan])
    return Agreement(faces, hits / max(faces, 1), extra, float(e.mean()), float(np.percentile(e, 95)))


def lfw_pictures(path: Path) -> Iterator[Image]:
    with tarfile.open(path) as tar:
        for entry in tar:
            if entry.name.endswith((".jpg", ".webp", ".png")) and (data := tar.extractfile(entry)) is not None:
                yield cv2.imdecode(np.frombuffer(data.read(), np.uint8), cv2.IMREAD_COLOR)


def central(found: Found, image: Image) -> np.ndarray | None:
    """The best face whose box holds the picture's centre."""
    centre = np.array([image.shape[1], image.shape[0]]) / 2
    inside = (found[:, :2] <= centre).all(1) & (found[:, :2] + found[:, 2:4] >= centre).all(1)
    return found[inside][0] if inside.any() else None


def clip_frames(path: Path, every: int = 1) -> Iterator[Image]:
    """At the kiosk's size: 640 pixels the longer side at most."""
    video = cv2.VideoCapture(str(path))
    frame = 0
    while video.grab():
        frame += 1
        if (frame - 1) % every == 0:
            image = video.retrieve()[1]
            k = 640 / max(image.shape[:2])
            yield cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA) if k < 1 else image


def face_free(images: list[Image], teacher: Network) -> list[Image]:
    """Crops of held-out frames away from every face that the teacher suspects (0.2) there, at three enlargements."""
    rng, crops = np.random.default_rng(0), []
    for image in images:
        faces = teacher(image, 0.2)
        for _ in range(4):
            side = int(rng.integers(64, 161))
            if min(image.shape[:2]) <= side:
                continue
            y, x = int(rng.integers(image.shape[0] - side)), int(rng.integers(image.shape[1] - side))
            low = np.maximum(faces[:, :2] - 4, [x, y])
            high = np.minimum(faces[:, :2] + faces[:, 2:4] + 4, [x + side, y + side])
            if not (high > low).all(1).any():
                crop = image[y : y + side, x : x + side]
                crops.append(cv2.resize(crop, (256, 256), interpolation=cv2.INTER_LINEAR))
    return crops


def milliseconds(student: Path, reference: Path, height: int, width: int) -> tuple[float, float]:
    """Median of one picture, one thread, the two networks in turn in one process."""
    runs = [session(str(student)), session(free_size(onnx.load(reference)))]
    x = np.random.default_rng(0).integers(0, 256, (1, 3, height, width)).astype(np.float32)
    times: list[list[float]] = [[], []]
    for _ in range(60):
        for run, seconds in zip(runs, times, strict=True):
            start = time.perf_counter()
            run.run(None, {run.get_inputs()[0].name: x})
            seconds.append(time.perf_counter() - start)
    return float(np.median(times[0][10:]) * 1000), float(np.median(times[1][10:]) * 1000)


def measure(file: Path, reference: Path, shared: Path, work: Path, *, teacher: Network, share: float) -> None:
    """Prints the report. The teacher's threshold is 0.7 throughout; the student's are those named in the lines."""
    student = OnnxNetwork(file)
    pictures = load_frames(shared / "faces", work, teacher, validation=True, share=share)
    plain = [p.image for p in pictures if p.source in ("celeba", "masks")]
    pad = [p.image for p in pictures if p.source not in ("celeba", "masks")]
    crops = face_free(plain + pad, teacher)
    wrong = {n: np.array([f[14] for c in crops for f in large(net(c, 0.2))]) for n, net in
             (("teacher", teacher), ("student", student))}  # fmt: skip
    allowed = int((wrong["teacher"] >= 0.7).sum())
    matched = max([0.3, *np.sort(wrong["student"])[::-1][allowed : allowed + 1] + 1e-4])
    print(f"face-free crops: {len(crops)}")
    for threshold in (0.3, 0.5, 0.6, 0.7, 0.8):
        print(f"  above {threshold}: teacher {(wrong['teacher'] >= threshold).sum()}, "
              f"student {(wrong['student'] >= threshold).sum()}")  # fmt: skip
    print(f"  the student has as few as the teacher at 0.7 ({allowed}) from {matched:.3f}")
    for name, images in (("held-out frames", plain), ("held-out PAD frames", pad)):
        for threshold in (0.5, 0.6, 0.7, matched):
            result = teacher_agreement(student, teacher, images, threshold)
            print(f"{len(images)} {name}, student above {threshold:.2f}: {result}")
    lfw, found, wanted, errors = 0, {0.6: 0, 0.7: 0}, 0, []
    for image in lfw_pictures(shared / "faces" / "lfw-view1-devtest.tar"):
        if lfw >= 1549 * share:
            break
        lfw += 1
        mine, theirs = central(student(image, 0.3), image), central(teacher(image, 0.3), image)
        wanted += theirs is not None and theirs[14] >= 0.7
        for threshold in found:
            found[threshold] += int(mine is not None and mine[14] >= threshold)
        if mine is not None and theirs is not None:
            errors.append(landmark_error(mine, theirs))
    print(f"LFW View 1, {lfw} pictures, face in the middle: teacher above 0.7 {wanted}, student {found}; landmarks "
          f"{np.mean(errors):.4f} (95%: {np.percentile(errors, 95):.4f}) of the eyes' distance")  # fmt: skip
    clips = sorted((shared / "clips").glob("*.mp4"))
    for clip in clips[: max(1, round(len(clips) * share))]:
        frames = list(clip_frames(clip, every=max(1, round(1 / share))))
        mine = [student(f, 0.3) for f in frames]
        theirs = [teacher(f, 0.3) for f in frames]
        error = [landmark_error(a[0], b[0]) for a, b in zip(mine, theirs, strict=True) if len(a) and len(b)]
        counts = [sum(len(f) > 0 and f[0, 14] >= 0.7 for f in found) for found in (mine, theirs)]
        several = sum((large(f)[:, 14] >= 0.7).sum() > 1 for f in mine)
        print(f"{clip.name}: {len(frames)} frames, student {counts[0]}, teacher {counts[1]} with a face above 0.7, "
              f"student more than one {several}, landmarks {np.mean(error):.4f}")  # fmt: skip
    for height, width in ((256, 320), (480, 640)):
        mine_ms, reference_ms = milliseconds(file, reference, height, width)
        print(f"{width} x {height}, one thread: {mine_ms:.2f} ms, reference {reference_ms:.2f} ms, "
              f"ratio {reference_ms / mine_ms:.2f}")  # fmt: skip
