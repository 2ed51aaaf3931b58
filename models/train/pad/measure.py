"""The PAD networks and their teachers: APCER and BPCER of the left-out sources, the clips, and time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.train.common.runtime import ort, session
from models.train.pad.crops import CONTEXTS, LEFT_OUT, Finder, clip_frames, cut, left_out

CLASSES = 3
MOST_BPCER = 0.03  # the upper end of its interval: the cue can only deny, so it must seldom deny the bona fide
Scores = dict[str, np.ndarray]  # by network or mean: the bona fide probability of each crop


@dataclass(frozen=True)
class Runs:
    """The networks that are there, each with the index of its context."""

    sessions: dict[str, tuple[int, ort.InferenceSession]]

    def scores(self, crops: list[list[np.ndarray]]) -> Scores:
        """Of every network, and the teachers' and the students' mean."""
        out = {name: bona_fide(run, crops[k]) for name, (k, run) in self.sessions.items()}
        for kind in ("teacher", "student"):
            both = [v for name, v in out.items() if name.startswith(kind)]
            if len(both) == len(CONTEXTS):
                out[f"{kind} mean"] = np.mean(both, 0)
        return out


def clopper_pearson(errors: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share."""

    def at_most(k: int, p: float) -> float:
        return sum(math.comb(count, i) * p**i * (1 - p) ** (count - i) for i in range(k + 1))

    def solve(k: int, level: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            p = (low + high) / 2
            low, high = (p, high) if at_most(k, p) > level else (low, p)
        return low

    return (0.0 if errors == 0 else solve(errors - 1, 0.975)), (1.0 if errors == count else solve(errors, 0.025))


def bona_fide(run: ort.InferenceSession, crops: list[np.ndarray]) -> np.ndarray:
    """The bona fide probability of each crop."""
    x = np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32)
    name = run.get_inputs()[0].name
    logits = np.concatenate([run.run(None, {name: x[i : i + 16]})[0] for i in range(0, len(x), 16)])
    logits = logits[:, :CLASSES]  # a fourth number is the second answer (heads.py)
    exp = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exp[:, 1] / exp.sum(1))


def threshold_at(scores: np.ndarray, label: np.ndarray) -> float:
    """The highest threshold that MOST_BPCER is still above, at 95%, on these bona fide (a score below it: attack)."""
    good = np.sort(scores[label == 1])
    k = 0
    while k + 1 < len(good) and clopper_pearson(k + 1, len(good))[1] <= MOST_BPCER:
        k += 1
    return float((good[k] + (good[k - 1] if k else 0.0)) / 2)


def rates(scores: np.ndarray, label: np.ndarray, threshold: float) -> str:
    """APCER and BPCER with their intervals."""
    texts = []
    for name, wrong in (("APCER", scores[label == 0] >= threshold), ("BPCER", scores[label == 1] < threshold)):
        low, high = clopper_pearson(int(wrong.sum()), len(wrong))
        texts.append(f"{name} {wrong.sum()}/{len(wrong)} = {wrong.mean():.4f} [{low:.3f}, {high:.3f}]")
    return ", ".join(texts)


def milliseconds(runs: list[ort.InferenceSession]) -> list[float]:
    """The least time of each for one crop, one thread, taken in turns."""
    x = np.full((1, 3, 80, 80), 100, np.float32)
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(200):
        for k, run in enumerate(runs):
            t = time.perf_counter()
            run.run(None, {run.get_inputs()[0].name: x})
            times[k].append((time.perf_counter() - t) * 1e3)
    return [min(v) for v in times]


def measure_left_out(runs: Runs, faces: Path, reference: Path, share: float) -> dict[str, float]:
    """Prints the rates of the left-out sources; gives the thresholds, drawn from all of them together."""
    names, labels, crops = [], [], [[] for _ in CONTEXTS]
    for k, (name, label, image, box) in enumerate(left_out(faces, reference)):
        if k % max(1, round(1 / share)) == 0:
            names.append(name)
            labels.append(label)
            for c, context in enumerate(CONTEXTS):
                crops[c].append(cut(image, box, context))
    source, label = np.array(names), np.array(labels)
    thresholds = {}
    for name, s in runs.scores(crops).items():
        thresholds[name] = threshold_at(s, label)
        for t in (thresholds[name], 0.5):
            print(f"{name}, threshold {t:.4f}, all left out: {rates(s, label, t)}")
            for part in LEFT_OUT:
                at = source == part
                if 0 < label[at].sum() < at.sum():
                    print(f"  {part}: {rates(s[at], label[at], t)}")
    return thresholds


def measure_clips(runs: Runs, thresholds: dict[str, float], clips: Path, reference: Path, every: int) -> None:
    find = Finder(reference)
    for clip in sorted(clips.glob("*.mp4")):
        crops, frames = [[] for _ in CONTEXTS], 0
        for image in clip_frames(clip, every):
            frames += 1
            if (box := find(image)) is not None:
                for c, context in enumerate(CONTEXTS):
                    crops[c].append(cut(image, box, context))
        shares = [f"{name} {(s >= thresholds[name]).mean():.2f} (0.5: {(s >= 0.5).mean():.2f})"
                  for name, s in runs.scores(crops).items()]  # fmt: skip
        print(f"{clip.name}: {frames} frames, {len(crops[0])} with a face, passed: {', '.join(shares)}")


def measure(folder: Path, teachers: dict[str, Path], shared: Path, every: int, share: float) -> None:
    """Prints it all. The clips choose nothing."""
    reference = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    sessions: dict[str, tuple[int, ort.InferenceSession]] = {}
    for k, (name, path) in enumerate(teachers.items()):
        sessions[f"teacher {name}"] = k, session(str(path))
        if (folder / f"{name}.onnx").exists():
            sessions[f"student {name}"] = k, session(str(folder / f"{name}.onnx"))
    runs = Runs(sessions)
    thresholds = measure_left_out(runs, shared / "faces", reference, share)
    measure_clips(runs, thresholds, shared / "clips", reference, every)
    for name, ms in zip(sessions, milliseconds([run for _, run in sessions.values()]), strict=True):
        print(f"{name}: {ms:.2f} ms a crop, one thread")
