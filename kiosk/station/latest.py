"""A buffer for only the newest frame. A new frame overwrites the old one."""

from __future__ import annotations

from threading import Condition

from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame


class LatestFrame:
    """Hands frames from the camera thread to the pipeline thread. It gives each frame at most once."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._fault: str | None = None
        self._ended = False
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        """Stores a frame. It overwrites a frame that was not taken."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame, self._fault = frame, None
            self._changed.notify_all()

    def wait_taken(self, timeout: float) -> None:
        """Waits until the last frame is taken, at most `timeout` seconds. For a recording, where no frame may be
        missed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is None, timeout)

    def fail(self, message: str) -> None:
        """Notes that the camera has failed. A frame that is not yet taken is dropped."""
        with self._changed:
            self._frame, self._fault = None, message
            self._changed.notify_all()

    def end(self) -> None:
        """Notes that no more frames will come. A stored frame can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, timeout: float) -> Frame:
        """The newest frame. Raises CameraError when the camera failed or no frame came in time, EOFError at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._fault or self._ended, timeout)
            if self._frame is not None:
                frame, self._frame = self._frame, None
                self._changed.notify_all()
                return frame
            if self._fault is not None:
                # Reported once. If nothing changes, the next call waits again and then reports that no frame came.
                message, self._fault = self._fault, None
                raise CameraError(message)
            if self._ended:
                raise EOFError
            raise CameraError(f"no frame for {timeout:g} s")
