"""A training that was cut goes on as if it had not been."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

import numpy as np  # noqa: E402

from models.train.common.faces import Batches  # noqa: E402
from models.train.embedder import loop  # noqa: E402
from models.train.embedder.loop import Plan, State, rate_at, run_steps  # noqa: E402
from models.train.embedder.mobilefacenet import Unit, net_input  # noqa: E402

pytestmark = pytest.mark.train
PLAN = Plan(phase=2, steps=6, finish=2, batch=4, rate=1e-2, decay=0.01)


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.n = torch.nn.Sequential(Unit(3, 4, 7, 7), Unit(4, 4, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.n(x).flatten(1)


def state() -> State:
    x = np.random.default_rng(1).integers(0, 256, (20, 128, 128, 3), dtype=np.uint8)
    return State(Tiny, Batches(x, np.arange(40), seed=0), 0, "cpu")


def run(s: State, steps: int, checkpoint: Path, kill_at: int | None = None) -> None:
    def losses() -> tuple[list[torch.Tensor], bool]:
        if s.step == kill_at:
            os.kill(os.getpid(), signal.SIGTERM)
        views = s.batches.views(PLAN.batch)
        e = s.net(net_input(s.batches.blur(s.batches.crops(views, 1.0), 0.5)))
        return [e.pow(2).mean(), (e.mean() - 1).pow(2)], True

    s.phase = 2
    before = signal.getsignal(signal.SIGTERM)
    try:
        run_steps(Plan(**{**PLAN.__dict__, "steps": steps}), s, losses, checkpoint)
    finally:
        signal.signal(signal.SIGTERM, before)


def weights(s: State) -> list[torch.Tensor]:
    return [*s.net.state_dict().values(), *s.average.state_dict().values()]


def test_a_cut_training_gives_the_weights_of_an_uncut_one(tmp_path: Path) -> None:
    whole = state()
    run(whole, 6, tmp_path / "whole.pt")
    first = state()
    with pytest.raises(SystemExit, match="stopped at step 3"):
        run(first, 6, tmp_path / "cut.pt", kill_at=2)
    second = state()
    second.load(tmp_path / "cut.pt")
    assert (second.phase, second.step, second.seen) == (2, 3, 12)
    run(second, 6, tmp_path / "cut.pt")
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(whole), weights(state()), strict=True))


def test_a_kill_while_saving_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s, path = state(), tmp_path / "c.pt"
    s.save(path)
    old = path.read_bytes()

    def cut(_: object, part: Path) -> None:
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.torch, "save", cut)
    s.step = 9
    with pytest.raises(KeyboardInterrupt):
        s.save(path)
    assert path.read_bytes() == old


def test_rate_warms_up_stays_and_ends_at_zero() -> None:
    plan = Plan(phase=2, steps=1000, finish=200, batch=4, rate=1.0, decay=0.0)
    rates = [rate_at(plan, s) for s in range(1000)]
    assert rates[:100] == sorted(rates[:100])
    assert rates[0] == pytest.approx(0.01)
    assert set(rates[100:800]) == {1.0}
    assert rates[800:] == sorted(rates[800:], reverse=True)
    assert 0 < rates[-1] < 1e-3
