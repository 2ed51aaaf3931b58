"""The real kiosk-notify between a real kiosk-door, a kiosk's event socket, a broker and a web server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from kiosk.domain.checkpoint import Checkpoint
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import DoorMode, Hand
from kiosk.domain.notices import DROPPED, Notice
from kiosk.domain.updates import Checkpointed, Decided, Faulted
from kiosk.notify.outbox import Outbox
from kiosk.station.announcer import Announcer
from kiosk.station.door_client import DoorClient
from tests.doors import as_user
from tests.ids import id_of

if TYPE_CHECKING:
    from tests.doors import Doors, RunningDoor
    from tests.far_side import Broker, Endpoint

PATIENCE = 60.0


@dataclass
class Notify:
    """Starts kiosk-notify on one configuration, again and again."""

    folder: Path
    config: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def configure(self, *notifiers: str, **notify: object) -> None:
        """Adds [notify] and notifiers to the door's configuration."""
        keys = {
            "outbox": f"{self.folder}/outbox/outbox.db",
            "socket": f"{self.folder}/kiosk.sock",
            "retry_seconds": 0.2,
            **notify,
        }
        lines = ["[notify]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), *notifiers]
        self.config.write_text("\n".join([self.config.read_text(), *lines, ""]))

    def webhook(self, endpoint: Endpoint, name: str = "guard", **keys: object) -> str:
        """A section."""
        secret = self.folder / "secret"
        secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
        secret.chmod(0o600)
        keys = {"kind": "webhook", "url": endpoint.url, "secret_file": str(secret), **keys}
        return f"[notifiers.{name}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())

    def launch(self, *command: str) -> subprocess.Popen[bytes]:
        """Whatever becomes of it; stderr goes to the log."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KIOSK_", "NOTIFY_", "WATCHDOG_"))}
        with (self.folder / "notify.log").open("ab") as log:
            start = [sys.executable, *(command or ("-m", "kiosk.notify")), "--config", str(self.config)]
            self.processes.append(subprocess.Popen(start, stdout=subprocess.PIPE, stderr=log, env=environment))
        return self.processes[-1]

    @property
    def log(self) -> str:
        return (self.folder / "notify.log").read_text()

    def clean_up(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def notify(doors: Doors) -> Iterator[Notify]:
    running = Notify(doors.folder, doors.write(release_seconds=0.05))
    yield running
    running.clean_up()


@pytest.fixture
def door(doors: Doors, notify: Notify) -> RunningDoor:
    """Before notify.configure: it writes the configuration anew."""
    return doors.start(release_seconds=0.05)


@pytest.fixture
def announcer(doors: Doors) -> Iterator[Announcer]:
    made = Announcer(doors.folder / "kiosk.sock", "main", frozenset({os.getuid()}))
    made.start()
    yield made
    made.stop()


def notices(endpoint: Endpoint) -> list[dict[str, object]]:
    """The bodies, without repetitions."""
    return list({r.headers["webhook-id"]: json.loads(r.body) for r in endpoint.requests}.values())


def kinds(endpoint: Endpoint, source: str) -> list[str]:
    return [str(n["kind"]) for n in notices(endpoint) if str(n["kind"]).startswith(source)]


def refusal(name: str) -> Decided:
    return Decided(
        Decision(
            id_of(name), Outcome.REFUSED, Reason.NOT_ENROLLED, None, Evidence(1, 0.0, datetime(2026, 3, 1, tzinfo=UTC))
        )
    )


def wait_until(true: Callable[[], bool]) -> None:
    """For what cannot be waited for otherwise: another process's file."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_door_and_kiosk_are_told_of_each_in_its_order(
    notify: Notify,
    door: RunningDoor,
    announcer: Announcer,
    endpoint: Endpoint,
    client_of: Callable[[RunningDoor], DoorClient],
    grant: Callable[..., Grant],
) -> None:
    notify.configure(notify.webhook(endpoint))
    notify.launch()
    endpoint.wait_for(lambda _: "notify.door_reached" in kinds(endpoint, "notify"))
    client_of(door).release(grant("g1"))
    announcer.publish(refusal("d1"))
    announcer.publish(Faulted(Reason.CAMERA_UNAVAILABLE, "gone"))
    endpoint.wait_for(lambda _: "door.secured" in kinds(endpoint, "door") and len(kinds(endpoint, "kiosk")) == 3)
    told = kinds(endpoint, "door")
    assert told.index("door.released") < told.index("door.secured")
    assert kinds(endpoint, "kiosk") == ["kiosk.started", "kiosk.refused", "kiosk.fault"]
    released = next(n for n in notices(endpoint) if n["kind"] == "door.released")
    assert (released["grant_id"], released["door"]) == (id_of("g1"), "main")


def test_a_forced_door_is_told_of_while_the_kiosk_is_down_and_kiosk_notify_was(
    notify: Notify, doors: Doors, endpoint: Endpoint, client_of: Callable[[RunningDoor], DoorClient]
) -> None:
    """No kiosk runs here at all; what happens while kiosk-notify is dead waits in the door's spool."""
    doors.lock = {"inputs": True}
    door = doors.start(debounce_seconds=0)
    notify.configure(notify.webhook(endpoint, alarms_only=True))
    process = notify.launch()
    endpoint.wait_for(lambda _: "notify.door_reached" in kinds(endpoint, "notify"))
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    client = client_of(door)
    client.simulate(Hand.OPEN, PATIENCE)
    client.simulate(Hand.CLOSE, PATIENCE)
    notify.launch()
    endpoint.wait_for(lambda _: "door.alarm_ended" in kinds(endpoint, "door"))
    assert kinds(endpoint, "door") == ["door.forced_open", "door.alarm_ended"]


def test_killed_at_any_moment_it_loses_nothing_and_keeps_the_order(
    notify: Notify, announcer: Announcer, endpoint: Endpoint
) -> None:
    notify.configure(notify.webhook(endpoint))
    names = [f"d{n}" for n in range(60)]
    ids = [id_of(name) for name in names]
    for name in names:
        announcer.publish(refusal(name))
    for round_ in range(2):
        process = notify.launch()
        so_far = len(kinds(endpoint, "kiosk"))
        endpoint.wait_for(lambda _: len(kinds(endpoint, "kiosk")) >= so_far + 5)  # noqa: B023 - waited for in here
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL, round_
    notify.launch()
    endpoint.wait_for(lambda _: len(kinds(endpoint, "kiosk")) == len(names) + 1)
    assert [n["grant_id"] for n in notices(endpoint) if n["kind"] == "kiosk.refused"] == ids


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_release_that_the_kiosk_did_not_grant_is_told_of(
    doors: Doors,
    notify: Notify,
    announcer: Announcer,
    endpoint: Endpoint,
    grant: Callable[..., Grant],
    open_to_all: Callable[[RunningDoor], None],
) -> None:
    """Two releases by the kiosk's user: one that the kiosk tells of, and one that somebody else made in its name."""
    door = doors.start(release_seconds=0.05, clients=["65001"])
    open_to_all(door)
    notify.configure(notify.webhook(endpoint, alarms_only=True))
    notify.launch()
    endpoint.wait_for(lambda _: {"notify.door_reached", "notify.kiosk_reached"} <= set(kinds(endpoint, "notify")))
    wait_until(lambda: not announcer._waiting)
    with DoorClient(door.socket) as client, as_user(65001):
        assert client.release(grant("granted")).result is DoorResult.RELEASED
        granted = Decided(replace(refusal("granted").decision, outcome=Outcome.GRANTED, reason=Reason.MATCHED))
        announcer.publish(granted)
        assert client.release(grant("stolen")).result is DoorResult.RELEASED
    endpoint.wait_for(lambda _: "notify.release_without_decision" in kinds(endpoint, "notify"))
    told = [n for n in notices(endpoint) if n["kind"] == "notify.release_without_decision"]
    assert [(n["grant_id"], n["urgent"]) for n in told] == [(id_of("stolen"), True)]


@pytest.mark.parametrize("names", [False, True])
def test_a_name_goes_out_only_where_names_are_wanted_whatever_the_kiosk_tells(
    doors: Doors, notify: Notify, endpoint: Endpoint, names: bool
) -> None:
    """The kiosk's end says them all: it is kiosk-notify that does not pass them on."""
    talkative = Announcer(doors.folder / "kiosk.sock", "main", frozenset({os.getuid()}), lambda _: "Ada Lovelace")
    talkative.start()
    try:
        notify.configure(notify.webhook(endpoint), names=names)
        notify.launch()
        known = replace(refusal("d1").decision, subject_id="0123456789abcdef", reason=Reason.SUBJECT_DISABLED)
        talkative.publish(Decided(known))
        endpoint.wait_for(lambda _: "kiosk.refused" in kinds(endpoint, "kiosk"))
    finally:
        talkative.stop()
    (told,) = [n for n in notices(endpoint) if n["kind"] == "kiosk.refused"]
    assert (told["name"], told["subject_id"]) == ("Ada Lovelace" if names else None, "0123456789abcdef")


def test_an_outage_is_outlasted_bounded_and_counted(
    notify: Notify, announcer: Announcer, endpoint: Endpoint, broker: Broker
) -> None:
    """Broker and endpoint are both away; when they return each gets the newest, in order, and how many are missing."""
    endpoint.stop()
    mqtt = f'[notifiers.home]\nkind = "mqtt"\nhost = "localhost"\nport = {broker.port}\ntls = false\ntimeout = 5'
    notify.configure(notify.webhook(endpoint), mqtt, capacity=20)
    notify.launch()
    names = [f"d{n}" for n in range(50)]
    ids = [id_of(name) for name in names]
    announcer.publish(Faulted(Reason.CAMERA_UNAVAILABLE, "gone"))
    for name in names:
        announcer.publish(refusal(name))
    wait_until(lambda: '"started"' in notify.log)
    outbox = Outbox(notify.folder / "outbox" / "outbox.db", "main", 20, {"guard": False, "home": False})
    with contextlib.closing(outbox):
        wait_until(lambda: outbox.standing()["guard"].dropped >= 32)
        standing = outbox.standing()
    assert standing["guard"].waiting <= 21
    assert standing["home"].waiting <= 21
    assert standing["guard"].trouble
    broker.start()
    broker.listen()
    endpoint.start()
    endpoint.wait_for(lambda _: ids[-1] in [n["grant_id"] for n in notices(endpoint)])
    told = notices(endpoint)
    dropped = sum(int(str(n["count"])) for n in told if n["kind"] == DROPPED)
    kept = [str(n["grant_id"]) for n in told if n["kind"] == "kiosk.refused"]
    assert kept == ids[-len(kept) :], "the newest, in order"
    assert "kiosk.fault" in kinds(endpoint, "kiosk"), "older than all of them, and kept"
    assert dropped + len([n for n in told if not str(n["kind"]).startswith("notify.")]) >= len(names) + 2
    broker.wait_for(lambda _: any(f'"{ids[-1]}"' in p for p in broker.payloads("kiosk/main/event")))
    events = [json.loads(payload) for payload in broker.payloads("kiosk/main/event")]
    unique = {event["id"]: event for event in events}.values()
    kept = [event["grant_id"] for event in unique if event["event_type"] == "kiosk.refused"]
    assert kept == ids[-len(kept) :]
    assert broker.payloads("kiosk/main/kiosk_fault")[-1] == "ON"


def test_one_that_fails_its_self_check_is_reported_and_left_out(
    notify: Notify, announcer: Announcer, endpoint: Endpoint
) -> None:
    broken = notify.webhook(endpoint, "broken", secret_file=f"{notify.folder}/none")
    misspelt = notify.webhook(endpoint, "misspelt", colour="red")
    unknown = '[notifiers.unknown]\nkind = "carrier-pigeon"'
    notify.configure(notify.webhook(endpoint), broken, misspelt, unknown)
    notify.launch()
    announcer.publish(refusal("d1"))
    endpoint.wait_for(lambda _: "kiosk.refused" in kinds(endpoint, "kiosk"))
    left_out = [json.loads(line) for line in notify.log.splitlines() if "left_out" in line]
    said = {line["notifier"]: line["error"] for line in left_out}
    assert set(said) == {"broken", "misspelt", "unknown"}
    assert "secret cannot be read" in said["broken"]
    assert "colour: unknown key" in said["misspelt"]
    assert "not installed" in said["unknown"]


def test_only_alarms_where_only_alarms_are_wanted(notify: Notify, announcer: Announcer, endpoint: Endpoint) -> None:
    notify.configure(notify.webhook(endpoint, alarms_only=True))
    notify.launch()
    announcer.publish(refusal("d1"))
    announcer.publish(
        Checkpointed(Checkpoint(1, "00" * 32, "2026-03-01T12:00:00.000000+00:00", "0" * 8, "00" * 32, "00" * 64))
    )
    announcer.publish(Faulted(Reason.CAMERA_UNAVAILABLE, "gone"))
    endpoint.wait_for(lambda _: "kiosk.fault" in kinds(endpoint, "kiosk"))
    assert kinds(endpoint, "kiosk") == ["kiosk.checkpoint", "kiosk.fault"]


def test_whether_it_is_there_is_known_however_it_goes(notify: Notify, broker: Broker) -> None:
    broker.start()
    broker.listen()
    notify.configure(f'[notifiers.home]\nkind = "mqtt"\nhost = "localhost"\nport = {broker.port}\ntls = false')
    told = []
    for signal_, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        process = notify.launch()
        told.append("online")
        broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == told)
        process.send_signal(signal_)
        told.append("offline")
        broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == told)
        assert process.wait(PATIENCE) == status


def test_what_holds_is_told_again_after_the_broker_and_kiosk_notify_were_started_anew(
    notify: Notify, doors: Doors, broker: Broker, client_of: Callable[[RunningDoor], DoorClient]
) -> None:
    """The door is forced and in lockdown; then nothing happens but that the others forget. Its topics have its name."""
    doors.lock = {"inputs": True}
    door = doors.start(debounce_seconds=0, name="north")
    notify.configure(f'[notifiers.home]\nkind = "mqtt"\nhost = "localhost"\nport = {broker.port}\ntls = false')
    broker.start()
    broker.listen()
    process = notify.launch()
    client = client_of(door)
    client.simulate(Hand.OPEN, PATIENCE)
    client.lockdown(True, PATIENCE)
    wanted = {"forced_open": "ON", "open": "ON", "lockdown": "ON", "released": "OFF", "door_lost": "OFF"}

    def shown() -> bool:
        return {topic: (broker.payloads(f"kiosk/north/{topic}") or [""])[-1] for topic in wanted} == wanted

    broker.wait_for(lambda _: shown())
    for notify_too in (False, True):
        if notify_too:
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
        broker.stop()
        broker.messages.clear()
        broker.start()
        if notify_too:
            process = notify.launch()
        broker.wait_for(lambda _: shown() and broker.payloads("kiosk/north/availability") == ["online"])
    assert client.status(PATIENCE).mode is DoorMode.LOCKDOWN


def test_bad_starts_are_one_line(notify: Notify, tmp_path: Path) -> None:
    notify.configure('[notifiers.Bad]\nkind = "webhook"')
    assert notify.launch().wait(PATIENCE) == 2
    assert notify.log.startswith("kiosk-notify: ")
    assert notify.log.count("\n") == 1


def test_an_outbox_that_is_moved_ends_it_and_the_next_start_heals_it(
    notify: Notify, announcer: Announcer, endpoint: Endpoint
) -> None:
    """A process that goes on would acknowledge what goes nowhere."""
    notify.configure(notify.webhook(endpoint))
    process = notify.launch()
    announcer.publish(refusal("d1"))
    endpoint.wait_for(lambda _: kinds(endpoint, "kiosk").count("kiosk.refused") == 1)
    outbox = notify.folder / "outbox" / "outbox.db"
    outbox.rename(outbox.with_name("away.db"))
    assert process.wait(PATIENCE) == 2
    assert "was moved, removed or replaced in use" in notify.log.splitlines()[-1]
    notify.launch()
    announcer.publish(refusal("d2"))
    endpoint.wait_for(lambda _: kinds(endpoint, "kiosk").count("kiosk.refused") == 2)


def test_it_needs_no_notifier_to_run(notify: Notify) -> None:
    notify.configure()
    process = notify.launch()
    wait_until(lambda: "no_notifiers" in notify.log and '"started"' in notify.log)
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_the_process_can_know_no_face(notify: Notify, endpoint: Endpoint) -> None:
    """The modules of a kiosk-notify that has started and stopped, with every notifier loaded."""
    notify.configure(notify.webhook(endpoint))
    script = (
        "import sys\n"
        "import kiosk.notifiers.mqtt, kiosk.notifiers.led, kiosk.notifiers.sound, paho.mqtt.client\n"
        "from kiosk.notify.daemon import main\n"
        "code = main(sys.argv[1:])\n"
        "print(*sorted(sys.modules))\n"
        "sys.exit(code)\n"
    )
    process = notify.launch("-c", script)
    wait_until(lambda: '"started"' in notify.log)
    process.terminate()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, notify.log
    loaded = set(out.decode().split())
    assert {"kiosk.notify.daemon", "stamina", "urllib3", "paho.mqtt.client"} <= loaded
    roots = {name.partition(".")[0] for name in loaded}
    assert roots & {"numpy", "cv2", "onnxruntime", "PySide6", "sqlite_utils", "cryptography", "gpiod"} == set()
    assert not [name for name in loaded if name.startswith(("kiosk.storage", "kiosk.vision", "kiosk.locks"))]


def test_a_notice_survives_as_json() -> None:
    """What is told looks the same over all ways."""
    adapter = TypeAdapter(Notice)
    notice = Notice("n", "door.opened", "main", datetime(2026, 3, 1, 7, 30, 0, 5, UTC), grant_id="g")
    assert adapter.validate_json(adapter.dump_json(notice)) == notice
