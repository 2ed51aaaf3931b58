"""The configured provider computes, or nothing does. Here is only the CPU: onnxruntime's Azure provider, which computes
nothing itself, stands in for one that leaves a network to the CPU. XNNPACK, CUDA and TensorRT are not run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kiosk.domain.errors import ModelError
from kiosk.sections import ModelsConfig, PolicyConfig, Provider
from kiosk.vision import models, providers
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load
from kiosk.vision.network import Network


@pytest.mark.parametrize("provider", ["xnnpack", "cuda", "tensorrt"])
def test_a_provider_that_onnxruntime_lacks_is_one_line(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=f'"{provider}": the installed onnxruntime has only CPUExecutionProvider'):
        load(ModelsConfig(provider=provider), PolicyConfig())


def test_a_provider_that_leaves_the_network_to_the_cpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The real onnxruntime refuses it."""
    monkeypatch.setitem(providers.NAMES, "cuda", "AzureExecutionProvider")
    if "AzureExecutionProvider" not in providers.ort.get_available_providers():
        pytest.skip("this onnxruntime has no second provider")
    with pytest.raises(ModelError, match=r'provider = "cuda" does not compute the whole network.*fallback') as told:
        load(ModelsConfig(provider="cuda"), PolicyConfig())
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", ""), "onnxruntime prints nothing of its own"


def test_a_provider_that_has_not_started_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime only warns where a provider's libraries are missing."""
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    started = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(providers.ort, "InferenceSession", lambda *_, **__: started)
    with pytest.raises(ModelError, match="has not started"):
        load(ModelsConfig(provider="cuda"), PolicyConfig())


def test_only_the_named_provider_is_given_to_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, object]] = []

    def session(content: bytes, options: object, providers: object, enable_fallback: int) -> SimpleNamespace:
        asked.append((providers, enable_fallback))
        return SimpleNamespace(get_providers=lambda: ["XnnpackExecutionProvider"])

    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: ["XnnpackExecutionProvider"])
    monkeypatch.setattr(providers.ort, "InferenceSession", session)
    options = providers.ort.SessionOptions()
    providers.session(b"", options, "net", "xnnpack", 3)
    assert asked == [([("XnnpackExecutionProvider", {"intra_op_num_threads": "3"})], 0)]
    assert options.get_session_config_entry(providers.NO_FALLBACK) == "1"
    assert options.intra_op_num_threads == 1


def test_a_network_that_opencv_runs_knows_no_provider() -> None:
    entry = SimpleNamespace(decoder="yunet", name="yunet")
    with pytest.raises(ModelError, match="runs in OpenCV, on the CPU alone"):
        models.FaceDetector.load(SimpleNamespace(), entry, 1, "cuda")  # type: ignore[arg-type]


def test_a_provider_with_other_numbers_is_refused() -> None:
    manifest = Manifest(default_folder())
    entry = manifest.entry(ModelsConfig().embedder, EmbedderEntry)
    cpu = Network.load(manifest, entry, 1)
    models.refuse_other_numbers(cpu, cpu, entry)
    for share in (0.1, float("nan")):
        off = SimpleNamespace(run=lambda picture, share=share: cpu.run(picture) + share * np.abs(cpu.run(picture)))
        with pytest.raises(ModelError, match="computes other numbers than the CPU"):
            models.refuse_other_numbers(off, cpu, entry)  # type: ignore[arg-type]


def test_the_detector_and_all_others_are_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Provider]] = []
    own = providers.session

    def session(content: bytes, options: object, name: str, provider: Provider, threads: int) -> object:
        asked.append((name, provider))
        return own(content, options, name, "cpu", threads)

    monkeypatch.setattr(providers, "session", session)
    config = ModelsConfig(provider="cuda")
    load(config, PolicyConfig())
    named = {config.detector, config.embedder, *config.pad}
    assert {name for name, provider in asked if provider == "cuda"} == named
    assert [name for name, provider in asked if provider == "cpu"] == [*config.pad, config.embedder], (
        "only to compare with"
    )
    assert Manifest(default_folder()).entry(config.detector, DetectorEntry).decoder == "graph"
