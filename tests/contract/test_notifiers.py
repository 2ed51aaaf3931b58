"""One suite for every notifier that is registered under the entry points `kiosk.notifiers`.

A notifier that is added there fails here until it has a Rig: how to build it, and how to see what the world would see.
The broker and the web server are real ones on this machine; loudspeaker and lamp are stood in for.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ValidationError

from kiosk import plugins
from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import KINDS, KioskEvent, Notice, Notifier
from kiosk.notifiers.conditions import Condition
from kiosk.sections import NotifierConfig

if TYPE_CHECKING:
    from tests.far_side import Broker, Endpoint

NAMES = sorted({point.name for point in entry_points(group="kiosk.notifiers")})


def notice(name: str, kind: str = "door.forced_open") -> Notice:
    return Notice(name, kind, "main", datetime.now(UTC), urgent=True)


@dataclass
class Rig:
    """`told(name)`: the world sees by now that the door was forced, by the notice of this name; it may wait for that.

    `wrong` are options that the self-check must refuse. `away` and `back`: the other side is not there, is there again.
    """

    options: dict[str, object]
    told: Callable[[str], bool]
    wrong: dict[str, object]
    away: Callable[[], None]
    back: Callable[[], None]


def secret(folder: Path, text: str | None = None) -> str:
    path = folder / "secret"
    path.write_text(text or "whsec_" + base64.b64encode(bytes(range(32))).decode())
    path.chmod(0o640)
    return str(path)


def mqtt(folder: Path, request: pytest.FixtureRequest) -> Rig:
    broker: Broker = request.getfixturevalue("broker")
    broker.start()
    broker.listen()

    def told(name: str) -> bool:
        broker.wait_for(lambda messages: any(f'"{name}"'.encode() in m.payload for m in messages))
        return "ON" in broker.payloads("kiosk/main/forced_open")

    options: dict[str, object] = {"host": "localhost", "port": broker.port, "tls": False, "timeout": 5}
    wrong = options | {"username": "kiosk", "password_file": str(folder / "none")}
    return Rig(options, told, wrong, broker.stop, broker.start)


def webhook(folder: Path, request: pytest.FixtureRequest) -> Rig:
    endpoint: Endpoint = request.getfixturevalue("endpoint")
    options: dict[str, object] = {"url": endpoint.url, "secret_file": secret(folder), "timeout": 5}
    wrong = options | {"secret_file": str(folder / "none")}
    return Rig(options, lambda name: name in endpoint.ids, wrong, endpoint.stop, endpoint.start)


def sound(folder: Path, request: pytest.FixtureRequest) -> Rig:
    """An aplay that remembers what it was given."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    played, unplugged = folder / "played.wav", folder / "unplugged"
    program = folder / "aplay"
    program.write_text(f'#!/bin/sh\n[ ! -e {unplugged} ] || {{ echo "no such device" >&2; exit 1; }}\ncat > {played}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    return Rig(
        {"seconds": 0.5},
        lambda _: played.exists() and played.read_bytes().startswith(b"RIFF"),
        {"seconds": 0.5},
        unplugged.touch,
        unplugged.unlink,
    )


def led(folder: Path, _request: pytest.FixtureRequest) -> Rig:
    """A folder as the kernel shows a lamp."""
    lamp = folder / "leds" / "ACT"
    lamp.mkdir(parents=True)
    (lamp / "max_brightness").write_text("255\n")
    brightness = lamp / "brightness"

    def away() -> None:
        brightness.unlink()
        brightness.mkdir()

    options: dict[str, object] = {"led": "ACT", "folder": str(folder / "leds")}
    return Rig(options, lambda _: brightness.read_text() == "255", options | {"led": "none"}, away, brightness.rmdir)


RIGS: dict[str, Callable[[Path, pytest.FixtureRequest], Rig]] = {
    "led": led,
    "mqtt": mqtt,
    "sound": sound,
    "webhook": webhook,
}


def made(name: str, options: dict[str, object]) -> Notifier:
    cls: Any = plugins.load("notifiers", name)
    built: Notifier = cls(cls.Options.model_validate(options))
    return built


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Rig:
    return RIGS[name](tmp_path, request)


@pytest.fixture
def notifier(name: str, rig: Rig) -> Iterator[Notifier]:
    built = made(name, rig.options)
    yield built
    built.close()


def until_delivered(notifier: Notifier, news: Notice) -> None:
    """As a worker does, but without pauses: a broker's connection takes a moment."""
    until = time.monotonic() + 60
    while True:
        try:
            notifier.notify(news)
        except NotifierError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def test_every_notifier_is_tested_here() -> None:
    assert set(RIGS) == set(NAMES)
    assert {"led", "mqtt", "sound", "webhook"} <= set(NAMES)


def test_a_notifier_delivers_a_notice(notifier: Notifier, rig: Rig) -> None:
    notifier.check()
    until_delivered(notifier, notice("n1"))
    assert rig.told("n1")


def test_a_notifier_takes_every_kind_of_notice_also_twice(notifier: Notifier, rig: Rig) -> None:
    notifier.check()
    for kind in KINDS:
        until_delivered(notifier, notice(kind, kind))
    until_delivered(notifier, notice("n1"))
    until_delivered(notifier, notice("n1"))
    assert rig.told("n1")


def test_a_notifier_raises_while_the_other_side_is_away_and_works_again_after(notifier: Notifier, rig: Rig) -> None:
    notifier.check()
    until_delivered(notifier, notice("n0", "door.opened"))
    rig.away()
    with pytest.raises(NotifierError):
        notifier.notify(notice("n1"))
    rig.back()
    until_delivered(notifier, notice("n1"))
    assert rig.told("n1")


def test_a_notifier_shows_conditions_that_began_before_its_start(notifier: Notifier, rig: Rig, name: str) -> None:
    knows = getattr(notifier, "knows", None)
    if knows is None:
        pytest.skip("it tells news only")
    knows(lambda: {Condition.FORCED_OPEN: True})
    notifier.check()
    until_delivered(notifier, notice("n1", "kiosk.refused"))
    assert rig.told("n1")
    assert name in {"led", "mqtt"}


def test_a_notifiers_self_check_does_not_need_the_other_side(name: str, rig: Rig, notifier: Notifier) -> None:
    if name in {"led", "sound"}:
        pytest.skip("there is no other side")
    rig.away()
    notifier.check()
    with pytest.raises(NotifierError):
        notifier.notify(notice("n1"))


def test_a_notifiers_self_check_finds_local_faults(name: str, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "sound":
        monkeypatch.setenv("PATH", "")
    broken = made(name, rig.wrong)
    with pytest.raises(NotifierError):
        broken.check()
    broken.close()


def test_a_notifier_can_be_closed_at_any_time_and_twice(name: str, rig: Rig) -> None:
    made(name, rig.options).close()
    used = made(name, rig.options)
    used.check()
    used.close()
    used.close()


def test_options_are_checked(name: str, rig: Rig) -> None:
    options: type[BaseModel] = getattr(plugins.load("notifiers", name), "Options")  # noqa: B009 - of any plug-in
    with pytest.raises(ValidationError):
        options.model_validate(rig.options | {"unknown": 1})
    section = NotifierConfig.model_validate({"kind": name, "alarms_only": True, **rig.options})
    plugins.make("notifiers", section)


# For all of them


def test_notices_hold_nothing_biometric() -> None:
    """No picture, template, score or quality; of a person the opaque id, and a name only where it is configured."""
    ours = {"id", "kind", "door", "wall_at", "urgent", "grant_id", "subject_id", "name", "reason", "count"}
    assert {field.name for field in fields(Notice)} == ours
    assert {field.name for field in fields(KioskEvent)} == ours - {"urgent", "count"} | {"run", "sequence"}
    assert json.dumps(KINDS)


def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = Path(secret(tmp_path))
    path.chmod(path.stat().st_mode | stat.S_IROTH)
    notifier = made("webhook", {"url": "https://example.org/", "secret_file": str(path)})
    with pytest.raises(NotifierError, match="everybody can read"):
        notifier.check()
