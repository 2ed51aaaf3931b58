"""The recipe of the presentation attack detection (PAD) networks: train, export, measure. From nothing.

    python pad.py --work FOLDER train            (both networks; or: train --network pad-2.7)
    python pad.py --work FOLDER export ..        (the folder of the networks; also --network)
    python pad.py --work FOLDER measure ..
    python pad.py --work FOLDER --smoke

The teachers are minivision's MiniFASNet V2 and V1SE (Apache-2.0). Phase 1 (block by block): every block learns the
teacher's own mapping from the teacher's own input to it, all blocks in the same step. Phase 2 (end to end): the
teacher's scores where it is not wrong, the labels of the attack sets, and every block's output still towards the
teacher's. It goes on from its last checkpoint when it is started again.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm pydantic.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from detector_net import session
from pad_crops import Batches, Groups, load_training
from pad_measure import measure
from pad_net import Pad, Teacher, runtime
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

TEACHERS = {"pad-2.7": "fasnet_2_7.onnx", "pad-4.0": "fasnet_4_0.onnx"}
CONTEXT = {"pad-2.7": 2.7, "pad-4.0": 4.0}
STILL = 3  # pieces that phase 2 leaves as phase 1 made them: at half the picture's size they cost most, and fit best


@dataclass(frozen=True)
class Plan:
    blockwise: int  # steps of phase 1
    endtoend: int  # steps of phase 2; batch norm's statistics stand still
    rate_blockwise: float = 1e-2
    rate_endtoend: float = 5e-4
    count_blockwise: int = 16  # pictures a step
    count_endtoend: int = 24


def rate(step: int, plan: Plan) -> float:
    """Cosine to a hundredth in each phase, after a short warm-up."""
    if step < plan.blockwise:
        at, steps, top = step, plan.blockwise, plan.rate_blockwise
    else:
        at, steps, top = step - plan.blockwise, plan.endtoend, plan.rate_endtoend
    warm = min(1.0, (at + 1) / 30)
    return top * warm * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * at / steps))))


def relative_errors(got: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    """Of each piece: the squared error, each channel relative to its variance (or a tenth of the mean variance)."""
    losses = []
    for y, t in zip(got, wanted, strict=True):
        variance = t.var(dim=[d for d in range(t.ndim) if d != 1], keepdim=True)
        losses.append(((y - t) ** 2 / variance.clamp_min(0.1 * float(variance.mean()) + 1e-6)).mean())
    return losses


def blockwise(net: Pad, x: Tensor, given: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    """The pieces' errors; a large feature map's first rows do, since each gives many positions."""
    errors = []
    for piece, v, t in zip(net.pieces(), [net.scaled(x), *given], wanted, strict=True):
        rows = len(x) // 4 if v.shape[2] >= 40 else len(x) // 2 if v.shape[2] >= 20 else len(x)
        errors += relative_errors([piece(v[:rows]).reshape(t[:rows].shape)], [t[:rows]])
    return errors


def start_at(net: Pad, wanted: list[Tensor]) -> None:
    """Every piece's last batch norm begins with the mean and the spread of the teacher's output."""
    norms = [layers[1] for layers in net.stem] + [block.layers[2][1] for block in net.blocks] + [net.head[2][1]]
    for norm, t in zip(norms, wanted, strict=False):
        over = [d for d in range(t.ndim) if d != 1]
        norm.weight.data = t.std(over).flatten()
        norm.bias.data = t.mean(over).flatten()


def score_loss(logits: Tensor, teacher: Tensor, label: Tensor) -> tuple[Tensor, list[float]]:
    """Cross-entropy to the teacher's scores where no label contradicts it, and to the labels of the attack sets."""
    soft = torch.softmax(teacher, 1)
    known = label >= 0
    wrong = known & ((soft[:, 1] > 0.5) != (label == 1))
    every = (soft * (torch.log_softmax(teacher, 1) - torch.log_softmax(logits, 1))).sum(1)
    taught = (every * ~wrong).sum() / len(label)
    margin = logits[:, 1] - torch.logsumexp(logits[:, [0, 2]], 1)
    told = F.binary_cross_entropy_with_logits(margin, (label == 1).float(), reduction="none")
    told = (told * known).sum() / len(label)
    return taught + told, [taught.item(), told.item(), wrong.float().mean().item()]


def train(name: str, plan: Plan, groups: Groups, teacher: Teacher, work: Path, every: int) -> Pad:
    batches = Batches(groups, CONTEXT[name])
    torch.manual_seed(0)
    net = Pad(teacher.shape).to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": weights, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}])
    start, checkpoint = 0, work / f"{name}.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        start = state["step"]
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    steps = plan.blockwise + plan.endtoend
    mean: np.ndarray | None = None
    bar = tqdm(range(start, steps), initial=start, total=steps, desc=name, mininterval=10, unit="step", disable=None)
    for step in bar:
        first = step < plan.blockwise
        if step == plan.blockwise:
            mean = None
            optimiser.state.clear()
            net.load_state_dict(average.state_dict())
        net.train(step < plan.blockwise * 0.9)
        for piece in net.pieces()[:STILL]:
            piece.requires_grad_(first)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, plan)
        pixels, labels = batches.batch(step, plan.count_blockwise if first else plan.count_endtoend)
        x = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        given, wanted = teacher(np.ascontiguousarray(pixels))
        if step == 0:
            start_at(net, wanted)
            average.load_state_dict(net.state_dict())
        if first:
            errors = blockwise(net, x, given, wanted)
            loss, parts = torch.stack(errors).sum(), [v.item() for v in errors]
        else:
            out = net(x)
            errors = relative_errors(out[STILL:-1], wanted[STILL:-1])
            loss, parts = score_loss(out[-1], wanted[-1], torch.from_numpy(labels))
            loss = loss + 0.1 * torch.stack(errors).mean()
            parts += [v.item() for v in errors]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0 if first else 5.0)
        optimiser.step()
        later = step - plan.blockwise
        decay = 0.9 if first else min(0.99, (later + 5) / (later + 30))
        with torch.no_grad():
            for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                if a.dtype.is_floating_point:
                    a.lerp_(b, 1 - decay)
                else:
                    a.copy_(b)
        now = np.array(parts)
        mean = now if mean is None else 0.95 * mean + 0.05 * now
        if (step + 1) % every == 0 or step + 1 == steps:
            save(checkpoint, step + 1, net=net, average=average, optimiser=optimiser)
            bar.write(f"{name} {step + 1} {time.strftime('%H:%M:%S')} {np.round(mean, 3).tolist()}")
            sys.stdout.flush()
    return average


def save(path: Path, step: int, **parts: nn.Module | torch.optim.Optimizer) -> None:
    torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def export(net: Pad, teacher: Teacher, path: Path) -> None:
    """Input "input" (batch, 3, 80, 80), output "logits" (batch, 3); checked against torch at three batch sizes."""
    bare = runtime(net, teacher.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own notice of its age
        torch.onnx.export(
            bare, (torch.zeros(1, 3, 80, 80),), str(path), dynamo=False, opset_version=17, input_names=["input"],
            output_names=["logits"], dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        )  # fmt: skip
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    run = session(model)
    for count in (1, 2, 5):
        x = torch.rand(count, 3, 80, 80) * 255
        with torch.no_grad():
            wanted = net.eval()(x)[-1].numpy()
        got = run.run(None, {"input": x.numpy()})[0]
        if got.shape != wanted.shape or not np.allclose(got, wanted, rtol=1e-3, atol=2e-2):
            sys.exit(f"the exported network differs from torch for {count} pictures: {np.abs(got - wanted).max()}")
    parameters = sum(v.numel() for v in bare.parameters())
    print(f"{path.name}: {parameters} parameters, {path.stat().st_size} bytes, the same as torch at three batch sizes")


def trained(name: str, teacher: Teacher, work: Path) -> Pad:
    if not (work / f"{name}.pt").exists():
        sys.exit(f"no checkpoint {name}.pt in {work}: run the step train first")
    net = Pad(teacher.shape)
    net.load_state_dict(torch.load(work / f"{name}.pt")["average"])
    return net


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("KIOSK_SHARED", str(here.parents[2] / "shared"))
    parser.add_argument("--shared", type=Path, default=Path(shared), help="the folder with faces, weights and clips")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints")
    parser.add_argument("--smoke", action="store_true", help="all steps on a few pictures, under two minutes")
    steps = parser.add_subparsers(dest="step")
    training = steps.add_parser("train")
    training.add_argument("--blockwise", type=int, default=800, help="steps of phase 1")
    training.add_argument("--endtoend", type=int, default=800, help="steps of phase 2")
    exporting = steps.add_parser("export")
    for step in (training, exporting):
        step.add_argument("--network", choices=tuple(TEACHERS), help="this one alone")
    measuring = steps.add_parser("measure")
    measuring.add_argument("--every", type=int, default=10, help="every so many frames of the clips")
    for step in (exporting, measuring):
        step.add_argument("folder", type=Path, help="where the networks are")
    a = parser.parse_args()
    if a.step is None and not a.smoke:
        parser.error("name a step: train, export or measure (or --smoke)")
    reference = a.shared / "weights" / "face_detection_yunet_2023mar.onnx"
    if not reference.exists():
        parser.error(f"{reference} is missing: name the data folder with --shared or KIOSK_SHARED")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    work = a.work / "smoke" if a.smoke else a.work
    work.mkdir(parents=True, exist_ok=True)
    teachers = {name: a.shared / "weights" / file for name, file in TEACHERS.items()}
    wanted = [a.network] if getattr(a, "network", None) else list(TEACHERS)
    if a.smoke:
        groups = load_training(a.shared / "faces", reference, work, share=0.03)
        for name in TEACHERS:
            (work / f"{name}.pt").unlink(missing_ok=True)
            teacher = Teacher(teachers[name])
            export(train(name, Plan(5, 5), groups, teacher, work, every=5), teacher, work / f"{name}.onnx")
        measure(work, teachers, a.shared, every=100, share=0.1)
    elif a.step == "train":
        groups = load_training(a.shared / "faces", reference, work, share=1.0)
        for name in wanted:
            train(name, Plan(a.blockwise, a.endtoend), groups, Teacher(teachers[name]), work, every=50)
    elif a.step == "export":
        for name in wanted:
            teacher = Teacher(teachers[name])
            export(trained(name, teacher, work), teacher, a.folder / f"{name}.onnx")
    else:
        measure(a.folder, teachers, a.shared, every=a.every, share=1.0)


if __name__ == "__main__":
    main()
