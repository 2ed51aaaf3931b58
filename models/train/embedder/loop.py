"""The embedder's training loop: what a start does, exact checkpoints, a schedule that can be cut at any time.

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

import torch
from torch import nn
from tqdm import tqdm

from models.train.common.faces import Batches

WARM_UP = 100  # steps
SAVE_SECONDS = 180


@dataclass(frozen=True)
class Plan:
    """What one start of the training does; a later start may go on with another plan."""

    phase: int  # 1, 2, 3 or 4
    steps: int  # the phase ends at this step; its last `finish` steps bring the rate to zero
    finish: int
    batch: int
    rate: float
    decay: float  # AdamW's weight decay
    features: float = 0.0  # weight of the maps' loss (phases 2 and 4)
    resting: int = 0  # leading layers that learn only every `every`-th step (phase 2): the others are twice as fast
    every: int = 1
    anneal: int = 0  # steps from the teacher's weights as they are to the network's own form (phase 2; 0: from nothing)
    triplets: float = 1.0  # weight of the triplets' loss (phase 3)
    settled: bool = False  # the batch norms' statistics rest
    follow: bool = False  # the teacher sees the changed pictures too, and all its maps are targets (phases 2 and 4)
    compiled: bool = False  # the teacher that is followed
    bf16: bool = False  # where it follows in phase 2: both networks compute in bfloat16


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
        self.ranges: torch.Tensor | None = None  # of the layers' outputs, where phase 4 rounds them

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
                "ranges": self.ranges,
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
        self.phase, self.step, self.seen, self.ranges = s["phase"], s["step"], s["seen"], s.get("ranges")

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


def weighted(losses: list[torch.Tensor], plan: Plan) -> torch.Tensor:
    if plan.phase == 1:
        return torch.stack(losses).sum()
    total = 4 * losses[0] + 20 * losses[1]
    if plan.phase == 3:
        return total + plan.triplets * losses[2]
    return total + plan.features * torch.stack(losses[2:]).sum() if losses[2:] else total


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
