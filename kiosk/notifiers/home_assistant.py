"""How a door appears in Home Assistant: MQTT discovery as binary_sensor, sensor and event only.

A lock, a switch or a button would have a command topic, and anybody with write access to the broker could open the
door. So there is none here, and the notifier subscribes to nothing.
Source: https://www.home-assistant.io/integrations/mqtt
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from kiosk.domain.notices import KINDS, KioskEventKind, Notice
from kiosk.notifiers.conditions import Change, Condition

ONLINE, OFFLINE = "online", "offline"

_PAYLOADS = {True: "ON", False: "OFF", None: "None"}
"""Home Assistant reads "None" as unknown."""
_CLASSES: dict[Condition, tuple[str, str | None]] = {
    Condition.OPEN: ("Door", "door"),
    Condition.RELEASED: ("Lock", "lock"),  # on means released
    Condition.FORCED_OPEN: ("Forced open", "safety"),
    Condition.HELD_OPEN: ("Held open", "problem"),
    Condition.TAMPER: ("Tamper", "tamper"),
    Condition.FAULT: ("Door fault", "problem"),
    Condition.LOCKDOWN: ("Lockdown", None),
    Condition.KIOSK_FAULT: ("Kiosk fault", "problem"),
    Condition.FACE_OFF: ("Face alone off", "problem"),
    Condition.DOOR_LOST: ("Door process lost", "problem"),
    Condition.KIOSK_LOST: ("Kiosk process lost", "problem"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message to publish."""

    topic: str
    payload: str
    retain: bool


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of the door `door`: discovery under `prefix`, states and events under kiosk/."""

    door: str
    prefix: str

    @property
    def availability(self) -> str:
        """Topic that says whether kiosk-notify is running."""
        return f"kiosk/{self.door}/availability"

    def state(self, object_id: str) -> str:
        """Topic of a state (retained) or of the events (not retained)."""
        return f"kiosk/{self.door}/{object_id}"

    def configuration(self, component: str, object_id: str) -> str:
        """Topic where Home Assistant looks for the entity's configuration."""
        return f"{self.prefix}/{component}/kiosk-{self.door}/{object_id}/config"


def discovery(topics: Topics) -> list[Message]:
    """The configuration of all entities, retained. Publish it with every new connection."""
    found = []
    for condition, (name, device_class) in _CLASSES.items():
        extra = {} if device_class is None else {"device_class": device_class}
        found.append(_configuration(topics, "binary_sensor", condition.value, {"name": name, **extra}))
    found.append(_configuration(topics, "sensor", "decision", {"name": "Last decision"}))
    found.append(_configuration(topics, "event", "event", {"name": "Event", "event_types": list(KINDS)}))
    return found


def availability(topics: Topics, online: bool) -> Message:
    """Publish "online" with every new connection, and "offline" as the last will and when kiosk-notify stops."""
    return Message(topics.availability, ONLINE if online else OFFLINE, retain=True)


def states(topics: Topics, change: Change) -> list[Message]:
    """One retained message for each condition in `change`."""
    return [Message(topics.state(c.value), _PAYLOADS[on], retain=True) for c, on in change.items()]


def decision(topics: Topics, notice: Notice) -> Message | None:
    """The last decision, retained; None if the notice is not about a decision."""
    if notice.kind not in {f"kiosk.{KioskEventKind.GRANTED}", f"kiosk.{KioskEventKind.REFUSED}"}:
        return None
    return Message(topics.state("decision"), notice.kind.removeprefix("kiosk."), retain=True)


def news(topics: Topics, notice: Notice) -> Message:
    """The event itself."""
    # The id lets a receiver recognise a repetition.
    event: dict[str, str | int | dict[str, str | int]] = {
        "event_type": notice.kind,
        "id": notice.id,
        "at": notice.wall_at.isoformat(),
    }
    told = {
        "reason": notice.reason,
        "grant_id": notice.grant_id,
        "subject_id": notice.subject_id,
        "name": notice.name,
        "count": notice.count,
        "checkpoint": None if notice.checkpoint is None else notice.checkpoint.row(),
    }
    event |= {key: value for key, value in told.items() if value}
    return Message(topics.state("event"), json.dumps(event), retain=False)


def _configuration(topics: Topics, component: str, object_id: str, own: dict[str, str | list[str]]) -> Message:
    unique = f"kiosk-{topics.door}-{object_id}"
    configuration: dict[str, object] = {
        **own,
        "unique_id": unique,
        "state_topic": topics.state(object_id),
        "availability_topic": topics.availability,
        "device": {"identifiers": [f"kiosk-{topics.door}"], "name": f"Kiosk {topics.door}"},
    }
    return Message(topics.configuration(component, object_id), json.dumps(configuration), retain=True)
