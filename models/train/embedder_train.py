"""The embedder's training: all phases, exact checkpoints, a schedule that can be cut at any time.

Phase 1, block by block: each piece of the student learns the teacher's mapping from the teacher's own inputs. The
pieces at high resolution see a part of each batch: their maps hold thousands of positions a face.
Phase 2, end to end: the student's embedding towards the teacher's; at first with the teacher's maps as further targets.
Phase 3, on top of it: triplets of the labelled identities, and phase 2's loss on them and on as many other pictures.

The rate is constant (after a short warm-up) with an average of weights beside it; `finish` steps bring it to zero.
"""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from embedder_teacher import FEATURES, Targets, Teacher, mirrored
from embedder_triplet import PICTURES, draw, labelled, triplet_loss
from faces import Batches, pictures, read_faces, training_faces
from mobilefacenet import PIECES, Block, MobileFaceNet, Unit, net_input, read_weights
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

WARM_UP = 100  # steps
HIGH = 6  # the first pieces, at 56 x 56 and 28 x 28, that see three eighths of a batch in phase 1
SAVE_SECONDS = 180


@dataclass(frozen=True)
class Plan:
    """What one start of the training does; a later start may go on with another plan."""

    phase: int  # 1, 2 or 3
    steps: int  # the phase ends at this step; its last `finish` steps bring the rate to zero
    finish: int
    batch: int
    rate: float
    decay: float  # AdamW's weight decay
    features: float = 0.0  # weight of the maps' loss (phase 2)
    resting: int = 0  # leading layers that learn only every `every`-th step (phase 2): the others are twice as fast
    every: int = 1
    triplets: float = 1.0  # weight of the triplets' loss (phase 3)


class State:
    """Everything a restart needs: weights, their average, optimiser, step, order of the pictures."""

    def __init__(self, network: type[nn.Module], batches: Batches, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.device = device
        self.net = network().train().to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        weights = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW([{"params": weights}, {"params": rest, "weight_decay": 0.0}])
        self.batches = batches
        self.phase, self.step, self.seen = 1, 0, 0

    def save(self, path: Path) -> None:
        """Writes beside, then renames: a kill leaves the old checkpoint or the new one."""
        part = path.with_suffix(".part")
        torch.save(
            {
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "batches": self.batches.state(),
                "phase": self.phase,
                "step": self.step,
                "seen": self.seen,
            },
            part,
        )
        part.replace(path)

    def load(self, path: Path) -> None:
        s = torch.load(path, map_location=self.device, weights_only=True)
        self.net.load_state_dict(s["net"])
        self.average.load_state_dict(s["average"])
        self.optimiser.load_state_dict(s["optimiser"])
        self.batches.restore(s["batches"])
        self.phase, self.step, self.seen = s["phase"], s["step"], s["seen"]

    def start_phase(self, phase: int) -> None:
        """A new phase begins with the average as it stands, a fresh optimiser state and step 0."""
        self.net.load_state_dict(self.average.state_dict())
        self.optimiser.state.clear()
        self.phase, self.step = phase, 0

    def average_weights(self) -> None:
        d = min(0.999, (self.step + 1) / (self.step + 50))
        with torch.no_grad():
            for p, q in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                p.lerp_(q, 1 - d) if p.dtype.is_floating_point else p.copy_(q)


def rate_at(plan: Plan, step: int) -> float:
    """Constant with a warm-up; a half cosine to zero over the last `finish` steps."""
    warm = min(1.0, (step + 1) / WARM_UP)
    left = plan.steps - step
    tail = 0.5 * (1 - math.cos(math.pi * left / plan.finish)) if left < plan.finish else 1.0
    return plan.rate * warm * tail


def relative_error(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(z, y) / (y.var() + 1e-6)


def piece_ends(teacher: Teacher, state: State, n: int) -> list[torch.Tensor]:
    """The input of each piece and the output of the last, from the teacher, on n changed pictures."""
    batches = state.batches
    x = batches.crops(batches.ids(n), 1.5, batches.rng.random(n) < 0.5)
    x = batches.blur(batches.blend(batches.light(x, 0.25, 20), n // 4), 0.15).clamp_(0, 255)
    e, maps = teacher.run(x, list(range(len(PIECES) - 1)))
    return [v.to(state.device) for v in (net_input(x), *maps, e[:, :, None, None])]


def start_pieces(net: nn.Module, ends: list[torch.Tensor]) -> None:
    """Gives each piece's last batch norm the mean, and half the deviation, of its target's channels."""
    for j, (low, high) in enumerate(PIECES):
        first, last = net.n[low], net.n[high - 1]
        y = ends[j + 1]
        if isinstance(first, Block):
            y = y - ends[j] if first.residual else y
        unit = last.f[-1] if isinstance(last, Block) else last
        with torch.no_grad():
            unit.b.bias.copy_(y.mean((0, 2, 3)))
            unit.b.weight.copy_(0.5 * y.std((0, 2, 3)))


def block_losses(state: State, teacher: Teacher, n: int) -> list[torch.Tensor]:
    """Phase 1: the relative error of each piece."""
    net, ends = state.net, piece_ends(teacher, state, n)
    layers = list(net.n)
    losses = []
    for j, (low, high) in enumerate(PIECES):
        k = 3 * n // 8 if j < HIGH else n
        u, y = ends[j][:k], ends[j + 1][:k]
        first = layers[low]
        if isinstance(first, Block):
            z = first.f(u)
            y = y - u if first.residual else y
        else:
            z = net.n[low:high](u)
        losses.append(relative_error(z, y))
    return losses


def folded(unit: Unit, x: torch.Tensor) -> torch.Tensor:
    """A unit with its batch norm's running statistics folded into the convolution: for layers that rest."""
    scale, bias = unit.scale_and_bias()
    weight = unit.c.weight * scale[:, None, None, None]
    y = F.conv2d(x, weight, bias, unit.c.stride, unit.c.padding, groups=unit.c.groups)
    return y if isinstance(unit.a, nn.Identity) else y.relu_()


@torch.no_grad()
def resting(layers: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        y = x
        for unit in layer.f if isinstance(layer, Block) else [layer]:
            y = folded(unit, y) if isinstance(unit, Unit) else unit(y)
        x = x + y if isinstance(layer, Block) and layer.residual else y
    return x


def towards(e: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    """1 - cosine to the teacher, squared difference of the batch's similarities."""
    return [1 - (e * y).sum(1).mean(), (e @ e.T - y @ y.T).pow(2).mean()]


def whole_losses(state: State, targets: Targets, plan: Plan) -> tuple[list[torch.Tensor], bool]:
    """Phase 2: 1 - cosine to the teacher, squared difference of the batch's similarities, error of the maps.

    Every `plan.every`-th step all layers learn, from new pictures, with the teacher's maps as further targets. In the
    others the leading `plan.resting` layers rest, and so does the teacher: pictures that it has embedded come again.
    The teacher always sees the clean picture, the student a changed one.
    """
    net, batches, n, full = state.net, state.batches, plan.batch, state.step % plan.every == 0
    ids = batches.ids(n) if full else batches.rng.choice(targets.known(batches.all_ids), n, replace=False)
    flip = mirrored(ids)
    x = batches.crops(ids, 0.0 if full else 1.0, flip)
    if full:
        y, y_maps = targets.with_maps(x, ids)
        layers, kept = net.n, {2 + i for i in FEATURES}  # the bottleneck i is the layer 2 + i
    else:
        y, y_maps = targets.of(ids), []
        layers, kept = net.n[plan.resting :], set()
    x = net_input(batches.blur(batches.light(x, 0.2, 15), 0.1)).to(state.device)
    y, y_maps = y.to(state.device), [m.to(state.device) for m in y_maps]
    x = x if full else resting(net.n[: plan.resting], x)
    z_maps = []
    for i, layer in enumerate(layers):
        x = layer(x)
        if i in kept:
            z_maps.append(x)
    e = F.normalize(x.flatten(1))
    return towards(e, y) + [relative_error(z, m) for z, m in zip(z_maps, y_maps, strict=True)], full


def triplet_losses(state: State, targets: Targets, plan: Plan, people: list[NDArray[np.int64]]) -> list[torch.Tensor]:
    """Phase 3: the loss towards the teacher, that of the triplets, and the share of pairs with a semi-hard negative.

    Half of the batch are PICTURES pictures of each of some people, half are any pictures.
    """
    batches = state.batches
    ids, who = draw(people, plan.batch // (2 * PICTURES), batches.rng)
    ids = np.r_[ids, batches.ids(plan.batch - len(ids))]
    y = targets.complete(batches.x, ids).to(state.device)
    x = batches.crops(ids, 1.0, mirrored(ids))
    x = net_input(batches.blur(batches.light(x, 0.2, 15), 0.1)).to(state.device)
    e = F.normalize(state.net(x).flatten(1))
    return [*towards(e, y), *triplet_loss(e[: len(who)], torch.from_numpy(who).to(state.device))]


def weighted(losses: list[torch.Tensor], plan: Plan) -> torch.Tensor:
    if plan.phase == 1:
        return torch.stack(losses).sum()
    total = 4 * losses[0] + 20 * losses[1]
    if plan.phase == 3:
        return total + plan.triplets * losses[2]
    return total + plan.features * torch.stack(losses[2:]).sum() if losses[2:] else total


def train(
    plan: Plan,
    shared: Path,
    work: Path,
    checkpoint: Path,
    threads: int,
    start: Path | None,
    network: type[nn.Module] = MobileFaceNet,
    device: str = "cpu",
    share: float = 1.0,
) -> None:
    """Runs the plan, from the checkpoint where there is one; the work folder holds caches. `share`: of the faces."""
    torch.set_num_threads(threads)
    faces = read_faces(shared)
    chosen = training_faces(faces, share)
    x = pictures(shared, work, faces, None if share == 1 else chosen)
    teacher = Teacher(shared, threads)
    targets = Targets(work, teacher, len(x))
    state = State(network, Batches(x, [f.index for f in chosen], seed=0), 0, device)
    if checkpoint.exists():
        state.load(checkpoint)
    elif start is not None:
        state.average.load_state_dict(read_weights(start, network))
        state.start_phase(2)
    if state.phase > plan.phase:
        return  # done before
    if state.phase < plan.phase:
        state.start_phase(plan.phase)
    if plan.phase > 1:
        for unit in state.net.n[-2:]:  # one position a face: a batch's own statistics would be noise in each embedding
            unit.b.eval()
    if (plan.phase, state.step) == (1, 0):
        start_pieces(state.net, piece_ends(teacher, state, 64))
        state.average.load_state_dict(state.net.state_dict())

    def losses() -> tuple[list[torch.Tensor], bool]:
        if plan.phase == 1:
            return block_losses(state, teacher, plan.batch), True
        return (triplet_losses(state, targets, plan, people), True) if people else whole_losses(state, targets, plan)

    people = labelled(chosen) if plan.phase == 3 else []
    run_steps(plan, state, losses, checkpoint)


def run_steps(
    plan: Plan, state: State, losses_of_step: Callable[[], tuple[list[torch.Tensor], bool]], checkpoint: Path
) -> None:
    """SIGTERM ends the run after the step at hand, with a checkpoint."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    begin, saved, means = state.step, time.monotonic(), dict[bool, torch.Tensor]()
    bar = tqdm(range(begin, plan.steps), initial=begin, total=plan.steps, desc=f"phase {plan.phase}", mininterval=20)
    for step in bar:
        for group, decay in zip(state.optimiser.param_groups, (plan.decay, 0.0), strict=True):
            group["lr"], group["weight_decay"] = rate_at(plan, step), decay
        losses, full = losses_of_step()
        state.optimiser.zero_grad()
        weighted(losses, plan).backward()
        nn.utils.clip_grad_norm_(state.net.parameters(), 10.0 if plan.phase == 1 else 5.0)
        state.optimiser.step()
        state.average_weights()
        state.step, state.seen = step + 1, state.seen + plan.batch
        now = torch.stack([v.detach() for v in losses])
        means[full] = now if full not in means else 0.95 * means[full] + 0.05 * now
        if state.step % 50 == 0:
            figures = " | ".join(" ".join(f"{v:.3f}" for v in m.tolist()) for m in means.values())
            bar.write(f"{time.strftime('%H:%M:%S')} phase {plan.phase} step {state.step} seen {state.seen} {figures}")
        if stop.is_set() or time.monotonic() - saved > SAVE_SECONDS:
            state.save(checkpoint)
            saved = time.monotonic()
        if stop.is_set():
            raise SystemExit(f"stopped at step {state.step}; the next start goes on from there")
    state.save(checkpoint)
