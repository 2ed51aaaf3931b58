from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.errors import KioskError
from kiosk.evaluation import plots

MATED, NON_MATED = np.array([0.4, 0.7, 0.9, np.nan]), np.array([0.0, 0.1, 0.5])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(KioskError, match=r"pip install 'face-kiosk\[plots\]'"):
        plots.check()


def test_a_curve_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    plots.det(MATED, NON_MATED, "kiosk-mobilefacenet-0", tmp_path / "det.png")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_data_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    with pytest.raises(KioskError, match="both kinds"):
        plots.det(MATED, np.array([]), "title", tmp_path / "det.png")


def test_a_plot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    for name in ("nowhere/det.png", "det.nothing"):
        with pytest.raises(KioskError, match="cannot be written"):
            plots.det(MATED, NON_MATED, "kiosk-mobilefacenet-0", tmp_path / name)


def test_several_curves_and_the_rates_of_groups(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    plots.dets({"fp32": (MATED, NON_MATED), "int8": (MATED, NON_MATED)}, tmp_path / "dets.png")
    marks = [plots.Mark("men", 1e-3, 5e-4, 2e-3), plots.Mark("women", np.nan, np.nan, 1e-4)]
    plots.rates({"gender": marks}, 1e-4, "FMR", tmp_path / "rates.png")
    for name in ("dets.png", "rates.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(KioskError, match="both kinds"):
        plots.dets({"fp32": (MATED, np.array([np.nan]))}, tmp_path / "dets.png")
