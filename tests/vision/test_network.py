"""A network gives the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision import network
from kiosk.vision.manifest import Input, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load
from kiosk.vision.network import Network, make_exact, ort, whole_products
from tests.fakes import onnx_file


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


def test_a_network_that_sees_a_part_of_a_face_gets_that_part_scaled() -> None:
    manifest = Manifest(default_folder())
    entry = manifest.entry("pad-2.7", PadEntry)
    spec = Input.model_validate(entry.input.model_dump() | {"part": (10.0, 20.0, 79.0)})
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    seen = Network(manifest.bytes_of(entry), spec, "part", 1).batch(face, face)
    assert seen.shape == (2, 3, 80, 80)
    assert (seen[1] == face[20:100, 10:90].transpose(2, 0, 1)).all()


def test_a_network_for_one_picture_at_a_time_gets_them_so() -> None:
    spec = Input(colour="rgb", mean=(127.5,) * 3, std=(128.0,) * 3, size=(112, 112))
    one, several = (Network(onnx_file.embedder(faces=n), spec, "tiny", 1) for n in (1, "n"))
    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    for got, wanted in zip(one.run_all(*faces), several.run_all(*faces), strict=True):
        assert got.shape[0] == 3
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_part_needs_a_square_size() -> None:
    given = {"colour": "bgr", "mean": (0, 0, 0), "std": (1, 1, 1), "part": (0, 0, 50)}
    for size in (None, (80, 90)):
        with pytest.raises(ValueError, match="part needs a size, and a square one"):
            Input.model_validate(given | {"size": size})


def test_the_embedder_gives_here_what_exact_products_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is cut off the two are one; where products are, this machine must take the longer way."""
    faces = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    here = load(ModelsConfig(), PolicyConfig()).embedder._network.run(*faces)
    monkeypatch.setattr(network, "whole_products", lambda: False)
    exact = load(ModelsConfig(), PolicyConfig()).embedder._network.run(*faces)
    assert np.allclose(here, exact, atol=1e-4)
