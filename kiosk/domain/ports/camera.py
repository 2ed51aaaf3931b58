"""The port for cameras."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kiosk.domain.face import Frame


class Camera(Protocol):
    """Delivers frames. `live` is False for a camera that does not show what is in front of the kiosk now (simulated,
    replay). Such a camera must never be used with a real lock."""

    live: bool

    def open(self) -> None:
        """Opens the camera, also again after close(). Raises CameraError."""

    def read(self, timeout: float) -> Frame:
        """The newest frame; waits at most `timeout` seconds for it. Raises CameraError if none arrives, EOFError at the
        end of a recording."""

    def close(self) -> None:
        """Never raises."""


@runtime_checkable
class Brightening(Protocol):
    """A camera that can be told to expose more than it would by itself."""

    def brighten(self, stops: float) -> None:
        """From one of the next frames on, so many stops more; 0: as by itself. For any thread. Never raises."""
