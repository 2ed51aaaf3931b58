"""Sends notices to an MQTT broker in the form that Home Assistant discovers (notifiers.home_assistant).

It subscribes to nothing.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.errors import NotifierError
from kiosk.domain.notices import Notice
from kiosk.notifiers.conditions import Change, Conditions, Present
from kiosk.notifiers.home_assistant import Message, Topics, availability, decision, discovery, news, states
from kiosk.notifiers.secrets import read_secret, untrusted

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.reasoncodes import ReasonCode

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
QOS = 1
"""At least once: the broker confirms each message."""
FAREWELL_SECONDS = 1.0


class MqttNotifier:
    """Keeps one connection, which paho restores by itself. When it is lost the broker publishes the last will."""

    remote = True

    class Options(BaseModel):
        """[notifiers.NAME] with kind = "mqtt"."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        host: Annotated[str, Field(min_length=1)]
        port: Annotated[int, Field(ge=1, le=65535)] | None = None
        """Default: 8883 with TLS, 1883 without."""
        tls: bool = True
        ca_file: Path | None = None
        """Certificates to trust instead of the system's."""
        username: str | None = None
        password_file: Path | None = None
        door: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)] = "main"
        """Name of this door in topics. If it is missing here, kiosk-notify sets the configuration's [door] name."""
        discovery_prefix: Annotated[str, Field(pattern=r"^[^#+/\x00]+$")] = "homeassistant"
        timeout: Annotated[float, Field(gt=0, le=60)] = 10.0
        """Seconds in which the broker must confirm a message."""

        @model_validator(mode="after")
        def _safe(self) -> Self:
            if self.password_file is not None and self.username is None:
                raise ValueError("password_file needs a username")
            if self.password_file is not None and not self.tls and self.host not in LOOPBACK:
                raise ValueError("a password needs tls = true unless the broker is on this machine")
            if self.ca_file is not None and not self.tls:
                raise ValueError("ca_file needs tls = true")
            return self

    def __init__(self, options: Options) -> None:
        self._options = options
        self._topics = Topics(options.door, options.discovery_prefix)
        self._port = options.port or (8883 if options.tls else 1883)
        self._conditions = Conditions()
        self._present: Present = self._conditions.now
        self._told: Change = {}
        """The states already published on this connection."""
        self._decision: Message | None = None
        self._guard = Lock()
        """Guards `_told`: notices come in one thread, new connections in another."""
        self._client: Client | None = None
        self._refusal = ""

    def knows(self, present: Present) -> None:
        """From now on asks kiosk-notify for the present conditions, because it keeps them across restarts."""
        self._present = present

    def check(self) -> None:
        """Starts to connect, in a thread of the library. Raises NotifierError when the library, the password or the
        certificates are missing."""
        try:
            import paho.mqtt.client  # noqa: F401, PLC0415 - lazy import: only this notifier needs it
        except ImportError as error:
            raise NotifierError("the mqtt notifier needs the package paho-mqtt: pip install paho-mqtt") from error
        self._client = self._connect()

    def notify(self, notice: Notice) -> None:
        """Raises NotifierError."""
        client, where = self._client, f"{self._options.host}:{self._port}"
        if client is None:
            raise NotifierError("the mqtt notifier was not checked, or is closed")
        if not client.is_connected():
            raise NotifierError(f"{where}: no connection to the broker" + (self._refusal and f": {self._refusal}"))
        with self._guard:
            self._conditions.take(notice)
            self._decision = (last := decision(self._topics, notice)) or self._decision
            sent = [
                _publish(client, m) for m in [*self._changed(), *([last] if last else []), news(self._topics, notice)]
            ]
        try:
            for info in sent:
                info.wait_for_publish(self._options.timeout)
            confirmed = all(info.is_published() for info in sent)
        except (ValueError, RuntimeError):
            confirmed = False
        if not confirmed:
            # The old client would keep its copies and send them in addition to those of the next try.
            self._hang_up(client)
            self._client = self._connect()
            raise NotifierError(f"{where}: the broker did not confirm a message")

    def close(self) -> None:
        """Never raises."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(ValueError, RuntimeError):
            if client.is_connected():
                _publish(client, availability(self._topics, online=False)).wait_for_publish(FAREWELL_SECONDS)
        self._hang_up(client)

    def _changed(self) -> list[Message]:
        """States that are not yet published on this connection."""
        now = self._present()
        change = {condition: on for condition, on in now.items() if (condition, on) not in self._told.items()}
        self._told = now
        return states(self._topics, change)

    def _connect(self) -> Client:
        """Makes a client that connects and reconnects by itself. Raises NotifierError."""
        from paho.mqtt.client import Client, MQTTv311  # noqa: PLC0415
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        options = self._options
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"kiosk-notify-{options.door}", protocol=MQTTv311)
        if options.username is not None:
            password = None if options.password_file is None else read_secret(options.password_file)
            client.username_pw_set(options.username, password)
        if options.tls:
            try:
                client.tls_set(ca_certs=None if options.ca_file is None else str(options.ca_file))
            except (OSError, ValueError) as error:
                raise NotifierError(f"{options.ca_file}: these certificates cannot be used: {error}") from error
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        will = availability(self._topics, online=False)
        client.will_set(will.topic, will.payload, QOS, will.retain)
        client.connect_async(options.host, self._port)
        client.loop_start()
        return client

    @staticmethod
    def _hang_up(client: Client) -> None:
        client.disconnect()
        client.loop_stop()

    def _not_connected(self, _client: Client, _userdata: Any) -> None:
        """Notes why. Runs in the library's thread while it handles the error, which it does not hand over."""
        error = sys.exc_info()[1]
        self._refusal = untrusted(error) or (str(error) if error is not None else "")

    def _connected(self, client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        """Publishes the configuration, the availability and all states. Runs in the library's thread at every new
        connection, because a restarted broker may have forgotten everything."""
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self._refusal = ""
        with self._guard:
            self._told = {}
            last = [self._decision] if self._decision else []
            for message in [*discovery(self._topics), *self._changed(), *last, availability(self._topics, online=True)]:
                _publish(client, message)


def _publish(client: Client, message: Message) -> Any:
    return client.publish(message.topic, message.payload, QOS, message.retain)
