"""An embedder's second output: is this an upright, whole, natural face? Are the eyes hidden, is the mouth covered?

    python -m models.train.quality --work FOLDER NAME [NAME ...] [--shared FOLDER] [--out FOLDER] [--leave-out]
    python -m models.train.quality --work FOLDER NAME [NAME ...] --only ANSWER
    python -m models.train.quality --work FOLDER --smoke

For any embedder of models.train.embedder that the manifest names. One linear layer over averages of what the network
has computed on its way (graph.py), fitted by logistic regression on natural, covered and ruined faces of the training's
people (pictures.py, ruins.py). The embedding stays byte for byte what it was; a second output that the
network has already is made anew. Writes NAME.onnx and prints the lines of the manifest: the file's hash, the answers
with their bounds (measure.py measures what they refuse at enrolment). --only: this answer of a network that has
answers is fitted anew, and the others' numbers stay as they are. --leave-out: each kind of ruin is kept out of a fit of
its own, and measured with that.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.config import ModelsConfig, PolicyConfig
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load
from kiosk.vision.network import make_exact
from models.train.common.faces import shared_folder
from models.train.common.runtime import ort
from models.train.embedder.measure import seen_by
from models.train.quality.graph import (
    POOLED,
    QUALITY,
    ROWS,
    Floats,
    Head,
    Tap,
    exposed,
    plain,
    pooled,
    refitted,
    widths,
    with_answers,
)
from models.train.quality.pictures import KINDS, NATURAL, Drawn, drawn
from models.train.quality.ruins import RUINS

TAPS = (Tap(3, 2), Tap(6, 2), Tap(9, 2), Tap(12, 2), Tap(15, 2))
ANSWERS: dict[str, tuple[str, ...]] = {
    "unnatural": tuple(RUINS),
    "eyes_hidden": ("dark glasses", "bar"),
    "mouth_covered": ("mask",),
    "uneven_light": ("uneven",),
}
"""The kinds that each answer says yes to."""
MOUTH = list(ANSWERS).index("mouth_covered")
SHOWN = ("natural", "changed", "glasses", "hat", "uneven")
"""Kinds of faces that nobody needs to be asked to show: bounds are set on them."""
REFUSED = 0.003
"""Of those an answer says yes to by mistake, in pictures that were not fitted."""
SYMMETRIC = 0.001
"""Of those taken for a half and its mirror image."""
CHECKED = 4
"""One picture in so many is not fitted."""
PENALTY = 3e-4
"""Of the squared weights, for averages of variance 1."""
BATCH = 16
"""Faces at once."""


def sides(model: bytes, output: str, faces: NDArray[np.uint8], mirrored: Sequence[bool]) -> list[Floats]:
    """Of N faces (112 x 112 BGR) the embedding and another output, N rows each, in the mirror where it is said."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    make_exact(options)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    first = session.get_outputs()[0].name
    rows: tuple[list[Floats], list[Floats]] = ([], [])
    for at in tqdm(range(0, len(faces), BATCH), desc=output, mininterval=20):
        part = faces[at : at + BATCH].copy()
        flipped = np.array(mirrored[at : at + BATCH], bool)
        part[flipped] = part[flipped][:, :, ::-1]
        x = (seen_by(session, part)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
        for kept, value in zip(rows, session.run([first, output], {"input": np.ascontiguousarray(x)}), strict=True):
            kept.append(value)
    return [np.concatenate(r) for r in rows]


def fit(rows: Floats, wanted: NDArray[np.bool_], weights: Floats, penalty: float = PENALTY) -> tuple[Floats, Floats]:
    """N x F averages, N x K what each answer should say, N x K how much that counts -> (F x K weights, K bias), by
    logistic regression with a penalty on the squared weights of the averages when these have variance 1."""
    mean, spread = rows.mean(0), rows.std(0) + 1e-3
    x = torch.from_numpy((rows - mean) / spread)
    y, counts = torch.from_numpy(wanted.astype(np.float32)), torch.from_numpy(weights / weights.sum(0))
    w, b = torch.zeros(x.shape[1], y.shape[1], requires_grad=True), torch.zeros(y.shape[1], requires_grad=True)
    search = torch.optim.LBFGS([w, b], max_iter=150, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        wrong = F.binary_cross_entropy_with_logits(x @ w + b, y, reduction="none")
        total = (wrong * counts).sum() + penalty * (w**2).sum()
        total.backward()
        return total

    search.step(loss)
    solved = w.detach().numpy() / spread[:, None]
    return solved.astype(np.float32), (b.detach().numpy() - mean @ solved).astype(np.float32)


def wanted(kinds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """N x K: which answers say yes to faces of these kinds."""
    return np.stack([np.isin(kinds, [KINDS.index(k) for k in yes]) for yes in ANSWERS.values()], axis=1)


def counting(kinds: NDArray[np.int64], masked: NDArray[np.bool_], left_out: str = "") -> Floats:
    """N x K: how much a face counts for each answer. Of what is ruined only the first answer knows. Of a set in which
    nobody knows who wears a mask nothing counts for that answer, the drawn masks in it neither: they would teach what
    that set looks like. No kind counts more than four times the usual one."""
    counts = np.bincount(kinds, minlength=len(KINDS))
    each = np.minimum(1.0, 4 * np.median(counts[counts > 0]) / np.maximum(counts, 1))[kinds]
    ruined = kinds >= len(NATURAL)
    weights = np.repeat(each[:, None], len(ANSWERS), axis=1).astype(np.float32)
    weights[ruined, 1:] = 0
    weights[masked, MOUTH] = 0
    if left_out:
        weights[kinds == KINDS.index(left_out)] = 0
    return weights


def both_sides(model: bytes, output: str, faces: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """N x F: the mean of the faces' and of their mirror images', as at the door; N: the cosine of each face's embedding
    and its mirror image's."""
    (left, straight), (right, flipped) = (sides(model, output, faces, [side] * len(faces)) for side in (False, True))
    alike = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    return (straight + flipped) / 2, alike


def bounds(numbers: Floats, kinds: NDArray[np.int64], masked: NDArray[np.bool_]) -> Floats:
    """N x K numbers of faces that were not fitted -> K bounds, that REFUSED of the kinds in SHOWN lie above, of those
    that the answer does not say yes to."""
    found = []
    for k, yes in enumerate(ANSWERS.values()):
        plain = np.isin(kinds, [KINDS.index(kind) for kind in SHOWN if kind not in yes])
        plain &= ~masked if k == MOUTH else True
        found.append(np.quantile(numbers[plain, k], 1 - REFUSED))
    return np.array(found, np.float32)


def shares(numbers: Floats, kinds: NDArray[np.int64], most: Floats) -> Iterator[tuple[str, NDArray[np.float64], int]]:
    """Of each kind the share that each answer says yes to, and how many there are."""
    for k, kind in enumerate(KINDS):
        of_kind = numbers[kinds == k]
        if len(of_kind):
            yield kind, (of_kind > most).mean(0), len(of_kind)


def left_out(rows: Floats, tested: Floats, fitted: Drawn, checked: Drawn) -> None:
    """Prints for each kind of ruin what a fit that has never seen it refuses of it."""
    for kind in RUINS:
        weights, bias = fit(rows, wanted(fitted.kinds), counting(fitted.kinds, fitted.masked, kind))
        numbers = tested @ weights + bias
        most = bounds(numbers, checked.kinds, checked.masked)
        of_kind = numbers[checked.kinds == KINDS.index(kind), 0] > most[0]
        if len(of_kind):
            print(f"  without {kind}: {of_kind.mean():.3f} of {len(of_kind)} refused all the same")


def refit(model: onnx.ModelProto, answer: str, fitted: Drawn) -> onnx.ModelProto:
    """The network with one of its answers fitted anew, on the averages that it computes in use."""
    which = [list(ANSWERS).index(answer)]
    weights = counting(fitted.kinds, fitted.masked)[:, which]
    counted = fitted.of(weights[:, 0] > 0)
    every_other = np.arange(len(counted.kinds)) % 2 == 1
    rows = sides(exposed(model).SerializeToString(), ROWS, counted.faces, every_other)[1]
    solved = fit(rows, wanted(counted.kinds)[:, which], weights[weights[:, 0] > 0])
    return refitted(model, which, *solved)


def make(name: str, model: onnx.ModelProto, faces: Drawn, out: Path, only: str = "", leave_out: bool = False) -> None:
    """Fits the answers of one network, or one of them, writes it with them, and prints what the manifest is to say."""
    fitted, checked = faces.of(faces.origins % CHECKED != 0), faces.of(faces.origins % CHECKED == 0)
    path = out / f"{name}.onnx"
    if only:
        onnx.save(refit(model, only, fitted), path)
    else:
        model = plain(model)
        with_rows = pooled(model, TAPS).SerializeToString()
        every_other = np.arange(len(fitted.kinds)) % 2 == 1
        rows = sides(with_rows, POOLED, fitted.faces, every_other)[1]
        weights, bias = fit(rows, wanted(fitted.kinds), counting(fitted.kinds, fitted.masked))
        onnx.save(with_answers(model, Head(TAPS, weights, bias, ranges(model, TAPS, rows))), path)
    kinds = checked.kinds
    numbers, alike = both_sides(path.read_bytes(), QUALITY, checked.faces)
    most = bounds(numbers, kinds, checked.masked)
    print(f"# {name}: of faces that were not fitted, the share that each answer says yes to: {', '.join(ANSWERS)}")
    for kind, yes, count in shares(numbers, kinds, most):
        print(f"#   {kind:14} {' '.join(f'{v:6.3f}' for v in yes)}   of {count}")
    if leave_out:
        left_out(rows, both_sides(with_rows, POOLED, checked.faces)[0], fitted, checked)
    plain_faces, cut = np.isin(kinds, [KINDS.index(k) for k in SHOWN]), kinds == KINDS.index("halves")
    mirrored = float(np.quantile(alike[plain_faces], 1 - SYMMETRIC))
    print(f"# max_mirrored = {mirrored:.4f}: {(alike[cut] > mirrored).mean():.3f} of halves alike are above it")
    answers = ", ".join(f'{{ name = "{a}", most = {m:.2f} }}' for a, m in zip(ANSWERS, most, strict=True))
    print(f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\nanswers = [{answers}]')


def ranges(model: onnx.ModelProto, taps: Sequence[Tap], rows: Floats) -> list[tuple[float, float]]:
    """The least and the largest average of each tap."""
    ends = np.cumsum(widths(model, taps))[:-1]
    return [(float(part.min()), float(part.max())) for part in np.split(rows, ends, axis=1)]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("names", nargs="*", default=["mobilefacenet"])
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--shared")
    a.add_argument("--out", type=Path)
    a.add_argument("--smoke", action="store_true")
    how = a.add_mutually_exclusive_group()
    how.add_argument("--only", choices=list(ANSWERS), default="")
    how.add_argument("--leave-out", action="store_true")
    a.add_argument("--share", type=float, default=1.0, help="of the faces that are drawn, the share that is used")
    o = a.parse_args()
    work = o.work / "smoke" if o.smoke else o.work
    out = o.out or work
    for folder in (work, out):
        folder.mkdir(parents=True, exist_ok=True)
    detector = load(ModelsConfig(threads=2), PolicyConfig()).detector
    faces = kept(work / "quality-faces.npz", lambda: drawn(shared_folder(o.shared), detector, 0.02 if o.smoke else 1.0))
    faces = faces.of(faces.origins % 100 < 100 * o.share)
    manifest = Manifest(default_folder())
    for name in o.names:
        content = manifest.bytes_of(manifest.entry(name, EmbedderEntry))
        make(name, onnx.load_from_string(content), faces, out, o.only, o.leave_out)


def kept(path: Path, draw: Callable[[], Drawn]) -> Drawn:
    """The faces of a file; drawn and written where there is none."""
    if not path.exists():
        made = draw()
        np.savez(path, faces=made.faces, kinds=made.kinds, origins=made.origins, masked=made.masked)
    with np.load(path) as file:
        return Drawn(file["faces"], file["kinds"], file["origins"], file["masked"])
