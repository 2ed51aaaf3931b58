"""The port behind which cameras lie."""

from __future__ import annotations

from typing import Protocol

from kiosk.domain.face import Frame


class Camera(Protocol):
    """Delivers frames. `live` is False for anything that does not show what stands in front of the kiosk now
    (simulated, replay): such a camera never meets a real lock."""

    live: bool

    def open(self) -> None:
        """Raises CameraError. May be called again after close()."""

    def read(self, timeout: float) -> Frame:
        """The newest frame, waiting at most `timeout` seconds. Raises CameraError when none came, EOFError when a
        recording is at its end."""

    def close(self) -> None:
        """Never raises."""
