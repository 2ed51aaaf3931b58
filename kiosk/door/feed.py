"""Serves the door's event socket: sends each subscriber the events that it has not acknowledged, in order."""

from __future__ import annotations

import selectors
import socket
from dataclasses import dataclass
from itertools import islice

from kiosk.domain.door.roles import AUDIT, NOTIFY, Users
from kiosk.domain.errors import DoorError
from kiosk.door.spool import Spool
from kiosk.ipc.door_event_messages import WINDOW, DoorEventMessage, SubscribeRequest, decode_subscriber
from kiosk.ipc.limits import Limits
from kiosk.ipc.server import Client, Clients

MAX_SUBSCRIBERS = 8
"""Most connections of each user."""


@dataclass(slots=True)
class _Subscription:
    client: Client
    name: str | None
    acknowledged: int
    sent: int


class Feed:
    """Serves subscribers from the spool. A slow subscriber gets no more events than its window, and delays nobody."""

    def __init__(
        self,
        spool: Spool,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        users: Users,
        limits: Limits,
    ) -> None:
        self._spool = spool
        self._users = users
        self._subscriptions: dict[int, _Subscription] = {}
        self._clients = Clients(listener, selector, users.listening, MAX_SUBSCRIBERS, limits, self._handle, self._gone)
        selector.register(spool, selectors.EVENT_READ, self._more)

    def close(self) -> None:
        """Ends all connections."""
        self._clients.close()

    def _handle(self, client: Client, packet: bytes) -> None:
        request = decode_subscriber(packet)
        subscription = self._subscriptions.get(client.number)
        if isinstance(request, SubscribeRequest):
            if subscription is not None:
                raise DoorError("it has subscribed already")
            name = request.subscriber
            begin = self._spool.last if name is None else self._subscribe(client.uid, name)
            subscription = _Subscription(client, name, begin, begin)
            self._subscriptions[client.number] = subscription
        elif subscription is None:
            raise DoorError("it has not subscribed")
        else:
            self._acknowledge(subscription, request.sequence)
        self._offer(subscription)

    def _subscribe(self, uid: int, name: str) -> int:
        """The last number acknowledged under this name. Raises DoorError for another user's name, because an
        acknowledgement under that name would hide events from that user."""
        if not self._users.may_be_called(uid, name):
            raise DoorError(f"the name {name} belongs to another user")
        return self._spool.subscribe(name, None if name in {AUDIT, NOTIFY} else uid)

    def _acknowledge(self, subscription: _Subscription, sequence: int) -> None:
        if sequence > subscription.sent:
            raise DoorError("what was not sent cannot be acknowledged")
        subscription.acknowledged = max(subscription.acknowledged, sequence)
        if subscription.name is not None:
            self._spool.acknowledge(subscription.name, sequence)

    def _more(self) -> None:
        self._spool.take_progress()
        for subscription in list(self._subscriptions.values()):
            self._offer(subscription)

    def _offer(self, subscription: _Subscription) -> None:
        """Sends events until WINDOW of them are not acknowledged."""
        for event in islice(self._spool.after(subscription.acknowledged), WINDOW):
            if event.sequence > subscription.sent:
                if not self._clients.send(subscription.client, DoorEventMessage.of(event)):
                    return
                subscription.sent = event.sequence

    def _gone(self, client: Client) -> None:
        self._subscriptions.pop(client.number, None)
