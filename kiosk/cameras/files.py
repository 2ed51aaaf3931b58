"""Files of pictures, opened so that none of them can hang, and refused by size before anything is decoded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.domain.errors import SampleError, os_trouble

MAX_PIXELS = 64 * 1024 * 1024
"""Of a picture, and of a clip's frame: 64 megapixels, more than any camera of a phone has by default."""


def too_many_pixels(name: str) -> SampleError:
    """Said of a picture or a clip."""
    return SampleError(f"{name}: more than {MAX_PIXELS >> 20} megapixels: make it smaller")


def looked_at(path: Path) -> os.stat_result:
    """What there is. Raises SampleError where there is nothing, or it may not be looked at."""
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise SampleError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise SampleError(os_trouble(error)) from error


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The descriptor of a file, for reading. Raises SampleError for a pipe or a device: they may never end."""
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
