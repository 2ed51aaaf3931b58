"""The face detector's recipe: train, export, measure. From nothing, taught by YuNet 2023mar (OpenCV Zoo, MIT).

    python -m models.train.detector --work FOLDER train
    python -m models.train.detector --work FOLDER export ../face-detector.onnx
    python -m models.train.detector --work FOLDER measure ../face-detector.onnx
    python -m models.train.detector --work FOLDER --smoke

Phase 1 (block by block): every block learns the teacher's own mapping from the teacher's own input to it, all blocks
in the same step; then channels stuck in a poor minimum are solved by least squares. Phase 2 (end to end): the whole
network towards the teacher's raw maps, positions on faces weighted most, landmarks relative to the face's size, and
every block's output still towards the teacher's. The training goes on from its last checkpoint when started again.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.train.common.command_line import asked, command_line
from models.train.common.phases import Loop, Phases, add_device, export, relative_errors, trained
from models.train.common.pictures import Image
from models.train.detector.least_squares import refit
from models.train.detector.measure import Found, Network, measure, suppress, teacher_agreement
from models.train.detector.network import Detector, Runtime, Teacher, decode
from models.train.detector.scenes import Picture, Scenes, load_aligned, load_frames, pad_to_32

# height, width, pictures a step of phase 2 (a third of them in phase 1: a picture gives thousands of positions)
SIZES = ((256, 256, 3), (192, 256, 4), (320, 320, 2), (160, 160, 8), (384, 320, 2), (256, 320, 3))
RATES = (5e-3, 1.5e-4)  # of phase 1 and of phase 2


@dataclass(frozen=True)
class Plan:
    phases: Phases  # batch norm's statistics stand still in the second half of phase 1 and in phase 2
    share: float  # of the pictures
    solving: int  # scenes for solving the stuck channels


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


def train(plan: Plan, faces: Path, teacher: Teacher, work: Path, every: int, device: str) -> Detector:
    pictures = load_frames(faces, work, TorchNetwork(teacher), validation=False, share=plan.share)
    check = load_frames(faces, work, TorchNetwork(teacher), validation=True, share=min(plan.share, 0.25))
    scenes = Scenes(pictures, load_aligned(faces, plan.share / 12))
    torch.manual_seed(0)
    phases = plan.phases
    loop = Loop(Detector(), phases, work / "detector.pt", device, every=every, decay=0.998, window=50)
    net = loop.net
    for step in loop:
        first = step < phases.blockwise
        if step == phases.blockwise:
            loop.begin_phase()
            fresh = torch.from_numpy(scenes.batch(phases.steps, plan.solving, 384, 384))
            loop.write(f"{refit(net.cpu(), *teacher(fresh, features_from=0))} channels solved")
            net.to(device)
            loop.average.load_state_dict(net.state_dict())
        net.train()
        if step >= phases.blockwise // 2:
            freeze_statistics(net)
        height, width, count = SIZES[step % len(SIZES)]
        count = max(1, count // 3) if first else count
        x = torch.from_numpy(scenes.batch(step, count, height, width))
        # phase 2 leaves the two features at half the picture's size alone: they cost as much as all others together
        features, maps = teacher(x, features_from=0 if first else 2)
        features, maps, (x,) = loop.moved(features), loop.moved(maps), loop.moved([x])
        got, got_maps = net(x, features if first else None)
        if first:
            errors = relative_errors(got + got_maps, features + maps)
            loss, parts = torch.stack(errors).sum(), [v.item() for v in errors]
        else:
            errors = relative_errors(got[2:], features)
            loss, parts = endtoend_loss(got_maps, maps)
            loss = loss + torch.stack(errors).sum()
            parts += [v.item() for v in errors[3:]]
        if loop.learn(step, loss, parts):
            loop.write("  " + validate(copy.deepcopy(loop.average).cpu(), check, teacher))
    return loop.average.cpu()


def validate(net: Detector, pictures: list[Picture], teacher: Teacher) -> str:
    net.eval()
    student: Network = TorchNetwork(net)
    return str(teacher_agreement(student, TorchNetwork(teacher), [p.image for p in pictures], 0.7))


def write(net: Detector, path: Path) -> None:
    """One input (1, 3, height, width), one output (1, rows, 15); checked against torch at three sizes."""
    axes = {"input": {2: "height", 3: "width"}, "faces": {1: "rows"}}
    inputs = [torch.rand(1, 3, height, width) * 255 for height, width in ((256, 320), (480, 640), (96, 64))]
    with torch.no_grad():
        cases = [(x, decode(net.eval()(x)[1])) for x in inputs]
    export(Runtime(net).eval(), path, "faces", axes, cases)


def main() -> None:
    parser = command_line(__doc__, "caches and checkpoints", "two minutes")
    add_device(parser)
    steps = parser.add_subparsers(dest="step")
    training = steps.add_parser("train")
    training.add_argument("--blockwise", type=int, default=2500, help="steps of phase 1")
    training.add_argument("--endtoend", type=int, default=500, help="steps of phase 2")
    for name in ("export", "measure"):
        steps.add_parser(name).add_argument("file", type=Path)
    a, reference, work = asked(parser)
    faces = a.shared / "faces"
    if a.smoke:
        (work / "detector.pt").unlink(missing_ok=True)
        for endtoend in (20, 40):  # the second start goes on from the checkpoint
            plan = Plan(Phases(40, endtoend, *RATES, warm_up=100), share=0.02, solving=2)
            net = train(plan, faces, Teacher(reference), work, 40, a.device)
        write(net, work / "smoke.onnx")
        measure(work / "smoke.onnx", reference, a.shared, work, teacher=TorchNetwork(Teacher(reference)), share=0.05)
    elif a.step == "train":
        plan = Plan(Phases(a.blockwise, a.endtoend, *RATES, warm_up=100), share=1.0, solving=16)
        train(plan, faces, Teacher(reference), work, 500, a.device)
    elif a.step == "export":
        write(trained(Detector(), work / "detector.pt"), a.file)
    else:
        measure(a.file, reference, a.shared, work, teacher=TorchNetwork(Teacher(reference)), share=1.0)


if __name__ == "__main__":
    main()
