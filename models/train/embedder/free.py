"""The embedder under free terms: it begins as retail_0095 (Apache-2.0), follows its maps, and becomes int8.

    python -m models.train.embedder.free start   --work FOLDER            the teacher's weights, by least squares
    python -m models.train.embedder.free train   --work FOLDER --steps N  goes on from the work folder's checkpoint
    python -m models.train.embedder.free export  --work FOLDER --out FILE fp32 and int8 ONNX
    python -m models.train.embedder.free measure --work FOLDER --out FILE [--fragment FILE]  figures; cohort, thresholds

`train --from models/train/checkpoints/freefacenet.pt` goes on from the kept weights. A training can be stopped at any
time (SIGTERM); the next start goes on exactly there. No teacher for research only is asked. The pictures are of
research sets (deploy/decisions/0052-free-embedder.md); with `--pictures FOLDER` they are yours, from `start` on, and of
the data folder only weights/retail_0095.onnx is read.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from models.train.common.covers import COVERS, covered
from models.train.common.faces import MARGIN, Batches, pictures, read_faces, shared_folder, training_faces
from models.train.common.folders import MODELS, SHARED
from models.train.common.own import own_faces
from models.train.embedder.distillation import COVERED, FOLLOWED, MIXED, relative_error, towards
from models.train.embedder.export import CALIBRATION_FACES, export_fp32, export_int8
from models.train.embedder.free_start import started
from models.train.embedder.freefacenet import FreeFaceNet
from models.train.embedder.gptq import second_moments
from models.train.embedder.loop import Plan, State, run_steps
from models.train.embedder.manifest import FREE, fragment
from models.train.embedder.measure import measure
from models.train.embedder.mobilefacenet import write_weights
from models.train.embedder.qat import equalise, find_ranges, tensor_ranges
from models.train.embedder.retail import RetailTeacher, retail_input, tensor_of, views
from models.train.embedder.stem_colours import aligned_colours, take_colours

LAYERS_BY, PROJECTION_BY = 240, 4000  # faces that the start is fitted by
RATE, BATCH, FEATURES = 5e-4, 16, 0.5


class Inputs:
    """The training's pictures: what the networks see of them, and what is kept in the work folder."""

    def __init__(self, shared: Path, work: Path, share: float, own: Path | None = None) -> None:
        """`own`: a folder of pictures, instead of the data folder's faces."""
        if own is None:
            faces = read_faces(shared)
            chosen = training_faces(faces, share)
            self.x = pictures(shared, work, faces, None if share == 1 else chosen)
            which = np.array([f.index for f in chosen], np.int64)
        else:
            self.x = own_faces(own)
            which = np.arange(len(self.x))
        self.batches = Batches(self.x, which, seed=0)

    def some(self, count: int, seed: int) -> torch.Tensor:
        """Network inputs of training faces drawn once, at most so many: n x 3 x 128 x 128."""
        rng = np.random.default_rng(seed)
        which = np.sort(rng.permutation(self.batches.all_views)[:count])
        return retail_input(tensor_of(views(self.x[which], rng)))


def pairs(batches: Batches, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The next n pictures as a door's camera may see them, some of them blends of two faces, for the student; the same
    without masks, glasses and hats for the teacher; where they differ: two of n x 3 x 128 x 128, n bool.

    The first has no cover, so that there is always a map to follow.
    """
    bare = batches.x[batches.views(n)]
    worn = bare.copy()
    for k in 1 + np.flatnonzero(batches.rng.random(n - 1) < COVERED):
        worn[k] = behind_cover(bare[k], batches.rng)
    both = tensor_of(views(np.concatenate([worn, bare], 3), batches.rng))
    # Side by side: in the same light.
    lit = batches.lit(batches.blend(torch.cat([both[:, :3], both[:, 3:]], 3), n // MIXED))
    seen, shown = lit.chunk(2, 3)
    hidden = (seen != shown).flatten(1).any(1)
    seen = batches.taken(seen.flip(1).contiguous()).flip(1)
    shown = torch.where(hidden[:, None, None, None], shown, seen)
    return retail_input(seen), retail_input(shown), hidden


def behind_cover(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """An aligned face with its margin, 128 x 128 x 3 BGR, behind a mask, glasses or a hat."""
    out, inner = face.copy(), slice(MARGIN, -MARGIN)
    rgb = torch.from_numpy(face[inner, inner, ::-1].copy()).permute(2, 0, 1).float()
    drawn = covered(rgb, list(COVERS.values())[int(rng.integers(len(COVERS)))], rng)
    out[inner, inner] = drawn.permute(1, 2, 0).round().byte().numpy()[..., ::-1]
    return out


def embedding_and_maps(net: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Network inputs -> unit embeddings and the maps of FOLLOWED, of the student or of the teacher."""
    maps = []
    for layers, layer in enumerate(net.n, 1):  # type: ignore[arg-type]
        x = layer(x)
        if layers in FOLLOWED:
            maps.append(x)
    return F.normalize(x.flatten(1).float()), maps


def losses(
    net: nn.Module,
    teacher: RetailTeacher,
    projection: torch.Tensor,
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    resting: int = 0,
    bf16: bool = False,
) -> list[torch.Tensor]:
    """1 - cosine to the teacher's projected embedding, squared difference of the similarities, errors of the maps.

    `batch` (pairs): a covered face's maps are no target. The first `resting` layers learn nothing. `bf16`: both
    networks compute in bfloat16, in half of the time where the processor multiplies it; the weights and what becomes of
    the errors stay in float.
    """
    seen, shown, hidden = batch
    open_faces = (~hidden).nonzero().flatten()
    low = torch.autocast("cpu", torch.bfloat16, enabled=bf16)
    with torch.no_grad(), low:
        y, wanted = embedding_and_maps(teacher, shown)
        still = net.n[:resting](seen) if resting else seen  # type: ignore[index,operator]
    passed = sum(layers <= resting for layers in FOLLOWED)
    e, maps = still, []
    with low:
        for layers, layer in enumerate(net.n, 1):  # type: ignore[arg-type]
            if layers > resting:
                e = layer(e)
                if layers in FOLLOWED:
                    maps.append(e)
    target = F.normalize(y @ projection.T)
    near = towards(F.normalize(e.flatten(1).float()), target)
    return near + [relative_error(z[open_faces], t[open_faces]) for z, t in zip(maps, wanted[passed:], strict=True)]


def start(shared: Path, work: Path, inputs: Inputs) -> None:
    net, projection = started(RetailTeacher.read(shared), inputs.some(LAYERS_BY, 0), inputs.some(PROJECTION_BY, 1))
    keep(net, projection, work / "start.pt")


def keep(net: nn.Module, projection: torch.Tensor, path: Path) -> None:
    """Weights in half precision, and the projection that they were trained for."""
    write_weights(net.state_dict() | {"projection": projection}, path)


def kept(path: Path) -> tuple[FreeFaceNet, torch.Tensor]:
    """The network of a file of `keep`, and its projection. Raises SystemExit if it is not such a file."""
    saved = {k: v.float() for k, v in torch.load(path, map_location="cpu", weights_only=True).items()}
    projection = saved.pop("projection", None)
    net = FreeFaceNet().eval()
    wanted = {k for k, v in net.state_dict().items() if v.dtype.is_floating_point}
    if projection is None or saved.keys() != wanted:
        raise SystemExit(f"{path} does not hold a FreeFaceNet's weights and projection")
    net.load_state_dict(net.state_dict() | saved)
    return net, projection


def train(shared: Path, work: Path, inputs: Inputs, plan: Plan, begin: Path) -> None:
    """Runs the plan, from the work folder's checkpoint where there is one, else from the weights in `begin`."""
    teacher = RetailTeacher.read(shared)
    net, projection = kept(begin)
    state, checkpoint = State(FreeFaceNet, inputs.batches, 0, "cpu"), work / "free.pt"
    if checkpoint.exists():
        state.load(checkpoint)
    else:
        state.net.load_state_dict(net.state_dict())
        state.average.load_state_dict(net.state_dict())
        state.phase = 2
    for norm in [m for part in (state.net, state.average) for m in part.modules() if isinstance(m, nn.BatchNorm2d)]:
        norm.eval()
    run_steps(
        plan,
        state,
        lambda: (
            losses(state.net, teacher, projection, pairs(inputs.batches, plan.batch), plan.resting, plan.bf16),
            True,
        ),
        checkpoint,
    )
    keep(state.average, projection, work / "freefacenet.pt")


def export(work: Path, inputs: Inputs, weights: Path, out: Path) -> None:
    """Writes fp32 into the work folder and int8 to `out`, both for the kiosk's own numbers."""
    x = aligned_colours(inputs.some(CALIBRATION_FACES, 2))
    net, _ = kept(weights)
    take_colours(net)
    equalise(net, x[::2])
    ranges = find_ranges(net, x[::2])
    fp32 = work / f"{out.stem}_fp32.onnx"
    written = export_fp32(net.state_dict(), fp32, FreeFaceNet)
    named = tensor_ranges(FreeFaceNet(), ranges, onnx.load(fp32).graph)
    moments = second_moments(written, x[::4])
    export_int8(fp32, out, x[:64], ranges=named, moments=moments, given=lambda inputs: inputs)
    print(f"{out}: {out.stat().st_size} bytes")


def measure_all(shared: Path, work: Path, path: Path, threads: int, model_id: str, written: Path | None) -> None:
    """Prints all figures of an int8 file, makes its cohort beside it, and writes the manifest's entry to `written`."""
    found = measure(path, shared, work, threads, heldout=written is not None)
    if written is not None and found is not None:
        written.write_text(fragment(path, model_id, found, name=path.stem, origin=FREE))


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("do", choices=["start", "train", "export", "measure"])
    a.add_argument("--shared", help="the data folder")
    a.add_argument("--work", type=Path, default=Path("work-free"), help="caches and checkpoints")
    a.add_argument("--share", type=float, default=1.0, help="of the people, for a try in small")
    a.add_argument("--pictures", type=Path, help="a folder of your own pictures, instead of the data folder's faces")
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--from", dest="begin", type=Path, help="weights to begin with (default: of `start`)")
    a.add_argument("--steps", type=int, default=6000, help="the step at which the training ends")
    a.add_argument("--finish", type=int, default=5000, help="bring the rate to zero over this many last steps")
    a.add_argument("--rate", type=float, default=RATE)
    a.add_argument("--batch", type=int, default=BATCH)
    a.add_argument("--features", type=float, default=FEATURES, help="weight of the teacher's maps")
    a.add_argument("--resting", type=int, default=0, help="leading layers of 20 that learn nothing")
    a.add_argument("--bf16", action="store_true", help="compute in bfloat16, for all but the last steps")
    a.add_argument("--weights", type=Path, help="what to export (default: of `train`)")
    a.add_argument("--out", type=Path, default=MODELS / "freefacenet.onnx", help="the int8 model to write or measure")
    a.add_argument("--fragment", type=Path, help="measure all, and write the manifest's entry there")
    a.add_argument("--model-id", default="kiosk-freefacenet-2", help="of the manifest's entry")
    o = a.parse_args()
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)
    shared = Path(o.shared or SHARED) if o.pictures else shared_folder(o.shared)
    o.work.mkdir(parents=True, exist_ok=True)
    inputs = partial(Inputs, shared, o.work, o.share, o.pictures)
    if o.do == "start":
        start(shared, o.work, inputs())
    elif o.do == "train":
        plan = Plan(
            2, o.steps, o.finish, o.batch, o.rate, 0.01, o.features, o.resting, settled=True, follow=True, bf16=o.bf16
        )
        train(shared, o.work, inputs(), plan, o.begin or o.work / "start.pt")
    elif o.do == "export":
        export(o.work, inputs(), o.weights or o.work / "freefacenet.pt", o.out)
    else:
        measure_all(shared, o.work, o.out, o.threads, o.model_id, o.fragment)


if __name__ == "__main__":
    main()
