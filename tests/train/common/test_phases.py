"""The detector's and the PAD networks' loop: a training that was cut goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

from models.train.common.phases import Loop, Phases, trained  # noqa: E402

pytestmark = pytest.mark.train
PHASES = Phases(4, 4, 1e-2, 1e-3, warm_up=2)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def run(checkpoint: Path, until: int = PHASES.steps) -> torch.nn.Module:
    """Each step's pictures follow from its number; `until`: where the run is killed."""
    loop = Loop(network(), PHASES, checkpoint, "cpu", every=2, decay=0.9, window=5)
    for step in loop:
        if step == until:
            break
        if step == PHASES.blockwise:
            loop.begin_phase()
        x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        loss = (loop.net(*loop.moved([x])) - 1).pow(2).mean()
        loop.learn(step, loss, [loss.item()])
    return loop.average


@pytest.mark.parametrize("killed_at", [3, 4, 7])
def test_a_cut_training_gives_the_weights_of_an_uncut_one(killed_at: int, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole.pt")
    run(tmp_path / "cut.pt", until=killed_at)
    cut = run(tmp_path / "cut.pt")
    kept = trained(network(), tmp_path / "cut.pt")
    for a, b, c in zip(*(n.state_dict().values() for n in (whole, cut, kept)), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
