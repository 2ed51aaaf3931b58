"""The kiosk's port for kiosk-door."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.door.grants import DoorReply, Grant


class Door(Protocol):
    """kiosk-door from the kiosk's side."""

    def ready(self) -> bool:
        """Whether the door process answers now. Never raises. Takes at most some tens of milliseconds."""

    def release(self, grant: Grant) -> DoorReply:
        """Sends a grant. Never raises: if the door does not answer, the result is DoorResult.UNAVAILABLE."""
