"""The embedders: train, export, measure, count.

    python -m models.train.embedder targets                                  both teachers' embeddings, before training
    python -m models.train.embedder train   --anneal 450 [--steps N]         from the teacher's weights (no phase 1)
    python -m models.train.embedder train   [--from FILE] [--finish STEPS]   goes on from the work folder's checkpoint
    python -m models.train.embedder train   --phase 2 --follow --from FILE   further, following the teacher's maps
    python -m models.train.embedder train   --phase 2 --settled --from FILE  or towards both teachers' embeddings alone
    python -m models.train.embedder train   --phase 3 [--from FILE]          on top: triplets of the labelled people
    python -m models.train.embedder train   --phase 4 [--from FILE]          last: int8's rounding (--steps 0: ranges)
    python -m models.train.embedder export  [--weights FILE] [--out FILE]    fp32 and int8 ONNX
    python -m models.train.embedder measure [--out FILE] [--fragment FILE]   LFW View 1, cohort, thresholds
    python -m models.train.embedder count   [--out FILE]                     parameters, multiply-adds of NET or a file
    python -m models.train.embedder train --smoke                            all of it in small, under 3 minutes

--net chooses the network: mobilefacenet or seesawfacenet, by one recipe.
Data from --shared or KIOSK_SHARED, caches and checkpoints in --work. Needs torch, onnx, onnxruntime,
opencv-python-headless, numpy and tqdm. With tcmalloc in front (LD_PRELOAD) training is a tenth faster.
A training can be stopped at any time; the next start goes on exactly there, with any number of --threads.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import onnx
import torch
from torch import nn

from models.train.common.faces import shared_folder
from models.train.common.folders import MODELS
from models.train.embedder.complexity import count
from models.train.embedder.export import CALIBRATION_FACES, calibration_faces, export_fp32, export_int8
from models.train.embedder.gptq import second_moments
from models.train.embedder.manifest import fragment
from models.train.embedder.measure import measure
from models.train.embedder.mobilefacenet import MobileFaceNet, net_input, read_ranges, read_weights, write_weights
from models.train.embedder.qat import tensor_ranges
from models.train.embedder.second_teacher import write_targets
from models.train.embedder.seesawfacenet import SeesawFaceNet
from models.train.embedder.training import Plan, train

NETWORKS: dict[str, type[nn.Module]] = {"mobilefacenet": MobileFaceNet, "seesawfacenet": SeesawFaceNet}
SMOKE_SHARE = 0.04  # of the people
PLANS = {
    1: Plan(phase=1, steps=560, finish=200, batch=16, rate=4e-3, decay=1e-4),
    2: Plan(phase=2, steps=6000, finish=1000, batch=32, rate=1.5e-3, decay=0.01, features=0.5, resting=8, every=4),
    3: Plan(phase=3, steps=600, finish=300, batch=64, rate=1e-4, decay=0.01, settled=True),
    4: Plan(4, steps=1500, finish=1000, batch=32, rate=2e-4, decay=0.01, features=1.0, settled=True, follow=True),
}


def plans(o: argparse.Namespace) -> list[Plan]:
    """The phases to run, changed by the options that were given. The third and fourth run when asked for."""
    chosen = [PLANS[p] for p in ([o.phase] if o.phase else list(PLANS) if o.smoke else [1, 2])]
    if o.anneal:
        chosen = [replace(PLANS[2], anneal=o.anneal, rate=1e-3, features=0.0, every=1)]
    if o.smoke:  # each phase in two starts: the second goes on from the checkpoint
        return [replace(p, steps=n, finish=2, batch=16 if p.phase == 3 else 8) for p in chosen for n in (2, 4)]
    given = {
        k: v
        for k in ("steps", "finish", "batch", "rate", "features", "resting", "every", "triplets")
        if (v := getattr(o, k)) is not None
    }
    if o.follow:
        chosen = [
            replace(p, settled=True, follow=True, features=1.0, every=1, bf16=o.bf16, compiled=o.compile)
            for p in chosen
        ]
    elif o.settled:  # every layer learns, in every step
        chosen = [replace(p, settled=True, features=0.0, every=1) for p in chosen]
    return [replace(p, **given) for p in chosen]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("do", choices=["targets", "train", "export", "measure", "count"])
    a.add_argument("--net", choices=list(NETWORKS), default="mobilefacenet")
    a.add_argument("--shared", help="the data folder")
    a.add_argument("--work", type=Path, default=Path("work-embedder"), help="caches and checkpoints")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--smoke", action="store_true", help="a few steps from nothing, then export and measure")
    a.add_argument("--from", dest="start", type=Path, help="weights to go on from, instead of from nothing")
    a.add_argument("--teachers-end", action="store_true", help="with --from: the last layers begin as the teacher's")
    a.add_argument("--phase", type=int, choices=list(PLANS), help="only this phase")
    a.add_argument("--settled", action="store_true", help="phase 2: the batch norms' statistics rest")
    a.add_argument("--follow", action="store_true", help="phase 2: --settled, and the teacher's maps are the targets")
    a.add_argument("--bf16", action="store_true", help="with --follow: faster where the processor multiplies bfloat16")
    a.add_argument("--compile", action="store_true", help="with --follow: a faster teacher; needs a C++ compiler")
    a.add_argument("--steps", type=int, help="the step at which the phase ends")
    a.add_argument("--finish", type=int, help="bring the rate to zero over this many last steps")
    a.add_argument("--rate", type=float)
    a.add_argument("--batch", type=int)
    a.add_argument("--features", type=float, help="weight of the teacher's maps in phase 2")
    a.add_argument("--resting", type=int, help="leading layers of 20 that learn only every EVERY-th step of phase 2")
    a.add_argument("--every", type=int)
    a.add_argument(
        "--anneal",
        type=int,
        help="begin as the teacher, or as the mobilefacenet of --from, PReLUs and all; N steps to the network",
    )
    a.add_argument("--triplets", type=float, help="weight of the triplets' loss in phase 3")
    a.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where the network learns")
    a.add_argument("--weights", type=Path, help="what to export (default: the checkpoint's average)")
    a.add_argument("--reduce-range", action="store_true", help="export weights of 7 bits, for x86 without VNNI")
    a.add_argument("--keep", type=Path, help="write the weights there in half precision, for a later --from")
    a.add_argument("--out", type=Path, help="the int8 model to write, measure or count")
    a.add_argument("--quick", action="store_true", help="measure on LFW only")
    a.add_argument("--fragment", type=Path, help="write the manifest's entry there")
    a.add_argument("--model-id", help="of the manifest's entry (default: kiosk-NET-1)")
    o = a.parse_args()
    network = NETWORKS[o.net]
    if o.do == "count":
        count(o.out, network)
        return
    o.out = o.out or MODELS / f"{o.net}.onnx"
    shared = shared_folder(o.shared)
    share = SMOKE_SHARE if o.smoke else 1.0
    if o.smoke:
        o.work, o.out = o.work / "smoke", o.work / "smoke" / f"{o.net}.onnx"
    o.work.mkdir(parents=True, exist_ok=True)
    if o.do == "targets":
        write_targets(shared, o.work, o.threads)
    checkpoint = o.work / ("checkpoint.pt" if network is MobileFaceNet else f"{o.net}.pt")
    if o.smoke:
        checkpoint.unlink(missing_ok=True)
    if o.do == "train":
        for plan in plans(o):
            train(plan, shared, o.work, checkpoint, o.threads, o.start, network, o.device, share, o.teachers_end)
    if o.do == "export" or o.smoke:
        fp32 = o.work / f"{o.out.stem}_fp32.onnx"
        source = o.weights or checkpoint
        state, trained = read_weights(source, network), read_ranges(source)
        written = export_fp32(state, fp32, network)
        ranges = None if trained is None else tensor_ranges(network(), trained, onnx.load(fp32).graph)
        x = calibration_faces(shared, o.work, share)
        moments = second_moments(written, net_input(x[::4]))
        x = x[: 16 if o.smoke else 64 if ranges else CALIBRATION_FACES]
        export_int8(fp32, o.out, x, reduce_range=o.reduce_range, ranges=ranges, moments=moments)
        print(f"{o.out}: {o.out.stat().st_size} bytes")
        if o.keep:
            write_weights(state, o.keep, trained)
    if o.do == "measure" or o.smoke:
        found = measure(o.out, shared, o.work, o.threads, heldout=not (o.quick or o.smoke))
        if o.fragment and found:
            o.fragment.write_text(fragment(o.out, o.model_id or f"kiosk-{o.net}-1", found, name=o.net))


if __name__ == "__main__":
    main()
