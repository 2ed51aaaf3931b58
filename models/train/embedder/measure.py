"""Figures of an embedder: LFW View 1, byte templates, thresholds."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.domain.matching import Cohort, above_strangers
from kiosk.vision.network import make_exact
from kiosk.vision.pixels import scaled_part
from models.train.common.covers import COVERS, covered
from models.train.common.faces import Face, pictures, read_faces, read_heldout, training_faces
from models.train.common.runtime import ort
from models.train.embedder.cohort import Centres, centres_of
from models.train.embedder.false_matches import (
    LOOKED_AT,
    Fmr,
    beside_thresholds,
    one_person,
    source_thresholds,
    with_growth,
    worst,
)
from models.train.embedder.lfw import lfw, lfw_at, lfw_faces, tar_by_far, told
from models.train.embedder.retail import PART, SIDE

# A template is 128 signed bytes: the unit vector times this scale, rounded and clipped. A component of a unit vector of
# 128 has a standard deviation of 0.088; 0.4 is 4.5 of them, so that next to nothing is clipped.
TEMPLATE_SCALE = 127 / 0.4
TEACHERS = ("mobilefacenet_y1.onnx", "w600k_mbf_int8_dynamic.onnx")
BESIDE = "aaf, and people of the training"
GROWN = 5  # years; the figures of UTKFace without younger children are printed as well, and enter no table
MORE = 2600  # training people of aaf, drawn once, whom the held-out ones are compared with besides


Look = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""N x 112 x 112 x 3 aligned BGR faces -> N x 128 unit vectors."""


def session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    make_exact(options)
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def embed(
    net: ort.InferenceSession, bgr: NDArray[np.uint8], raw: bool = False, scale: float = 128.0
) -> NDArray[np.float32]:
    """N x 112 x 112 x 3 BGR faces -> N x 128 unit vectors, of each face and its mirror image together.

    A network for larger pictures sees retail.PART of them.

    `raw`: of the face alone, by a network that takes 0..255 (the teacher).
    """
    name, out = net.get_inputs()[0].name, []
    for k in range(0, len(bgr), 16):
        x = seen_by(net, bgr[k : k + 16])[:, :, :, ::-1].astype(np.float32).transpose(0, 3, 1, 2)
        x = x if raw else (x - 127.5) / scale
        sides = [x] if raw else [x, x[:, :, :, ::-1]]
        out.append(sum(net.run(None, {name: np.ascontiguousarray(s)})[0].reshape(len(x), -1) for s in sides))
    e = np.concatenate(out)
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def seen_by(net: ort.InferenceSession, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """N x 112 x 112 x 3 aligned faces -> what the network sees of them, N x side x side x 3."""
    side = net.get_inputs()[0].shape[-1]
    return np.stack([scaled_part(face, PART, side) for face in bgr]) if side == SIDE else bgr


def templates(unit: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.clip(np.rint(unit * TEMPLATE_SCALE), -127, 127).astype(np.int8)


def cosines(t: NDArray[np.int8], probes: NDArray[np.int8] | None = None) -> NDArray[np.float32]:
    """N templates -> N x N scores, of each with each, or with M probes N x M."""
    a, b = (v.astype(np.float32) for v in (t, t if probes is None else probes))
    scores: NDArray[np.float32] = a @ b.T
    return scores / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


def scores_of(cohort: Cohort, t: NDArray[np.int8], probes: NDArray[np.int8] | None = None) -> NDArray[np.float32]:
    """As `cosines`, and with the cohort: the scores of the door."""
    a, b = (cohort.excess(v).astype(np.float32) for v in (t, t if probes is None else probes))
    return above_strangers(cosines(t, probes), a[:, None], b)


def covered_faces(bgr: NDArray[np.uint8], kind: str) -> NDArray[np.uint8]:
    """N x 112 x 112 x 3 BGR faces -> the same behind covers of a kind of COVERS, drawn alike each time."""
    rng = np.random.default_rng(0)
    rgb = (torch.from_numpy(np.ascontiguousarray(face[:, :, ::-1])).permute(2, 0, 1).float() for face in bgr)
    return np.stack([covered(x, COVERS[kind], rng).byte().permute(1, 2, 0).numpy()[:, :, ::-1] for x in rgb])


@dataclass(frozen=True)
class Teachers:
    """Both, to tell who is one person: y1 takes 0..255, w600k -1..1, of a face and its mirror image."""

    y1: ort.InferenceSession
    w600k: ort.InferenceSession
    work: Path

    @classmethod
    def read(cls, shared: Path, work: Path, threads: int) -> Teachers:
        y1, w600k = (session(shared / "weights" / name, threads) for name in TEACHERS)
        return cls(y1, w600k, work)

    def embeddings(self, name: str, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Unit vectors of each, made once in the work folder."""
        path = self.work / f"teachers-{name}.npz"
        if not path.exists():
            np.savez(path, y1=embed(self.y1, crops, raw=True), w600k=embed(self.w600k, crops, scale=127.5))
        kept = np.load(path)
        return [kept["y1"], kept["w600k"]]


def same_person(
    scores: NDArray[np.float32], rows: list[NDArray[np.float32]], columns: list[NDArray[np.float32]]
) -> NDArray[np.bool_]:
    """N x M scores and both teachers' vectors of the N and of the M pictures -> which pairs to leave out."""
    first, second = (a @ b.T for a, b in zip(rows, columns, strict=True))
    return one_person(first, second) & (scores >= LOOKED_AT)


def more_of(faces: Sequence[Face], source: str) -> list[Face]:
    """MORE of a source's people who were trained with: one more stranger each to those held out."""
    known = [f for f in training_faces(faces) if f.source == source]
    random.Random(0).shuffle(known)
    return sorted(known[:MORE], key=lambda f: f.index)


def heldout_thresholds(
    reference: Look, probe: Look, teachers: Teachers, cohort: Cohort, shared: Path
) -> tuple[list[Fmr], dict[str, int], list[list[NDArray[np.float32]]]]:
    """Score by FMR and source over all pairs of different held-out people; the pairs left out by source; and the scores
    of each labelled person's pictures with the strangers of each source, for the growth.

    Of each pair the first is looked at as a `reference`, the second as a `probe`: one network for both, or two of which
    the one's vectors come to lie where the other's are (harmonic.py)."""
    faces = read_faces(shared)
    x, held = pictures(shared, teachers.work, faces), read_heldout(faces)
    rows, removed, probes, references = [], {}, {}, {}
    for source in ("aaf", "utkface", "celeba"):
        group = [f for f in held if f.source == source or (source == "celeba" and f.source == "celeb20")]
        crops = np.stack([x[f.index, 8:120, 8:120] for f in group])
        people = np.unique([f.identity or str(f.index) for f in group], return_inverse=True)[1]
        e = reference(crops)
        references[source] = templates(e)
        probes[source] = references[source] if probe is reference else templates(probe(crops))
        scores = scores_of(cohort, references[source], probes[source])
        if source == "celeba":  # labelled: nothing is left out
            new, gone = source_thresholds(source, scores, people, None)
            if probe is reference:
                tell_of_celeba(reference, cohort, crops, references[source], people)
        else:
            known = teachers.embeddings(source, crops)
            print(f"  {source}: {len(group)} faces, mean cosine to the teacher {(e * known[0]).sum(1).mean():.3f}")
            same = same_person(scores, known, known)
            if source == "aaf":  # the worst source, and so the one that ends the table
                others = np.stack([x[f.index, 8:120, 8:120] for f in more_of(faces, source)])
                beside = scores_of(cohort, references[source], templates(probe(others)))
                same_beside = same_person(beside, known, teachers.embeddings(f"{source}-more", others))
                new, gone = beside_thresholds(BESIDE, scores, beside, (same, same_beside))
                new += source_thresholds(source, scores, people, same)[0]
            else:
                new, gone = source_thresholds(source, scores, people, same)
                # For the card: infants look alike to a network, and few of them stand before a door.
                grown = np.flatnonzero(ages(shared)[[f.index for f in group]] >= GROWN)
                both = np.ix_(grown, grown)
                report(source_thresholds(f"utkface, {GROWN}+", scores[both], np.arange(len(grown)), same[both])[0])
        rows += new
        removed[source] = gone
    own = [references["celeba"][people == p] for p in range(people.max() + 1)]
    strangers = [
        [probes["celeba"][people != p] for p in range(len(own))],
        *([probes[s]] * len(own) for s in ("utkface", "aaf")),
    ]
    groups = [[scores_of(cohort, t, s) for t, s in zip(own, each, strict=True)] for each in strangers]
    return rows, removed, groups


def tell_of_celeba(
    look: Look,
    cohort: Cohort,
    crops: NDArray[np.uint8],
    rows: NDArray[np.int8],
    people: NDArray[np.int64],
) -> None:
    """What one training may be compared with another by, LFW being for the last word."""
    print(f"  all pairs of its {people.max() + 1} people: {told(tar_by_far(scores_of(cohort, rows), people))}")
    print(f"  the same without the cohort: {told(tar_by_far(cosines(rows), people))}")
    for kind in COVERS:
        behind = scores_of(cohort, rows, templates(look(covered_faces(crops, kind))))
        print(f"  the second picture behind a drawn {kind}: {told(tar_by_far(behind, people))}")


def ages(shared: Path) -> NDArray[np.int64]:
    """Of each aligned face in years; -1 where it is not known."""
    with (shared / "faces" / "aligned.csv").open(newline="") as f:
        return np.array([int(r["age"] or -1) for r in csv.DictReader(f)])


def report(rows: list[Fmr]) -> None:
    for r in rows:
        few = ", too few to rely on" if r.extrapolated else ""
        span = f"[{r.low:.4f}, {r.high:.4f}]"
        print(f"  {r.source:11} FMR {r.fmr:g}: score {r.score:.4f} {span}, {r.false_matches} of {r.pairs} pairs{few}")


def cohort_file(model: Path) -> Path:
    """Where the centres of a network's cohort are, beside it."""
    return model.with_name(f"{model.stem}-cohort.npy")


def make_cohort(net: ort.InferenceSession, shared: Path, work: Path) -> Centres:
    """From all training faces, in the middle of their pictures."""
    faces = read_faces(shared)
    x, known = pictures(shared, work, faces), training_faces(faces)
    parts = tqdm([known[k : k + 512] for k in range(0, len(known), 512)], desc="training faces", mininterval=20)
    found = [templates(embed(net, np.stack([x[f.index, 8:120, 8:120] for f in part]))) for part in parts]
    return centres_of(np.concatenate(found))


@dataclass(frozen=True)
class Measured:
    """What the manifest states: the threshold table, and the cohort that it holds with."""

    rows: list[Fmr]
    centres: Centres


def measure(model: Path, shared: Path, work: Path, threads: int, heldout: bool) -> Measured | None:
    """Prints all figures of a model file. `heldout`: makes its cohort and writes it beside the model, and measures the
    thresholds with it."""
    net = session(model, threads)
    names, crops, pairs = lfw_faces(shared)
    unit = embed(net, crops)
    for what, score in (("floats", unit @ unit.T), ("bytes", cosines(templates(unit)))):
        got = lfw(score, names, pairs)
        print(f"LFW View 1, {what}: accuracy {got.accuracy:.3f}, all pairs {told(got.tar)}", flush=True)
    clipped = float((np.abs(unit) * TEMPLATE_SCALE > 127.5).mean())
    error = float(np.abs(cosines(templates(unit)) - unit @ unit.T).max())
    print(f"bytes: {clipped:.1e} of the components clipped, score off by {error:.4f} at most")
    if not heldout:
        return None
    centres = make_cohort(net, shared, work)
    centres.write(cohort_file(model))
    cohort = centres.cohort()
    got = lfw(scores_of(cohort, templates(unit)), names, pairs)
    print(f"LFW View 1, with the cohort: accuracy {got.accuracy:.3f}, all pairs {told(got.tar)}", flush=True)
    look, teachers = partial(embed, net), Teachers.read(shared, work, threads)
    rows, removed, groups = heldout_thresholds(look, look, teachers, cohort, shared)
    print(f"held-out people: pairs left out because the teachers take them for one person: {removed}")
    report(rows)
    table = with_growth(worst(rows), groups)
    for r in table:
        tar_at, far_at = lfw_at(r.score, cosines(templates(unit)), names)
        print(f"at {r.score:.4f} (FMR {r.fmr:g}, worst source), all pairs of LFW: TAR {tar_at:.3f} FAR {far_at:.1e}")
    return Measured(table, centres)
