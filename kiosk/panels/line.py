"""A serial line to a panel over RS-485. Its calls never block."""

from __future__ import annotations

import fcntl
import os
import termios
import tty
from contextlib import suppress

from kiosk.domain.errors import LockError
from kiosk.system.files import lock


class Line:
    """A serial line with the methods that libosdp expects of a channel. They never block, and never raise, because C
    code calls them."""

    id = 0

    def __init__(self, device: str, baud: int) -> None:
        """Raises LockError."""
        self.answered = False
        self.error = ""
        try:
            self.fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise LockError(
                f"{device}: the line to the panel cannot be opened ({error.strerror}): check `device`, the cable, and "
                "that this user may use it (group dialout)"
            ) from error
        try:
            lock(self.fd)
            _set_up(self.fd, baud)
        except BlockingIOError as error:
            self.close()
            raise LockError(f"{device}: another program has the line to the panel: stop it first") from error
        except (OSError, termios.error) as error:
            self.close()
            raise LockError(f"{device}: this is no serial line of {baud} baud: {error}") from error

    def read(self, most: int) -> bytes:
        """The bytes received so far, at most `most`. Sets `error` when the line has failed."""
        try:
            data = os.read(self.fd, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            self.error = str(error)
            return b""
        if not data:
            self.error = "the line was hung up"
        return data

    def write(self, data: bytes) -> int:
        """Sends an answer. Sets `error` unless all of it was sent."""
        self.answered = True
        try:
            sent = os.write(self.fd, data)
        except OSError as error:
            self.error = str(error)
            return 0
        if sent != len(data):
            self.error = "the line takes no more"
        return sent

    def flush(self) -> None:
        """Does nothing: there is no buffer."""

    def close(self) -> None:
        """Never raises."""
        with suppress(OSError):
            fcntl.ioctl(self.fd, termios.TIOCNXCL)
        os.close(self.fd)


def _set_up(fd: int, baud: int) -> None:
    """Sets raw bytes, 8N1, no handshake and exclusive use. Raises OSError, termios.error."""
    speed = getattr(termios, f"B{baud}")
    tty.setraw(fd)
    iflag, oflag, cflag, lflag, _, _, cc = termios.tcgetattr(fd)
    cflag = (cflag | termios.CLOCAL | termios.CREAD) & ~(termios.CSTOPB | termios.CRTSCTS)
    termios.tcsetattr(fd, termios.TCSANOW, [iflag, oflag, cflag, lflag, speed, speed, cc])
    termios.tcflush(fd, termios.TCIOFLUSH)
    fcntl.ioctl(fd, termios.TIOCEXCL)
