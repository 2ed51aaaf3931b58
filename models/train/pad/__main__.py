"""The recipe of the presentation attack detection (PAD) networks: train, export, measure. From nothing.

    python -m models.train.pad --work FOLDER train            (both networks; or: train --network pad-2.7)
    python -m models.train.pad --work FOLDER export ..        (the folder of the networks; also --network)
    python -m models.train.pad --work FOLDER measure ..
    python -m models.train.pad --work FOLDER --smoke

The teachers are minivision's MiniFASNet V2 and V1SE (Apache-2.0). Phase 1 (block by block): every block learns the
teacher's own mapping from the teacher's own input to it, all blocks in the same step. Phase 2 (end to end): the
teacher's scores where it is not wrong, the labels of the attack sets, and every block's output still towards the
teacher's. It goes on from its last checkpoint when it is started again.

What is exported answers once; heads.py adds the second answer.

Needs torch onnx onnxruntime opencv-python-headless numpy tqdm pydantic.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.train.common.command_line import asked, command_line
from models.train.common.phases import Loop, Phases, add_device, export, relative_errors, trained
from models.train.pad.crops import Batches, Groups, load_training
from models.train.pad.measure import measure
from models.train.pad.network import Pad, Teacher, runtime

TEACHERS = {"pad-2.7": "fasnet_2_7.onnx", "pad-4.0": "fasnet_4_0.onnx"}
CONTEXT = {"pad-2.7": 2.7, "pad-4.0": 4.0}
STILL = 3  # pieces that phase 2 leaves as phase 1 made them: at half the picture's size they cost most, and fit best


RATES = (1e-2, 5e-4)  # of phase 1 and of phase 2, in which batch norm's statistics stand still
COUNTS = (16, 24)  # pictures a step


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


def train(name: str, phases: Phases, groups: Groups, teacher: Teacher, work: Path, every: int, device: str) -> Pad:
    batches = Batches(groups, CONTEXT[name])
    torch.manual_seed(0)
    loop = Loop(Pad(teacher.shape), phases, work / f"{name}.pt", device, every=every, decay=0.99, window=25)
    net = loop.net
    for step in loop:
        first = step < phases.blockwise
        if step == phases.blockwise:
            loop.begin_phase()
            net.load_state_dict(loop.average.state_dict())
        net.train(step < phases.blockwise * 0.9)
        for piece in net.pieces()[:STILL]:
            piece.requires_grad_(first)
        pixels, labels = batches.batch(step, COUNTS[0 if first else 1])
        given, wanted = teacher(np.ascontiguousarray(pixels))
        (x, label), given, wanted = (
            loop.moved(v) for v in ([torch.from_numpy(pixels), torch.from_numpy(labels)], given, wanted)
        )
        if step == 0:
            start_at(net, wanted)
            loop.average.load_state_dict(net.state_dict())
        if first:
            errors = blockwise(net, x, given, wanted)
            loss, parts = torch.stack(errors).sum(), [v.item() for v in errors]
        else:
            out = net(x)
            errors = relative_errors(out[STILL:-1], wanted[STILL:-1])
            loss, parts = score_loss(out[-1], wanted[-1], label)
            loss = loss + 0.1 * torch.stack(errors).mean()
            parts += [v.item() for v in errors]
        loop.learn(step, loss, parts)
    return loop.average.cpu()


def write(net: Pad, teacher: Teacher, path: Path) -> None:
    """Input "input" (batch, 3, 80, 80), output "logits" (batch, 3); checked against torch at three batch sizes."""
    inputs = [torch.rand(count, 3, 80, 80) * 255 for count in (1, 2, 5)]
    with torch.no_grad():
        cases = [(x, net.eval()(x)[-1]) for x in inputs]
    export(runtime(net, teacher.shape), path, "logits", {"input": {0: "batch"}, "logits": {0: "batch"}}, cases)


def main() -> None:
    parser = command_line(__doc__, "caches and checkpoints", "two minutes")
    add_device(parser)
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
    a, reference, work = asked(parser)
    teachers = {name: a.shared / "weights" / file for name, file in TEACHERS.items()}
    wanted = [a.network] if getattr(a, "network", None) else list(TEACHERS)
    if a.smoke:
        groups = load_training(a.shared / "faces", reference, work, share=0.03)
        for name in TEACHERS:
            (work / f"{name}.pt").unlink(missing_ok=True)
            teacher = Teacher(teachers[name])
            for endtoend in (2, 5):  # the second start goes on from the checkpoint
                net = train(name, Phases(5, endtoend, *RATES, warm_up=30), groups, teacher, work, 5, a.device)
            write(net, teacher, work / f"{name}.onnx")
        measure(work, teachers, a.shared, every=100, share=0.1)
    elif a.step == "train":
        groups = load_training(a.shared / "faces", reference, work, share=1.0)
        for name in wanted:
            phases = Phases(a.blockwise, a.endtoend, *RATES, warm_up=30)
            train(name, phases, groups, Teacher(teachers[name]), work, 50, a.device)
    elif a.step == "export":
        for name in wanted:
            teacher = Teacher(teachers[name])
            write(trained(Pad(teacher.shape), work / f"{name}.pt"), teacher, a.folder / f"{name}.onnx")
    else:
        measure(a.folder, teachers, a.shared, every=a.every, share=1.0)


if __name__ == "__main__":
    main()
