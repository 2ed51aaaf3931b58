"""MQTT with a real broker: what Home Assistant finds, and that nothing there takes commands."""

from __future__ import annotations

import gc
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import KINDS, Notice
from kiosk.notifiers.conditions import _CHANGES, _FAULTS, Change, Condition, Conditions
from kiosk.notifiers.home_assistant import Topics, discovery
from kiosk.notifiers.mqtt import MqttNotifier

if TYPE_CHECKING:
    from tests.far_side import Broker, Certificates

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
PATIENCE = 60.0


def notice(kind: str, reason: str = "", **keys: object) -> Notice:
    return Notice(f"id-{kind}", kind, "main", NOW, reason=reason, **keys)  # type: ignore[arg-type]


class Watched(MqttNotifier):
    """Counts its tries to connect, when their outcome is known: a test waits for the next one."""

    def __init__(self, options: MqttNotifier.Options) -> None:
        super().__init__(options)
        self.tries = 0
        self._counted = threading.Condition()

    def await_try(self, after: int) -> None:
        """Until there were more than so many."""
        with self._counted:
            assert self._counted.wait_for(lambda: self.tries > after, PATIENCE)

    def _connected(self, *about: Any) -> None:
        super()._connected(*about)
        self._count()

    def _not_connected(self, *about: Any) -> None:
        super()._not_connected(*about)
        self._count()

    def _count(self) -> None:
        with self._counted:
            self.tries += 1
            self._counted.notify_all()


@pytest.fixture
def mqtt(broker: Broker) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def make(**keys: object) -> Watched:
        options = {"host": "localhost", "port": broker.port, "tls": False, "timeout": 10, **keys}
        made.append(Watched(MqttNotifier.Options.model_validate(options)))
        made[-1].check()
        return made[-1]

    yield make
    for notifier in made:
        notifier.close()


def tell(notifier: Watched, *notices: Notice) -> None:
    """As a worker does: again after each try to connect."""
    for each in notices:
        while True:
            tries = notifier.tries
            try:
                notifier.notify(each)
                break
            except NotifierError:
                notifier.await_try(after=tries)


def test_nothing_that_is_published_can_be_commanded(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    broker.start()
    broker.listen()
    tell(mqtt(), *(notice(kind) for kind in KINDS))
    count = len(discovery(Topics("main", "homeassistant")))
    broker.wait_for(lambda messages: sum(m.topic.endswith("/config") for m in messages) >= count)
    found = {m.topic: json.loads(m.payload) for m in broker.messages if m.topic.endswith("/config")}
    assert len(found) == count
    for topic, configuration in found.items():
        assert topic.split("/")[1] in {"binary_sensor", "sensor", "event"}
        assert not [key for key in configuration if "command" in key or key in {"cmd_t", "set_topic"}]
        assert configuration["availability_topic"] == "kiosk/main/availability"
        assert configuration["unique_id"].startswith("kiosk-main-")
    assert {m.topic.split("/")[0] for m in broker.messages} == {"homeassistant", "kiosk"}


def test_it_subscribes_to_nothing(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    broker.start("allow_anonymous true", "log_type subscribe", "log_type notice")
    tell(mqtt(), notice("door.opened"))
    assert "kiosk-notify-main 1 " not in (broker.folder / "mosquitto.log").read_text()


def test_states_are_kept_by_the_broker_and_events_are_not(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    broker.start()
    notifier = mqtt()
    tell(
        notifier,
        notice("door.started"),
        notice("door.forced_open"),
        notice("door.opened"),
        notice("kiosk.refused", "not_enrolled"),
    )
    broker.listen()  # only now, as a Home Assistant that was restarted
    broker.wait_for(lambda _: broker.payloads("kiosk/main/decision") == ["refused"])
    assert broker.payloads("kiosk/main/forced_open") == ["ON"]
    assert broker.payloads("kiosk/main/open") == ["ON"]
    assert broker.payloads("kiosk/main/released") == ["OFF"]
    assert broker.payloads("kiosk/main/event") == []
    tell(notifier, notice("door.alarm_ended", "forced_open"), notice("kiosk.granted", subject_id="s1", grant_id="g1"))
    broker.wait_for(lambda _: len(broker.payloads("kiosk/main/event")) == 2)
    assert broker.payloads("kiosk/main/forced_open") == ["ON", "OFF"]
    assert json.loads(broker.payloads("kiosk/main/event")[1]) == {
        "event_type": "kiosk.granted",
        "id": "id-kiosk.granted",
        "at": "2026-03-01T07:30:00+00:00",
        "grant_id": "g1",
        "subject_id": "s1",
    }


def test_availability_is_told_again_with_every_connection(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    broker.start()
    notifier = mqtt()
    tell(notifier, notice("door.opened"))
    broker.stop()
    broker.start()
    tell(notifier, notice("door.closed"))
    broker.listen()
    broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == ["online"])
    notifier.close()
    broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == ["online", "offline"])


LASTING = {
    "forced_open": notice("door.forced_open"),
    "held_open": notice("door.held_open"),
    "tamper": notice("door.tamper"),
    "open": notice("door.opened"),
    "lockdown": notice("door.lockdown"),
    "fault": notice("door.fault", "lock"),
    "kiosk_fault": notice("kiosk.fault", "camera_unavailable"),
    "door_lost": notice("notify.door_lost"),
    "kiosk_lost": notice("notify.kiosk_lost"),
}
"""Each begins what the topic of its name shows."""


def test_a_broker_that_lost_its_memory_is_told_what_holds_without_any_news(
    broker: Broker, mqtt: Callable[..., Watched]
) -> None:
    broker.start()
    tell(mqtt(), notice("door.started"), *LASTING.values(), notice("door.alarm_ended", "held_open"))
    tell(mqtt(door="other"), notice("door.closed"), notice("kiosk.granted"))
    broker.stop()
    broker.start()
    broker.listen()
    broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == ["online"])
    broker.wait_for(lambda _: broker.payloads("kiosk/other/availability") == ["online"])
    shown = {topic: broker.payloads(f"kiosk/main/{topic}") for topic in LASTING}
    assert shown == {topic: ["OFF" if topic == "held_open" else "ON"] for topic in LASTING}
    assert broker.payloads("kiosk/other/open") == ["OFF"]
    assert broker.payloads("kiosk/other/decision") == ["granted"]
    assert broker.payloads("kiosk/main/event") == [], "news are told once"
    configured = [m.topic for m in broker.messages if m.topic.endswith("/config")]
    assert len(configured) == 2 * len(discovery(Topics("main", "homeassistant")))


def test_what_holds_is_asked_of_kiosk_notify_where_it_knows(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    """It was told before this notifier began, or of what this one was never sent."""
    present: Change = {Condition.FORCED_OPEN: True, Condition.OPEN: None}
    broker.start()
    broker.listen()
    notifier = Watched(MqttNotifier.Options.model_validate({"host": "localhost", "port": broker.port, "tls": False}))
    notifier.knows(lambda: dict(present))
    notifier.check()
    try:
        broker.wait_for(lambda _: broker.payloads("kiosk/main/availability") == ["online"])
        assert broker.payloads("kiosk/main/forced_open") == ["ON"]
        assert broker.payloads("kiosk/main/open") == ["None"]
        present[Condition.OPEN] = False
        tell(notifier, notice("kiosk.refused"))
        broker.wait_for(lambda _: broker.payloads("kiosk/main/event") != [])
        assert broker.payloads("kiosk/main/open") == ["None", "OFF"]
        assert broker.payloads("kiosk/main/forced_open") == ["ON"]
    finally:
        notifier.close()


def test_a_broker_that_confirms_nothing(broker: Broker, mqtt: Callable[..., Watched]) -> None:
    broker.start()
    broker.listen()
    notifier = mqtt(timeout=0.5)
    tell(notifier, notice("door.opened"))
    broker.freeze()
    for _ in range(3):
        with pytest.raises(NotifierError):
            notifier.notify(notice("door.forced_open"))
    broker.thaw()
    tell(notifier, notice("door.forced_open"), notice("door.closed"))
    broker.wait_for(lambda _: any("door.closed" in payload for payload in broker.payloads("kiosk/main/event")))
    told = [json.loads(payload)["event_type"] for payload in broker.payloads("kiosk/main/event")]
    assert list(dict.fromkeys(told)) == ["door.opened", "door.forced_open", "door.closed"], "in order, some twice"
    assert broker.payloads("kiosk/main/availability")[-1] == "online"


def test_mqtt_works_over_tls(broker: Broker, mqtt: Callable[..., Watched], certificates: Certificates) -> None:
    files = f"certfile {certificates.certificate}", f"keyfile {certificates.key}"
    broker.start("allow_anonymous true", *files)
    broker.listen(lambda client: client.tls_set(str(certificates.certificate)))
    tell(mqtt(tls=True, ca_file=certificates.certificate), notice("door.opened"))
    broker.wait_for(lambda _: len(broker.payloads("kiosk/main/event")) == 1)


def refusal(notifier: MqttNotifier) -> str:
    with pytest.raises(NotifierError, match="no connection") as refused:
        notifier.notify(notice("door.opened"))
    return str(refused.value)


# paho leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
def test_a_broker_that_nobody_vouches_for_is_told_nothing(
    broker: Broker, mqtt: Callable[..., Watched], certificates: Certificates
) -> None:
    broker.start("allow_anonymous true", f"certfile {certificates.certificate}", f"keyfile {certificates.key}")
    broker.listen(lambda client: client.tls_set(str(certificates.certificate)))
    unknown = mqtt(tls=True)
    unknown.await_try(after=0)
    said = refusal(unknown)
    assert "not trusted" in said
    assert "name its authority with ca_file" in said
    unknown.close()
    gc.collect()
    assert broker.messages == []


def test_mqtt_sends_the_password(broker: Broker, mqtt: Callable[..., Watched], tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "kiosk", "good"], check=True)
    broker.start("allow_anonymous false", f"password_file {passwords}")
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    refused = mqtt(username="kiosk", password_file=secret)
    refused.await_try(after=0)
    with pytest.raises(NotifierError, match="authori"):
        refused.notify(notice("door.opened"))
    secret.write_text("good\n")
    tell(mqtt(username="kiosk", password_file=secret, door="other"), notice("door.opened"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"password_file": "p"}, "username"),
        ({"password_file": "p", "username": "u", "tls": False}, "tls"),
        ({"ca_file": "c", "tls": False}, "tls"),
        ({"discovery_prefix": "a/#"}, "discovery_prefix"),
        ({"door": "Main Door"}, "door"),
        ({"port": 0}, "port"),
    ],
)
def test_mqtt_refuses_options_that_make_no_sense(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MqttNotifier.Options.model_validate({"host": "broker.example.org", **keys})


# What lasts


def test_conditions_know_only_notices_that_there_are() -> None:
    assert set(_CHANGES) | set(_FAULTS) <= set(KINDS)


def test_conditions_follow_the_notices() -> None:
    conditions = Conditions()
    assert conditions.take(notice("door.started"))[Condition.LOCKDOWN] is False
    assert conditions.take(notice("door.opened")) == {Condition.OPEN: True}
    assert not conditions.alarmed
    conditions.take(notice("door.held_open"))
    assert conditions.alarmed
    assert conditions.take(notice("door.alarm_ended", "held_open")) == {Condition.HELD_OPEN: False}
    assert not conditions.alarmed
    assert conditions.take(notice("kiosk.refused")) == {}
    assert conditions.take(notice("door.started", "lockdown"))[Condition.LOCKDOWN] is True


def test_a_fault_ends_with_the_last_of_its_reasons() -> None:
    conditions = Conditions()
    conditions.take(notice("door.fault", "lock"))
    assert conditions.take(notice("door.fault", "chatter")) == {Condition.FAULT: True}
    assert conditions.take(notice("door.fault_ended", "lock")) == {Condition.FAULT: True}
    assert conditions.take(notice("door.fault_ended", "lock")) == {Condition.FAULT: True}, "twice is once"
    assert conditions.take(notice("kiosk.fault", "camera_unavailable")) == {Condition.KIOSK_FAULT: True}
    assert conditions.take(notice("door.fault_ended", "chatter")) == {Condition.FAULT: False}
    assert conditions.alarmed
    assert conditions.take(notice("kiosk.started"))[Condition.KIOSK_FAULT] is False
    assert not conditions.alarmed


def test_face_alone_being_off_is_a_condition_of_its_own_and_told_again_by_a_kiosk_that_was_started_again() -> None:
    conditions = Conditions()
    conditions.take(notice("kiosk.fault", "camera_unavailable"))
    assert conditions.take(notice("kiosk.fault", "face_off")) == {Condition.FACE_OFF: True}
    assert conditions.take(notice("kiosk.recovered", "camera_unavailable")) == {Condition.KIOSK_FAULT: False}
    assert conditions.alarmed
    again = Conditions.load(conditions.dump())
    assert again.now()[Condition.FACE_OFF] is True
    assert again.take(notice("kiosk.started"))[Condition.FACE_OFF] is False
    again.take(notice("kiosk.fault", "face_off"))
    assert again.take(notice("kiosk.recovered", "face_off")) == {Condition.FACE_OFF: False}
    assert not again.alarmed


def test_conditions_are_the_same_after_they_were_kept() -> None:
    conditions = Conditions()
    for each in (*LASTING.values(), notice("door.fault", "contact_still"), notice("door.fault_ended", "lock")):
        conditions.take(each)
    again = Conditions.load(conditions.dump())
    assert again.now() == conditions.now()
    assert again.now()[Condition.FAULT] is True
    assert again.take(notice("door.fault_ended", "contact_still")) == {Condition.FAULT: False}
    for text in ("", "null", "[]", '{"now": {"none": true}, "faults": []}', '{"now": 1, "faults": 2}'):
        assert Conditions.load(text).now() == {}
