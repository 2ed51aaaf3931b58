"""A network gives the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision import network
from kiosk.vision.models import load
from kiosk.vision.network import make_exact, ort, whole_products


@pytest.mark.parametrize(
    ("cpuinfo", "whole"),
    [
        ("flags\t\t: fpu sse sse2 avx avx2 fma", False),
        ("flags\t\t: fpu sse sse2 avx2 avx512f avx512_vnni", True),
        ("flags\t\t: fpu sse sse2 avx2 avx_vnni", True),
        ("Features\t: fp asimd evtstrm crc32 asimddp", True),
    ],
)
def test_which_processors_cut_products_off(cpuinfo: str, whole: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{cpuinfo}\n")
    assert whole_products(tmp_path / "cpuinfo") is whole


def test_who_cannot_be_asked_may_cut_them_off(tmp_path: Path) -> None:
    assert not whole_products(tmp_path / "none")


def test_the_longer_way_is_taken_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(whole: bool) -> str | None:
        monkeypatch.setattr(network, "whole_products", lambda: whole)
        options = ort.SessionOptions()
        make_exact(options)
        try:
            return str(options.get_session_config_entry("session.x64quantprecision"))
        except RuntimeError:
            return None

    assert (asked(False), asked(True)) == ("1", None)


def test_the_embedder_gives_here_what_exact_products_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is cut off the two are one; where products are, this machine must take the longer way."""
    faces = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    here = load(ModelsConfig(), PolicyConfig()).embedder._network.run(*faces)
    monkeypatch.setattr(network, "whole_products", lambda: False)
    exact = load(ModelsConfig(), PolicyConfig()).embedder._network.run(*faces)
    assert np.allclose(here, exact, atol=1e-4)
