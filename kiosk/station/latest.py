"""The newest frame, and nothing older: size one, overwritten."""

from __future__ import annotations

from threading import Condition

from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame


class LatestFrame:
    """Handed from the camera thread to the pipeline thread. A frame is given once."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._fault: str | None = None
        self._ended = False
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        """Overwrites a frame that nobody took."""
        with self._changed:
            self.dropped += self._frame is not None
            self._frame, self._fault = frame, None
            self._changed.notify_all()

    def wait_taken(self, timeout: float) -> None:
        """Until the frame put last has been taken, or `timeout` seconds: for a recording, of which nothing is to be
        missed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is None, timeout)

    def fail(self, message: str) -> None:
        """The camera delivers nothing: a frame not yet taken is void."""
        with self._changed:
            self._frame, self._fault = None, message
            self._changed.notify_all()

    def end(self) -> None:
        """No more frames will come; one not yet taken still may be."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self, timeout: float) -> Frame:
        """The newest frame. Raises CameraError when the camera failed or none came in time, EOFError at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._fault or self._ended, timeout)
            if self._frame is not None:
                frame, self._frame = self._frame, None
                self._changed.notify_all()
                return frame
            if self._fault is not None:
                # Told once; while nothing changes, the next call waits again and then says that none came.
                message, self._fault = self._fault, None
                raise CameraError(message)
            if self._ended:
                raise EOFError
            raise CameraError(f"no frame for {timeout:g} s")
