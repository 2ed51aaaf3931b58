"""The port behind which kiosk-door lies, as the kiosk sees it."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.door.grants import DoorReply, Grant


class Door(Protocol):
    """kiosk-door as the kiosk sees it."""

    def ready(self) -> bool:
        """Whether the door process answers now. Never raises, takes at most some tens of milliseconds."""

    def release(self, grant: Grant) -> DoorReply:
        """Sends a grant. Never raises: a door that does not answer is DoorResult.UNAVAILABLE."""
