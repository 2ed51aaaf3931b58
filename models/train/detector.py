"""The face detector's recipe: train, export, measure. From nothing, taught by YuNet 2023mar (OpenCV Zoo, MIT).

    python detector.py --work FOLDER train
    python detector.py --work FOLDER export ../face-detector.onnx
    python detector.py --work FOLDER measure ../face-detector.onnx
    python detector.py --work FOLDER --smoke

Phase 1 (block by block): every block learns the teacher's own mapping from the teacher's own input to it, all blocks
in the same step; then channels stuck in a poor minimum are solved by least squares. Phase 2 (end to end): the whole
network towards the teacher's raw maps, positions on faces weighted most, landmarks relative to the face's size, and
every block's output still towards the teacher's. The training goes on from its last checkpoint when started again.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm.
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
from detector_measure import Found, Network, measure, suppress, teacher_agreement
from detector_net import Detector, Runtime, Teacher, decode, session
from detector_refit import refit
from detector_scenes import Image, Picture, Scenes, load_aligned, load_frames, pad_to_32
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

# height, width, pictures a step of phase 2 (a third of them in phase 1: a picture gives thousands of positions)
SIZES = ((256, 256, 3), (192, 256, 4), (320, 320, 2), (160, 160, 8), (384, 320, 2), (256, 320, 3))


@dataclass(frozen=True)
class Plan:
    blockwise: int  # steps of phase 1; batch norm's statistics stand still in its second half and in phase 2
    endtoend: int  # steps of phase 2
    rate_blockwise: float
    rate_endtoend: float
    share: float  # of the pictures
    solving: int  # scenes for solving the stuck channels


def rate(step: int, plan: Plan) -> float:
    """Cosine to a hundredth in each phase, after a short warm-up."""
    if step < plan.blockwise:
        at, steps, top = step, plan.blockwise, plan.rate_blockwise
    else:
        at, steps, top = step - plan.blockwise, plan.endtoend, plan.rate_endtoend
    warm = min(1.0, (at + 1) / 100)
    return top * warm * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * at / steps))))


def relative_errors(got: list[Tensor], wanted: list[Tensor]) -> list[Tensor]:
    """Of each block: the squared error, each channel relative to its variance (or a tenth of the mean variance)."""
    losses = []
    for y, t in zip(got, wanted, strict=True):
        variance = t.var(dim=(0, 2, 3), keepdim=True)
        losses.append(((y - t) ** 2 / variance.clamp_min(0.1 * float(variance.mean()) + 1e-6)).mean())
    return losses


def endtoend_loss(maps: list[Tensor], targets: list[Tensor]) -> tuple[Tensor, list[float]]:
    """Scores: cross-entropy on faces, on what the student takes for faces, and everywhere. Boxes, landmarks: on faces,
    relative to their size, squared where near."""
    y, t = (torch.cat([v.flatten(2) for v in level], 2).transpose(1, 2).reshape(-1, 16) for level in (maps, targets))
    with torch.no_grad():
        face = torch.sqrt(torch.sigmoid(t[:, 0]) * torch.sigmoid(t[:, 1]))
        taken = torch.sqrt(torch.sigmoid(y[:, 0]) * torch.sigmoid(y[:, 1]))
        on = torch.where(face > 0.3, face, torch.zeros(()))
        hard = torch.where(face > 0.3, torch.zeros(()), torch.maximum(face, taken) ** 2)
        size = torch.exp((t[:, 4] + t[:, 5]).clamp(-4, 8) / 2)
    entropy = F.binary_cross_entropy_with_logits(y[:, :2], torch.sigmoid(t[:, :2]), reduction="none").sum(1)
    floor = F.binary_cross_entropy_with_logits(t[:, :2], torch.sigmoid(t[:, :2]), reduction="none").sum(1)
    entropy = entropy - floor  # the Kullback-Leibler divergence
    count = on.sum() + 1.0
    score = (entropy * on).sum() / count + (entropy * hard).sum() / (hard.sum() + 1.0)
    everywhere = entropy.mean()
    off = (y[:, 2:] - t[:, 2:]) / torch.cat([size[:, None].expand(-1, 2), torch.ones_like(t[:, 4:6]),
                                             size[:, None].expand(-1, 10)], 1)  # fmt: skip
    near = F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.1, reduction="none")
    box = (near[:, :4].sum(1) * on).sum() / count
    landmarks = (near[:, 4:].mean(1) * on).sum() / count
    loss = score + 4 * everywhere + 4 * box + 60 * landmarks
    return loss, [v.item() for v in (score, everywhere, box, (off[:, 4:].abs().mean(1) * on).sum() / count)]


class TorchNetwork:
    """The student in torch, or the teacher, behind the interface of the measuring."""

    def __init__(self, maps: object) -> None:
        self.maps = maps

    def __call__(self, image: Image, threshold: float = 0.3) -> Found:
        x = torch.from_numpy(pad_to_32(image).transpose(2, 0, 1)[None].astype(np.float32))
        with torch.no_grad():
            rows = decode(self.maps(x)[1])[0].numpy()  # type: ignore[operator]
        return suppress(rows, threshold)


def freeze_statistics(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def train(plan: Plan, faces: Path, teacher: Teacher, work: Path, every: int) -> Detector:
    pictures = load_frames(faces, work, TorchNetwork(teacher), validation=False, share=plan.share)
    check = load_frames(faces, work, TorchNetwork(teacher), validation=True, share=min(plan.share, 0.25))
    scenes = Scenes(pictures, load_aligned(faces, plan.share / 12))
    torch.manual_seed(0)
    net = Detector().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    weights = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": weights, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}])
    start, checkpoint = 0, work / "detector.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        start = state["step"]
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    steps = plan.blockwise + plan.endtoend
    mean: np.ndarray | None = None
    bar = tqdm(range(start, steps), initial=start, total=steps, mininterval=10, unit="step", disable=None)
    for step in bar:
        first = step < plan.blockwise
        if step == plan.blockwise:
            mean = None
            optimiser.state.clear()
            fresh = torch.from_numpy(scenes.batch(steps, plan.solving, 384, 384))
            bar.write(f"{refit(net, *teacher(fresh, features_from=0))} channels solved")
            average.load_state_dict(net.state_dict())
        net.train()
        if step >= plan.blockwise // 2:
            freeze_statistics(net)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, plan)
        height, width, count = SIZES[step % len(SIZES)]
        count = max(1, count // 3) if first else count
        x = torch.from_numpy(scenes.batch(step, count, height, width))
        # phase 2 leaves the two features at half the picture's size alone: they cost as much as all others together
        features, maps = teacher(x, features_from=0 if first else 2)
        features = [v.contiguous(memory_format=torch.channels_last) for v in features]
        got, got_maps = net(x.contiguous(memory_format=torch.channels_last), features if first else None)
        if first:
            errors = relative_errors(got + got_maps, features + maps)
            loss, parts = torch.stack(errors).sum(), [v.item() for v in errors]
        else:
            errors = relative_errors(got[2:], features)
            loss, parts = endtoend_loss(got_maps, maps)
            loss = loss + torch.stack(errors).sum()
            parts += [v.item() for v in errors[3:]]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0 if first else 5.0)
        optimiser.step()
        later = step - plan.blockwise
        decay = 0.9 if first else min(0.998, (later + 10) / (later + 60))
        with torch.no_grad():
            for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                if a.dtype.is_floating_point:
                    a.lerp_(b, 1 - decay)
                else:
                    a.copy_(b)
        now = np.array(parts)
        mean = now if mean is None else 0.98 * mean + 0.02 * now
        if (step + 1) % every == 0 or step + 1 == steps:
            save(checkpoint, step + 1, net=net, average=average, optimiser=optimiser)
            bar.write(f"{step + 1} {time.strftime('%H:%M:%S')} {np.round(mean, 4).tolist()}")
            bar.write("  " + validate(average, check, teacher))
            sys.stdout.flush()
    return average


def save(path: Path, step: int, **parts: nn.Module | torch.optim.Optimizer) -> None:
    torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def validate(net: Detector, pictures: list[Picture], teacher: Teacher) -> str:
    net.eval()
    student: Network = TorchNetwork(net)
    return str(teacher_agreement(student, TorchNetwork(teacher), [p.image for p in pictures], 0.7))


def export(net: Detector, path: Path) -> None:
    """One input (1, 3, height, width), one output (1, rows, 15); checked against torch at three sizes."""
    runtime = Runtime(net).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own notice of its age
        torch.onnx.export(
            runtime, (torch.zeros(1, 3, 256, 320),), str(path), dynamo=False, opset_version=17, input_names=["input"],
            output_names=["faces"], dynamic_axes={"input": {2: "height", 3: "width"}, "faces": {1: "rows"}},
        )  # fmt: skip
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    run = session(model)
    for height, width in ((256, 320), (480, 640), (96, 64)):
        x = torch.rand(1, 3, height, width) * 255
        with torch.no_grad():
            wanted = decode(net.eval()(x)[1]).numpy()
        got = run.run(None, {"input": x.numpy()})[0]
        if got.shape != wanted.shape or not np.allclose(got, wanted, rtol=1e-3, atol=2e-2):
            sys.exit(f"the exported network differs from torch at {height} x {width}: {np.abs(got - wanted).max()}")
    parameters = sum(v.numel() for v in runtime.parameters())
    print(f"{path.name}: {parameters} parameters, {path.stat().st_size} bytes, the same as torch at three sizes")


def trained(work: Path) -> Detector:
    if not (work / "detector.pt").exists():
        sys.exit(f"no checkpoint in {work}: run the step train first")
    net = Detector()
    net.load_state_dict(torch.load(work / "detector.pt")["average"])
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
    training.add_argument("--blockwise", type=int, default=2500, help="steps of phase 1")
    training.add_argument("--endtoend", type=int, default=500, help="steps of phase 2")
    for name in ("export", "measure"):
        steps.add_parser(name).add_argument("file", type=Path)
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
    faces = a.shared / "faces"
    if a.smoke:
        (work / "detector.pt").unlink(missing_ok=True)
        plan = Plan(blockwise=40, endtoend=40, rate_blockwise=5e-3, rate_endtoend=1.5e-4, share=0.02, solving=2)
        export(train(plan, faces, Teacher(reference), work, every=40), work / "smoke.onnx")
        measure(work / "smoke.onnx", reference, a.shared, work, teacher=TorchNetwork(Teacher(reference)), share=0.05)
    elif a.step == "train":
        plan = Plan(a.blockwise, a.endtoend, rate_blockwise=5e-3, rate_endtoend=1.5e-4, share=1.0, solving=16)
        train(plan, faces, Teacher(reference), work, every=500)
    elif a.step == "export":
        export(trained(work), a.file)
    else:
        measure(a.file, reference, a.shared, work, teacher=TorchNetwork(Teacher(reference)), share=1.0)


if __name__ == "__main__":
    main()
