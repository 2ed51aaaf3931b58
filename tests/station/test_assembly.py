"""What the composition root refuses to put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kiosk import config, plugins
from kiosk.cameras.replay import ReplayCamera, ReplayOptions
from kiosk.cameras.usb import UsbCamera, UsbOptions
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.story import VISITORS
from kiosk.domain.door.state import DoorState, DoorStatus
from kiosk.domain.errors import ConfigError, SampleError
from kiosk.domain.face import Flaw
from kiosk.domain.matching import cosine, rounded
from kiosk.domain.people import NewReference
from kiosk.domain.ports.camera import Camera
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.door import daemon
from kiosk.sections import CameraConfig, ModelsConfig, PolicyConfig, QualityConfig
from kiosk.station import assembly, safeguards
from kiosk.station.enrolment import EnrolmentSample
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load

REAL = DoorStatus(DoorState.SECURED, simulated=False, started_at=0.0)
PRETENDED = DoorStatus(DoorState.SECURED, simulated=True, started_at=0.0)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    opened = open_gallery(Home(tmp_path / "home"))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "eye", [SimulatedCamera(SimulatedOptions()), ReplayCamera(ReplayOptions(source=Path("clip.mp4")))]
)
def test_what_does_not_look_at_the_door_never_meets_a_real_lock(eye: Camera, gallery: Gallery) -> None:
    with pytest.raises(ConfigError, match="real lock"):
        safeguards.refuse_make_believe(eye, gallery, REAL)
    safeguards.refuse_make_believe(eye, gallery, PRETENDED)


def test_the_demonstrations_gallery_never_meets_a_real_lock(gallery: Gallery) -> None:
    eye = UsbCamera(UsbOptions())
    safeguards.refuse_make_believe(eye, gallery, REAL)
    gallery.mark_demonstration()
    with pytest.raises(ConfigError, match="demonstration"):
        safeguards.refuse_make_believe(eye, gallery, REAL)


def test_the_door_and_enrolment_score_with_the_embedders_cohort(gallery: Gallery) -> None:
    """Without it every score would be held against a threshold that is too low for it."""
    settings = config.Config()
    models = load(settings.models, settings.policy)
    assert models.embedder_entry.cohort is not None
    crowd = np.load(default_folder() / models.embedder_entry.cohort.file)
    a, b = ((crowd[0] // 2 + crowd[k] // 4).astype(np.float32) for k in (1, 2))
    expected = models.cohort.score(rounded(a), rounded(b))
    assert expected < cosine(rounded(a), rounded(b)) - 0.05
    gallery.add_subject("somebody", [NewReference(a, models.embedder.model_id, 1.0)])
    assert assembly.matcher(models, gallery).search(b).score == pytest.approx(expected, abs=0.02)
    samples = [EnrolmentSample(name, t, 1.0) for name, t in (("a", a), ("b", b))]
    never = Thresholds([OperatingPoint(1e-3, expected + 0.01)], 1e-3)
    enroller = assembly.enroller(settings, models)
    enroller.thresholds = never
    with pytest.raises(SampleError, match="does not match"):
        enroller.best(samples)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kind": "thermal"}, "not installed"),
        ({"kind": "usb", "colour": "blue"}, "unknown key"),
        ({"kind": "usb", "width": 10}, "width"),
        ({"kind": "replay"}, "source"),
    ],
)
def test_a_wrong_camera_section_is_refused(section: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        assembly.camera(CameraConfig.model_validate(section))


def test_there_is_no_fallback_to_another_plug_in() -> None:
    with pytest.raises(ConfigError, match="installed are: gpio, simulated"):
        plugins.load("locks", "relay")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[attempt]\nneeded = 6\nwindow = 5", "nobody could ever be let in"),
        ("[door]\nrelease_seconds = 50\nmax_release_seconds = 10", "longer than"),
        ("[policy]\nthreshold = 0", "threshold"),
        ("[policy]\nthreshold = nan", "threshold"),
        ("[policy]\ngrant_seconds = 60", "grant_seconds"),
        ("[attempt]\nseconds = 10", "seconds"),
        ("[models]\npad = []", "pad"),
        ("surprise = 1", "unknown key"),
        ("[quality]\nmin_face = 10", "min_face"),
    ],
)
def test_a_configuration_that_would_be_unsafe_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config.parse(text, "kiosk.toml", {})


def test_the_environment_overrides_the_file() -> None:
    environ = {"KIOSK_DOOR__RELEASE_SECONDS": "7", "KIOSK_CAMERA__DEVICE": "/dev/video2", "KIOSK_HOME": "/x"}
    read = config.parse('[camera]\nkind = "usb"', "kiosk.toml", environ)
    assert read.door.release_seconds == 7
    assert read.camera.options() == {"device": "/dev/video2"}
    with pytest.raises(ConfigError, match="unknown key"):
        config.parse("", "kiosk.toml", {"KIOSK_DOOR__NONSENSE": "1"})


def test_kiosk_door_takes_no_overrides_before_a_real_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text('[lock]\nkind = "usb-hid"\nchannel = 1\nfail_mode = "secure"\n')
    monkeypatch.setenv("KIOSK_DOOR__RELEASE_SECONDS", "60")
    assert daemon.main(["--config", str(file)]) == 2
    assert "KIOSK_DOOR__RELEASE_SECONDS: before a real lock" in capsys.readouterr().err


def test_a_machine_set_up_for_a_door_never_falls_back_to_the_demonstration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "etc" / "kiosk.toml")
    assert config.find(None) is None
    (tmp_path / "etc").mkdir()
    with pytest.raises(ConfigError, match="missing"):
        config.find(None)
    (tmp_path / "etc" / "kiosk.toml").touch()
    assert config.find(None) == tmp_path / "etc" / "kiosk.toml"
    with pytest.raises(ConfigError, match="no such configuration"):
        config.find(tmp_path / "other.toml")


@pytest.mark.parametrize(("answers", "flaw"), [(True, None), (False, Flaw.TURNED_OVER)])
def test_without_the_embedders_answers_every_frame_at_the_door_must_be_upright(
    answers: bool, flaw: Flaw | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = load(ModelsConfig(), PolicyConfig())
    if not answers:
        models = replace(models, embedder_entry=models.embedder_entry.model_copy(update={"answers": ()}))
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    (face,) = models.detector.detect(image)
    monkeypatch.setattr(models.detector, "upright", lambda *_: False)
    bounds = QualityConfig(guide=assembly.ANY_PLACE)
    assert assembly.gate(bounds, models).assess(image, face).flaw is flaw
