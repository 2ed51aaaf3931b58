"""What the settings must be before a real lock is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import config
from kiosk.config import Config
from kiosk.domain.errors import ConfigError
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.station.safeguards import effective, refuse_unsafe, weaknesses
from kiosk.vision.manifest import Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models, left_out, load

REAL = '[lock]\nkind = "gpio"\n'


@pytest.fixture(scope="module")
def shipped() -> Models:
    return load(ModelsConfig(), PolicyConfig())


def configured(text: str, shipped: Models) -> tuple[Config, Models]:
    settings = config.parse(REAL + text, "kiosk.toml", {})
    threshold = settings.policy.pad_threshold or shipped.pad.threshold
    pad = SimpleNamespace(threshold=threshold, measured=shipped.pad.measured)
    return settings, replace(shipped, policy=settings.policy, pad=pad)  # type: ignore[arg-type]


def test_the_defaults_are_safe_for_an_office(shipped: Models) -> None:
    """200 people, 5 references each."""
    settings, models = configured("", shipped)
    refuse_unsafe(settings, models, {5: 200})
    assert settings.drives_a_real_lock
    assert models.thresholds.capacity(5) >= 200
    assert not models.thresholds.for_gallery({5: 200}).unsafe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[policy]\nfpir = 0.0011", ["fpir 0.0011 is above 0.001"]),
        ("[policy]\nthreshold = 0.001", ["threshold 0.001 is below"]),
        ("[policy]\nthreshold = 0.45", ["threshold 0.45 is too low for 200 subjects with 1000 references"]),
        ("[policy]\npad_threshold = 1e-9", ["pad_threshold 1e-09 is below 0.4898"]),
        ("[attempt]\nneeded = 2", ["needed 2 is below 3"]),
        ("[attempt]\nwindow = 6", ["window 6 is above 5"]),
        ("[attempt]\npause = 0", ["pause 0 is below 1: set it to 1 or more"]),
        ("[attempt]\npause = 0.99", ["pause 0.99 is below 1"]),
        ("[quality]\nmin_face = 63", ["min_face 63 is below 64"]),
        ("[quality]\nmin_sharpness = 0", ["min_sharpness 0 is below 15: set it to 15 or more"]),
        (
            "[policy]\nthreshold = 0.001\npad_threshold = 1e-9\n[attempt]\nneeded = 1\nwindow = 60",
            ["threshold 0.001", "pad_threshold", "needed 1", "window 60"],
        ),
    ],
)
def test_what_is_known_to_be_unsafe_is_refused_and_named(text: str, words: list[str], shipped: Models) -> None:
    settings, models = configured(text, shipped)
    with pytest.raises(ConfigError) as refusal:
        refuse_unsafe(settings, models, {5: 200})
    assert all(word in str(refusal.value) for word in words)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pad-2.7", {"together_threshold": None}),
        ("pad-2.7", {"together_threshold": None, "cut_out_threshold": None}),
        ("pad-4.0", {"cut_out_threshold": 0.1}),
        ("pad-4.0", {"threshold": 0.1}),
        ("pad-4.0", {"cue": "apart"}),
        ("freefacenet", {"answers": ()}),
        ("freefacenet", {"evidence": None}),
    ],
)
def test_a_copy_of_a_shipped_network_keeps_its_checks(name: str, change: dict[str, object], shipped: Models) -> None:
    """A folder of before an update has the same file and model_id, but not what was measured since."""
    entries = tuple(e.model_copy(update=change) if e.name == name else e for e in shipped.entries)
    settings, models = configured("", replace(shipped, entries=entries))
    with pytest.raises(ConfigError, match=f"{name} lacks checks that the program has"):
        refuse_unsafe(settings, models, {5: 200})


def test_a_stricter_copy_or_another_network_is_the_sites_own_business(shipped: Models) -> None:
    stricter = {"together_threshold": 0.9}
    entries = tuple(e.model_copy(update=stricter) if e.name.startswith("pad") else e for e in shipped.entries)
    other = tuple(e.model_copy(update={"model_id": f"own-{e.name}", "sha256": "0" * 64}) for e in shipped.entries)
    for found in (entries, other):
        settings, models = configured("", replace(shipped, entries=found))
        refuse_unsafe(settings, models, {5: 200})


@pytest.mark.parametrize(("pad", "missing"), [(("pad-2.7",), "pad-4.0"), (("pad-4.0", "pad-4.0"), "pad-2.7")])
def test_a_network_that_was_measured_with_another_does_not_stand_alone(pad: tuple[str, ...], missing: str) -> None:
    settings = config.parse(REAL, "kiosk.toml", {})
    models = load(ModelsConfig(pad=pad), settings.policy)
    with pytest.raises(ConfigError, match=rf"\[models\] pad is without {missing}: .*add"):
        refuse_unsafe(settings, models, {5: 200})


def test_a_network_that_was_measured_alone_may() -> None:
    shipped = [e for e in Manifest(default_folder()).entries if isinstance(e, PadEntry)]
    mine = shipped[0].model_copy(update={"name": "mine", "threshold": 0.7, "threshold_apcer": 0.01})
    assert left_out([*shipped, mine], [mine]) == ()
    assert left_out([*shipped, mine], [mine, shipped[0]]) == (shipped[1].name,)
    assert left_out([*shipped, mine], shipped) == ()


@pytest.mark.parametrize(
    "text",
    [
        "[policy]\nfpir = 0.0001",
        "[policy]\nthreshold = 0.9\npad_threshold = 0.6",
        "[attempt]\nneeded = 5\nwindow = 5\npause = 1",
        "[quality]\nmin_face = 80\nmin_sharpness = 20",
    ],
)
def test_what_is_stricter_is_allowed(text: str, shipped: Models) -> None:
    refuse_unsafe(*configured(text, shipped), {1: 10})


@given(st.floats(1e-9, 0.1), st.integers(1, 30), st.integers(1, 60))
def test_three_of_five_and_one_in_a_thousand_are_the_least(fpir: float, needed: int, window: int) -> None:
    settings = Config.model_validate(
        {"policy": {"fpir": fpir}, "attempt": {"needed": min(needed, window), "window": window}}
    )
    safe = fpir <= 0.001 and min(needed, window) >= 3 and window <= 5
    assert (list(weaknesses(settings)) == []) == safe


@pytest.mark.parametrize("name", ["POLICY__THRESHOLD", "attempt__needed", "MODELS__FOLDER", "LOCK__KIND", "PANEL__X"])
def test_the_environment_changes_nothing_before_a_real_lock(
    name: str, shipped: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"KIOSK_{name}", "1")
    with pytest.raises(ConfigError, match=f"KIOSK_{name}: before a real lock"):
        refuse_unsafe(*configured("", shipped), {})


def test_the_camera_may_be_named_by_the_environment(shipped: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIOSK_CAMERA__DEVICE", "/dev/video2")
    monkeypatch.setenv("KIOSK_HOME", "/somewhere")
    refuse_unsafe(*configured("", shipped), {})


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("", False),
        ('[lock]\nkind = "simulated"', False),
        ('[lock]\nkind = "gpio"', True),
        ('[lock]\nkind = "somebody-elses"', True),
        ('[panel]\nkind = "osdp"\nfacility = 1', True),
    ],
)
def test_every_lock_but_the_simulated_one_is_real(text: str, real: bool) -> None:
    assert config.parse(text, "kiosk.toml", {}).drives_a_real_lock is real


def test_the_record_of_the_start_says_how_is_decided(shipped: Models, tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text("[attempt]\nneeded = 4\n")
    settings = config.read(file)
    detail = effective(settings, shipped, shipped.thresholds.for_gallery({5: 2, 1: 1}))
    assert (detail["provider"], detail["camera_said_to_be_live"]) == ("cpu", None)
    said_live = Config.model_validate({"camera": {"kind": "gstreamer", "pipeline": "rtspsrc", "live": True}})
    there = effective(said_live, shipped, shipped.thresholds.for_gallery({1: 1}))
    assert (there["camera"], there["camera_said_to_be_live"]) == ("gstreamer", True)
    assert (detail["subjects"], detail["references"], detail["needed"], detail["window"]) == (3, 11, 4, 5)
    assert (detail["fpir"], detail["threshold_fixed"], detail["grant_seconds"]) == (0.001, False, 1.5)
    assert detail["config_sha256"] == settings.sha256 != config.parse("[attempt]\nneeded = 3\n", "", {}).sha256
    hashes = {key: value for key, value in detail.items() if key.endswith("_sha256")}
    assert {"face-detector_sha256", "freefacenet_sha256", "pad-2.7_sha256", "pad-4.0_sha256"} < hashes.keys()
    assert all(isinstance(value, str) and len(value) == 64 for value in hashes.values())
    assert detail["freefacenet_model"] == shipped.embedder.model_id
    assert (detail["verification"], detail["opens_without_a_face"]) == ("subject", None)
    other = config.parse('[entry]\nnumber = true\nqr = true\npasses = true\nverification = "always"', "", {})
    said = effective(other, shipped, shipped.thresholds.for_gallery({1: 1}))
    assert (said["verification"], said["opens_without_a_face"]) == ("always", "pin, passes")
