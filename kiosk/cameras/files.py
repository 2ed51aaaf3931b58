"""Opens files of pictures and clips so that no file can block the process, and limits the size of pictures."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.domain.errors import SampleError, os_trouble

MAX_PIXELS = 64 * 1024 * 1024
"""Largest picture or frame of a clip: 64 megapixels, more than any phone's camera gives by default."""


def too_many_pixels(name: str) -> SampleError:
    """The error for a picture or a clip with more than MAX_PIXELS."""
    return SampleError(f"{name}: more than {MAX_PIXELS >> 20} megapixels: make it smaller")


def stat_of(path: Path) -> os.stat_result:
    """The stat result of a file or folder. Raises SampleError if it is missing or may not be accessed."""
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise SampleError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise SampleError(os_trouble(error)) from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Opens a file for reading and yields its descriptor. Raises SampleError for a pipe or a device, because reading
    them may never end."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise SampleError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise SampleError(os_trouble(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise SampleError(f"{path}: this is no file: a pipe, a device or a folder cannot be read as one")
        yield file
    finally:
        os.close(file)
