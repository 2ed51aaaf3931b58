"""One suite for every notifier that is registered under the entry points `kiosk.notifiers`.

A notifier that is added there fails here until it has a NotifierRig: how to build it, and how to see what the world
would see. The broker and the web server are real ones on this machine; loudspeaker and lamp are stood in for.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kiosk import plugins
from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import KINDS, KioskEvent, Notice
from kiosk.sections import NotifierConfig
from kiosk.testing.notifiers import NotifierContract, NotifierRig, made

if TYPE_CHECKING:
    from tests.far_side import Broker, Endpoint

NAMES = sorted({point.name for point in entry_points(group="kiosk.notifiers")})


def secret(folder: Path, text: str | None = None) -> str:
    path = folder / "secret"
    path.write_text(text or "whsec_" + base64.b64encode(bytes(range(32))).decode())
    path.chmod(0o640)
    return str(path)


def mqtt(folder: Path, request: pytest.FixtureRequest) -> NotifierRig:
    broker: Broker = request.getfixturevalue("broker")
    broker.start()
    broker.listen()

    def told(name: str) -> bool:
        broker.wait_for(lambda messages: any(f'"{name}"'.encode() in m.payload for m in messages))
        return "ON" in broker.payloads("kiosk/main/forced_open")

    options: dict[str, object] = {"host": "localhost", "port": broker.port, "tls": False, "timeout": 5}
    wrong = options | {"username": "kiosk", "password_file": str(folder / "none")}
    return NotifierRig(options, told, wrong, broker.stop, broker.start)


def webhook(folder: Path, request: pytest.FixtureRequest) -> NotifierRig:
    endpoint: Endpoint = request.getfixturevalue("endpoint")
    options: dict[str, object] = {"url": endpoint.url, "secret_file": secret(folder), "timeout": 5}
    wrong = options | {"secret_file": str(folder / "none")}
    return NotifierRig(options, lambda name: name in endpoint.ids, wrong, endpoint.stop, endpoint.start)


def sound(folder: Path, request: pytest.FixtureRequest) -> NotifierRig:
    """An aplay that remembers what it was given."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    played, unplugged = folder / "played.wav", folder / "unplugged"
    program = folder / "aplay"
    program.write_text(f'#!/bin/sh\n[ ! -e {unplugged} ] || {{ echo "no such device" >&2; exit 1; }}\ncat > {played}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    return NotifierRig(
        {"seconds": 0.5},
        lambda _: played.exists() and played.read_bytes().startswith(b"RIFF"),
        {"seconds": 0.5},
        unplugged.touch,
        unplugged.unlink,
        remote=False,
        spoil=lambda: monkeypatch.setenv("PATH", ""),
    )


def led(folder: Path, _request: pytest.FixtureRequest) -> NotifierRig:
    """A folder as the kernel shows a lamp."""
    lamp = folder / "leds" / "ACT"
    lamp.mkdir(parents=True)
    (lamp / "max_brightness").write_text("255\n")
    brightness = lamp / "brightness"

    def away() -> None:
        brightness.unlink()
        brightness.mkdir()

    options: dict[str, object] = {"led": "ACT", "folder": str(folder / "leds")}
    return NotifierRig(
        options,
        lambda _: brightness.read_text() == "255",
        options | {"led": "none"},
        away,
        brightness.rmdir,
        remote=False,
    )


RIGS: dict[str, Callable[[Path, pytest.FixtureRequest], NotifierRig]] = {
    "led": led,
    "mqtt": mqtt,
    "sound": sound,
    "webhook": webhook,
}


class TestNotifiers(NotifierContract):
    @pytest.fixture(params=NAMES)
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def plugin(self, name: str) -> Any:
        return plugins.load("notifiers", name)

    @pytest.fixture
    def rig(self, name: str, tmp_path: Path, request: pytest.FixtureRequest) -> NotifierRig:
        return RIGS[name](tmp_path, request)

    def test_its_section_is_read(self, name: str, rig: NotifierRig) -> None:
        section = NotifierConfig.model_validate({"kind": name, "alarms_only": True, **rig.options})
        plugins.make("notifiers", section)


def test_every_notifier_is_tested_here() -> None:
    assert set(RIGS) == set(NAMES)
    assert {"led", "mqtt", "sound", "webhook"} <= set(NAMES)


# For all of them


def test_notices_hold_nothing_biometric() -> None:
    """No picture, template, score or quality; of a person the opaque id, and a name only where it is configured. A
    checkpoint is numbers, a hash and a signature of the audit log."""
    ours = {
        "id",
        "kind",
        "door",
        "wall_at",
        "urgent",
        "grant_id",
        "subject_id",
        "name",
        "reason",
        "count",
        "checkpoint",
    }
    assert {field.name for field in fields(Notice)} == ours
    assert {field.name for field in fields(KioskEvent)} == ours - {"urgent", "count"} | {"run", "sequence"}
    assert {field.name for field in fields(Checkpoint)} == {"number", "hash", "at", "boot", "key", "signature"}
    assert json.dumps(KINDS)


def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = Path(secret(tmp_path))
    path.chmod(path.stat().st_mode | stat.S_IROTH)
    notifier = made(plugins.load("notifiers", "webhook"), {"url": "https://example.org/", "secret_file": str(path)})
    with pytest.raises(NotifierError, match="everybody can read"):
        notifier.check()
