"""What `kiosk setup` asks on the terminal: kept at each step; the lock's polarity from what somebody saw; the camera's
look in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kiosk import plugins
from kiosk.cli import setup_ask, setup_camera, setup_lock
from kiosk.cli.setup import ASKS
from kiosk.cli.setup_answers import Root, checked
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.errors import ConfigError
from kiosk.domain.face import Frame
from kiosk.sections import CameraConfig
from kiosk.vision.models import load


@dataclass
class Scripted:
    """Answers by the question's first word or two; else the default."""

    answers: Mapping[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def _answer(self, question: str, default: object) -> object:
        self.asked.append(question)
        return next((value for start, value in self.answers.items() if question.startswith(start)), default)

    def tell(self, *lines: str) -> None:
        self.told += lines

    def text(self, question: str, default: str) -> str:
        return str(self._answer(question, default))

    def secret(self, question: str) -> str:
        return self.text(question, "480215")

    def yes(self, question: str, default: bool) -> bool:
        return bool(self._answer(question, default))

    def choose(self, question: str, options: Mapping[str, str]) -> str:
        return str(self._answer(question, next(iter(options))))


def test_a_trial_is_answered_with_the_defaults_and_the_simulated_camera(tmp_path: Path) -> None:
    root, questions = Root(tmp_path), Scripted({"Which camera": "simulated"})
    tables = setup_ask.interview(questions, root, ASKS)
    settings = checked(tables, "the answers", root, tmp_path).settings
    assert settings.lock is not None
    assert (settings.camera.kind, settings.lock.kind, settings.door.name) == ("simulated", "simulated", "trial")
    assert settings.screen.languages == ("en",)


def test_a_door_is_asked_for_its_name_until_it_has_one_of_its_own() -> None:
    class Typed(Scripted):
        def text(self, question: str, default: str) -> str:
            super().text(question, default)
            return ("", "Main Door", "north")[len(self.asked) - 1] or default

    questions = Typed()
    assert setup_ask.ask_door(questions, Root()) == {"name": "north"}
    assert len(questions.told) == 2, "what a name is"


def test_an_interview_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    root = Root(tmp_path)

    def gone(_: object, __: Root) -> dict[str, object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup_ask.interview(Scripted({"What this": "east"}), root, {**ASKS, "camera": gone})
    assert setup_ask.draft(root).stat().st_mode & 0o077 == 0
    again = Scripted({"Which camera": "simulated"})
    tables = setup_ask.interview(again, root, ASKS)
    assert tables["door"] == {"name": "east"}
    assert not any(question.startswith(("What this", "Level")) for question in again.asked)
    setup_ask.forget(root)
    assert setup_ask.kept(root) == {}


class Relay:
    """A lock that notes what it was told."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def release(self, seconds: float) -> None:
        self.did.append(f"release {seconds:g}")

    def secure(self) -> None:
        self.did.append("secure")

    def close(self) -> None:
        self.did.append("close")


@pytest.mark.parametrize(
    ("lit", "released", "active_high", "fail_mode"),
    [
        (True, True, True, "secure"),
        (True, False, True, "safe"),
        (False, True, False, "safe"),
        (False, False, False, "secure"),
    ],
)
def test_polarity_follows_from_what_relay_and_door_did(
    monkeypatch: pytest.MonkeyPatch, lit: bool, released: bool, active_high: bool, fail_mode: str
) -> None:
    relay = Relay()
    monkeypatch.setattr(plugins, "make", lambda *_: relay)
    saw = {"Which lock": "gpio", "Did the relay": lit, "Was it on before": True, "Was the door": released}
    keys = setup_lock.ask(Scripted(saw), Root(), sleep=lambda _: relay.did.append("wait"))
    assert keys == {
        "kind": "gpio",
        "chip": "/dev/gpiochip0",
        "line": 17,
        "active_high": active_high,
        "fail_mode": fail_mode,
    }
    assert relay.did == ["release 1", "wait", "secure", "close"] * 2, "twice: the test, and as it will be"


def test_a_relay_that_does_not_move_ends_the_setup_and_secures(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    monkeypatch.setattr(plugins, "make", lambda *_: relay)
    saw = Scripted({"Which lock": "gpio", "Did the relay": False, "Was it on before": False})
    with pytest.raises(ConfigError, match="did not move"):
        setup_lock.ask(saw, Root(), sleep=lambda _: None)
    assert relay.did == ["release 1", "secure", "close"]

    def broken(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup_lock.ask(saw, Root(), sleep=broken)
    assert relay.did[-2:] == ["secure", "close"]


def test_a_trial_has_a_simulated_lock_only(tmp_path: Path) -> None:
    assert setup_lock.ask(Scripted(), Root(tmp_path))["kind"] == "simulated"


def test_a_look_tells_light_sharpness_distance_and_latency() -> None:
    settings = checked(
        {"camera": {"kind": "simulated"}, "lock": {"kind": "simulated"}, "door": {"name": "a"}},
        "",
        Root(Path("/r")),
        Path(),
    ).settings
    detector = load(settings.models, settings.policy).detector
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    near = setup_camera.sight(Frame(image, 1, 10.0, datetime.now(UTC)), detector.detect(image), 10.05)
    assert near.sharp is not None
    assert near.metres is not None
    assert 0.1 < near.metres < 2
    assert near.line().endswith("50 ms")
    empty = setup_camera.sight(Frame(np.zeros_like(image), 1, 10.0, datetime.now(UTC)), [], 10.0)
    assert "too dark" in empty.line()
    assert "nobody is there" in empty.line()


def test_pictures_taken_at_the_camera_are_asked_for_where_no_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "lent"
    folder.mkdir()
    (folder / "of-a-setup-that-was-killed.png").touch()
    camera = CameraConfig.model_validate({"kind": "simulated", "loop": True, "fps": 60.0})
    questions = Scripted({"Name": "Ada", "Personal": "2001", "Has": True})
    take = partial(setup_camera.photographs, camera, folder, questions)
    admin = next(setup_ask.ask_people(questions, "1/en", take))
    assert admin["pictures"] == [str(folder)]
    assert sorted(p.suffix for p in folder.iterdir()) == [".png"] * (setup_camera.FRAMES // setup_camera.EACH)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_admin_has_a_role_and_nobody_is_enrolled_without_consent(tmp_path: Path) -> None:
    class Two(Scripted):
        def yes(self, question: str, default: bool) -> bool:
            self.asked.append(question)
            if question.startswith("Enrol"):
                return len([q for q in self.asked if q.startswith("Enrol")]) <= 3
            return len([q for q in self.asked if q.startswith("Has")]) > 1

    questions = Two({"Name": "Ada", "Personal": "2001", "Photograph": str(tmp_path / "ada.png"), "Role": "none"})
    admin, somebody = setup_ask.ask_people(questions, "1/en", Path)
    assert (admin["role"], admin["consent"], admin["pin"]) == ("admin", "1/en", "480215")
    assert "role" not in somebody
    assert "then nobody is enrolled: offer another way in" in questions.told
