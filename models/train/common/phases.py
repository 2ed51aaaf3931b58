"""What the detector's and the PAD networks' recipes share: two phases with a rate of their own each, an average of the
weights, exact restarts from a checkpoint, and the export."""

from __future__ import annotations

import argparse
import copy
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.train.common.runtime import session

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Phases:
    blockwise: int  # steps of phase 1, block by block
    endtoend: int  # steps of phase 2
    rate_blockwise: float
    rate_endtoend: float
    warm_up: int  # steps, in each phase

    @property
    def steps(self) -> int:
        return self.blockwise + self.endtoend

    def rate(self, step: int) -> float:
        """Cosine to a hundredth in each phase, after the warm-up."""
        if step < self.blockwise:
            at, steps, top = step, self.blockwise, self.rate_blockwise
        else:
            at, steps, top = step - self.blockwise, self.endtoend, self.rate_endtoend
        warm = min(1.0, (at + 1) / self.warm_up)
        return top * warm * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * at / steps))))


class Loop(Generic[Net]):
    """A network in training: its optimiser, the average of its weights, and where it goes on from."""

    def __init__(
        self, net: Net, phases: Phases, checkpoint: Path, device: str, *, every: int, decay: float, window: int
    ) -> None:
        """`every`: steps between two checkpoints. `decay`: of the weights' average late in phase 2; `window`: the steps
        that it goes over in the begin."""
        self.device = device
        self.net = net.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        self._phases, self._checkpoint, self._every = phases, checkpoint, every
        self._decay, self._window = decay, window
        weights = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups)
        self._mean: np.ndarray | None = None
        start = 0
        if checkpoint.exists():
            state = torch.load(checkpoint, map_location=device)
            start = state["step"]
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self._optimiser.load_state_dict(state["optimiser"])
        self._bar = tqdm(
            range(start, phases.steps), initial=start, total=phases.steps, desc=checkpoint.stem, mininterval=10,
            unit="step", disable=None,
        )  # fmt: skip

    def __iter__(self) -> Iterator[int]:
        """The steps that are left."""
        return iter(self._bar)

    def moved(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """To where the network learns, channels last."""
        return [
            v.to(self.device, memory_format=torch.channels_last if v.ndim == 4 else torch.preserve_format)
            for v in tensors
        ]

    def begin_phase(self) -> None:
        """Forgets the momenta and the printed means."""
        self._mean = None
        self._optimiser.state.clear()

    def learn(self, step: int, loss: Tensor, parts: Sequence[float]) -> bool:
        """One step down the loss; prints the means of its parts and saves when it is time, and says so."""
        later = step - self._phases.blockwise
        for group in self._optimiser.param_groups:
            group["lr"] = self._phases.rate(step)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 10.0 if later < 0 else 5.0)
        self._optimiser.step()
        early = (later + 0.2 * self._window) / (later + 1.2 * self._window)
        self._follow(0.9 if later < 0 else min(self._decay, early))
        now = np.array(parts)
        self._mean = now if self._mean is None else 0.97 * self._mean + 0.03 * now
        due = (step + 1) % self._every == 0 or step + 1 == self._phases.steps
        if due:
            self._save(step + 1)
            self.write(f"{step + 1} {time.strftime('%H:%M:%S')} {np.round(self._mean, 4).tolist()}")
        return due

    def write(self, line: str) -> None:
        """Above the progress bar."""
        self._bar.write(f"{self._checkpoint.stem} {line}")
        sys.stdout.flush()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for a, b in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)

    def _save(self, step: int) -> None:
        parts = {"net": self.net, "average": self.average, "optimiser": self._optimiser}
        new = self._checkpoint.with_suffix(".new")
        torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, new)
        new.replace(self._checkpoint)


def trained(net: Net, checkpoint: Path) -> Net:
    """The average of a checkpoint, in a network of its shape."""
    if not checkpoint.exists():
        sys.exit(f"no checkpoint {checkpoint.name} in {checkpoint.parent}: run the step train first")
    net.load_state_dict(torch.load(checkpoint, map_location="cpu")["average"])
    return net.eval()


def add_device(parser: argparse.ArgumentParser) -> None:
    found = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=found, help=f"where the network learns (here: {found})")


def relative_errors(got: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
    """Of each block: the squared error, each channel relative to its variance (or a tenth of the mean variance)."""
    losses = []
    for y, t in zip(got, wanted, strict=True):
        variance = t.var(dim=[d for d in range(t.ndim) if d != 1], keepdim=True)
        losses.append(((y - t) ** 2 / variance.clamp_min(0.1 * float(variance.mean()) + 1e-6)).mean())
    return losses


@torch.no_grad()
def export(
    bare: nn.Module, path: Path, output: str, axes: dict[str, dict[int, str]], cases: Sequence[tuple[Tensor, Tensor]]
) -> None:
    """Writes the network as ONNX, input "input"; each case is an input and what torch makes of it. Ends with a message
    where the file does not give the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own notice of its age
        torch.onnx.export(
            bare, (cases[0][0],), str(path), dynamo=False, opset_version=17, input_names=["input"],
            output_names=[output], dynamic_axes=axes,
        )  # fmt: skip
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    run = session(model)
    for x, wanted in cases:
        got = run.run(None, {"input": x.numpy()})[0]
        if got.shape != wanted.shape or not np.allclose(got, wanted.numpy(), rtol=1e-3, atol=2e-2):
            off = np.abs(got - wanted.numpy()).max()
            sys.exit(f"the exported network differs from torch for {tuple(x.shape)}: {off}")
    parameters = sum(v.numel() for v in bare.parameters())
    print(f"{path.name}: {parameters} parameters, {path.stat().st_size} bytes, as in torch for {len(cases)} inputs")
