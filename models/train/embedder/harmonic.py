"""Harmonic embeddings (FaceNet, arXiv 1503.03832, appendix): a new network's vectors compared with an old one's.

    python -m models.train.embedder.harmonic vectors NETWORK.onnx OLD.npz
    python -m models.train.embedder.harmonic map OLD.npz NEW.npz --out MAP.npy
    python -m models.train.embedder.harmonic thresholds NAME MAP.npy --old NAME --fragment FILE

`vectors` writes `training` (N x 128) and `faces` (M x 128), a network's vectors of N training faces and of LFW's View
1, and `names` (M). A map takes the new vectors to the old network's place: ridge regression on unit vectors, then steps
with a hidden layer besides. `thresholds` measures those of mapped vectors against the old network's references, as any
network's are measured, and writes the [[pair]] of a manifest: with it `kiosk models switch` takes the map. NAME is the
new network in the manifest. A map to or from a network for research only is for research only, too; it travels apart.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from kiosk.vision.detector import FaceDetector
from kiosk.vision.earlier import VectorMap
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest
from kiosk.vision.models import load_cohort
from models.train.common.faces import MARGIN, pictures, read_faces, shared_folder, training_faces
from models.train.common.folders import MODELS
from models.train.embedder.false_matches import Fmr, with_growth, worst
from models.train.embedder.lfw import lfw_faces, told
from models.train.embedder.manifest import threshold_line
from models.train.embedder.measure import Teachers, cosines, embed, heldout_thresholds, report, session, templates

RIDGE = 1e-3  # of the vectors' mean square
HIDDEN, DROPPED, NOISE = 1024, 0.2, 0.01  # numbers of the hidden layer, the share left out in training; of each number
RATE, BATCH = 1e-3, 512
MAPS = 4  # whose mean is taken: each has learnt the same faces from another start
HELD = 10  # one of so many training faces chooses between the maps
FARS = (1e-3, 1e-4, 1e-5)


def unit(v: NDArray[np.float32]) -> NDArray[np.float32]:
    out: NDArray[np.float32] = v / np.linalg.norm(v, axis=1, keepdims=True)
    return out


@dataclass(frozen=True)
class Map:
    """n x 128 vectors of one network -> unit vectors where another network has them (kiosk.vision.earlier.VectorMap).

    `numbers`: (128 + 2 H) x 129, as the file has them: the affine part with its bias last; a hidden layer of H with its
    bias last; what comes of that layer, turned over, and a column of zeros. H may be 0.
    """

    numbers: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        mapped = VectorMap.of(self.numbers)
        return unit(np.stack([mapped(v) for v in vectors]))


def fitted(source: NDArray[np.float32], target: NDArray[np.float32], ridge: float = RIDGE) -> Map:
    """By ridge regression, from n x 128 vectors of the same n faces by both networks. Raises ValueError if there are
    not as many of one as of the other."""
    if len(source) != len(target):
        raise ValueError(f"{len(source)} and {len(target)} vectors are not of the same faces")
    x, y = unit(source).astype(np.float64), unit(target).astype(np.float64)
    mean_x, mean_y = x.mean(0), y.mean(0)
    squares = (x - mean_x).T @ (x - mean_x) / len(x)
    squares += ridge * np.diag(squares).mean() * np.eye(len(squares))
    weight = np.linalg.solve(squares, (x - mean_x).T @ (y - mean_y) / len(x)).T
    return Map(np.c_[weight, mean_y - weight @ mean_x].astype(np.float32))


def bent(
    first: Map,
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    steps: int,
    hidden: int = HIDDEN,
    seed: int = 0,
) -> Map:
    """The map after steps with a hidden layer besides.

    What counts is not only where a face comes to lie, but that it lies from all other faces as far as the old network
    has it: the similarities of a batch's mapped vectors to the old ones, and among each other, follow those of the old
    ones. (FaceNet's appendix takes triplets; they changed nothing here.)
    """
    order = torch.Generator().manual_seed(seed)
    affine, bias = (torch.tensor(v).requires_grad_() for v in (first.numbers[:, :-1], first.numbers[:, -1]))
    inner = (torch.randn(hidden, affine.shape[1], generator=order) * 0.4).requires_grad_()
    shift, back = torch.zeros(hidden, requires_grad=True), torch.zeros(len(bias), hidden, requires_grad=True)
    optimiser = torch.optim.AdamW([affine, bias, inner, shift, back], lr=RATE, weight_decay=0.05)
    x, y = torch.from_numpy(unit(source)), torch.from_numpy(unit(target))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        chosen = torch.randint(0, len(x), (BATCH,), generator=order)
        v, old = x[chosen] + NOISE * torch.randn(BATCH, x.shape[1], generator=order), y[chosen]
        kept = torch.rand(BATCH, hidden, generator=order) >= DROPPED
        layer = F.gelu(v @ inner.T + shift, approximate="tanh") * kept / (1 - DROPPED)
        mapped = F.normalize(v @ affine.T + bias + layer @ back.T)
        wanted, mixed = old @ old.T, mapped @ old.T
        loss = (1 - mixed.diagonal()).mean() + 5 * (mapped @ mapped.T - wanted).pow(2).mean()
        loss = loss + 30 * (mixed - wanted).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    parts = (torch.cat([affine, bias[:, None]], 1), torch.cat([inner, shift[:, None]], 1), F.pad(back.T, (0, 1)))
    return Map(torch.cat(parts).detach().numpy())


def best(source: NDArray[np.float32], target: NDArray[np.float32], steps: int) -> Map:
    """The affine or the bent map, whichever tells more of the held training faces by their highest score; then fitted
    to all faces."""
    held = np.arange(len(source)) % HELD == 0
    first = fitted(source[~held], target[~held])
    if not steps:
        return fitted(source, target)
    second = bent(first, source[~held], target[~held], steps)
    first_tells, second_tells = (margin(m(source[held]), unit(target[held])) for m in (first, second))
    whole = fitted(source, target)
    if first_tells >= second_tells:
        return whole
    return mean([bent(whole, source, target, steps, seed=seed) for seed in range(1, MAPS + 1)])


def mean(maps: Sequence[Map]) -> Map:
    """The map that gives the mean of what these give, before that is brought to length 1: their hidden layers side by
    side. It errs less than each: three in a thousand of TAR, here."""
    wide = maps[0].numbers.shape[1] - 1
    hidden = [(len(m.numbers) - wide) // 2 for m in maps]
    affine = np.mean([m.numbers[:wide] for m in maps], axis=0)
    inner = [m.numbers[wide : wide + h] for m, h in zip(maps, hidden, strict=True)]
    back = [m.numbers[wide + h :] / len(maps) for m, h in zip(maps, hidden, strict=True)]
    return Map(np.concatenate([affine, *inner, *back]).astype(np.float32))


def margin(mapped: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """How many standard deviations the own scores lie above the highest of others, in the mean."""
    scores = mapped @ target.T
    own = np.diag(scores)
    others = (scores - 4 * np.eye(len(scores), dtype=np.float32)).max(1)
    return float((own - others).mean() / (own - others).std())


def tar(scores: NDArray[np.float32], people: NDArray[np.int64], far: float) -> float:
    """The share of mated pairs above the score that `far` of the non-mated pairs reach, each face by each other."""
    same = people[:, None] == people[None]
    apart = ~np.eye(len(people), dtype=bool)
    strangers = np.sort(scores[~same])[::-1]
    return float((scores[same & apart] > strangers[int(far * len(strangers))]).mean())


def write_vectors(network: Path, out: Path, shared: Path, work: Path, count: int) -> None:
    """Of both sides of each face. Those of LFW are aligned by the kiosk's detector, as the training's are.

    The `count` training faces lie evenly over all sources.
    """
    known = training_faces(read_faces(shared))
    x = pictures(shared, work, read_faces(shared))
    chosen = [f.index for f in known[:: max(1, len(known) // count)][:count]]
    net = session(network, 1)
    manifest = Manifest(MODELS)
    names, faces, _ = lfw_faces(
        shared, FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), threads=1)
    )
    training = np.stack([x[i, MARGIN:-MARGIN, MARGIN:-MARGIN] for i in chosen])
    np.savez(out, training=embed(net, training), faces=embed(net, faces), names=np.array(names))


def write_map(before: Path, after: Path, steps: int, out: Path | None) -> None:
    """Fits the map from the new vectors to the old ones, prints the figures on View 1, and writes the map.

    Raises SystemExit if the two files are not of the same faces.
    """
    old, new = np.load(before), np.load(after)
    if list(old["names"]) != list(new["names"]):
        raise SystemExit(f"{before} and {after} are not of the same faces: make both anew")
    people = np.unique([str(n)[:-5] for n in new["names"]], return_inverse=True)[1]
    old_faces, new_faces = unit(old["faces"]), unit(new["faces"])
    found = best(new["training"], old["training"], steps)
    mixed = cosines(templates(found(new_faces)), templates(old_faces))
    for what, scores in (
        ("old-old", cosines(templates(old_faces))),
        ("new-new", cosines(templates(new_faces))),
        ("new-old", mixed),
    ):
        print(f"{what}: {told({far: tar(scores, people, far) for far in FARS})}")
    if out:
        np.save(out, found.numbers)


def measure_pair(new: str, path: Path, old: str, shared: Path, work: Path, threads: int) -> str:
    """The manifest's entry of a map from the network `new` to `old`: its thresholds, with the old network's cohort."""
    manifest = Manifest(MODELS)
    after, before = (manifest.entry(name, EmbedderEntry) for name in (new, old))
    mapped = Map(np.load(path))
    nets = [session(MODELS / entry.file, threads) for entry in (before, after)]
    rows, removed, groups = heldout_thresholds(
        lambda faces: embed(nets[0], faces),
        lambda faces: mapped(embed(nets[1], faces)),
        Teachers.read(shared, work, threads),
        load_cohort(manifest, before),
        shared,
    )
    print(f"held-out people: pairs left out because the teachers take them for one person: {removed}")
    report(rows)
    return pair_fragment(after, before, path, with_growth(worst(rows), groups))


def pair_fragment(after: EmbedderEntry, before: EmbedderEntry, path: Path, table: Sequence[Fmr]) -> str:
    """TOML; its licence is the stricter of both networks'."""
    licence = next((e.licence for e in (before, after) if e.terms == "research-only"), after.licence)
    cohort = before.cohort
    lines = [
        "[[pair]]",
        f'new = "{after.model_id}"',
        f'old = "{before.model_id}"',
        f'file = "{path.name}"',
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"',
        f'licence = "{licence}"',
    ]
    if cohort is not None:
        lines.append(
            f'cohort = {{ file = "{cohort.file}", sha256 = "{cohort.sha256}", nearest = {cohort.nearest}, '
            f"usual = {cohort.usual:g} }}"
        )
    return "\n".join([*lines, "thresholds = [", *map(threshold_line, table), "]", ""])


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("do", choices=["vectors", "map", "thresholds"])
    a.add_argument("first", type=Path, help="the network; the old network's vectors; the new network's name")
    a.add_argument("second", type=Path, help="the vectors to write; the new network's vectors; the map")
    a.add_argument("--old", default="mobilefacenet", help="the old network's name")
    a.add_argument("--fragment", type=Path, help="write the manifest's [[pair]] there")
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--shared", help="the data folder")
    a.add_argument("--work", type=Path, default=Path("work-free"), help="where the pictures are")
    a.add_argument("--count", type=int, default=12_000, help="of training faces")
    a.add_argument("--steps", type=int, default=2500, help="with a hidden layer; 0: the regression alone")
    a.add_argument("--out", type=Path, help="write the map there, as [[pair]] of a manifest takes it")
    o = a.parse_args()
    if o.do == "vectors":
        write_vectors(o.first, o.second, shared_folder(o.shared), o.work, o.count)
    elif o.do == "map":
        write_map(o.first, o.second, o.steps, o.out)
    else:
        text = measure_pair(str(o.first), o.second, o.old, shared_folder(o.shared), o.work, o.threads)
        print(text) if o.fragment is None else o.fragment.write_text(text)


if __name__ == "__main__":
    main()
