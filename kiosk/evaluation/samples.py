"""Reads pictures of a research set from a folder, at any depth, or directly from a tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from kiosk.cameras.sources import PICTURES, decode
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Image


class Samples(Protocol):
    """Files by name. The names are paths with slashes, in the order that is fastest to read."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """The content of a file. Raises SampleError when it cannot be read."""


class FolderSamples:
    """All files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())

    def read(self, name: str) -> bytes:
        """The content of a file. Raises SampleError when it cannot be read."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise SampleError(f"{self._root / name}: cannot be read ({error.strerror})") from error


class TarSamples:
    """All files of an open tar."""

    def __init__(self, archive: tarfile.TarFile, path: Path) -> None:
        """Raises SampleError for a damaged archive."""
        self._archive = archive
        self._path = path
        try:
            self._members = {m.name: m for m in archive.getmembers() if m.isfile()}
        except (tarfile.TarError, OSError, EOFError) as error:
            raise SampleError(f"{path}: the archive is damaged ({error}); fetch it again") from error
        self.names = list(self._members)

    def read(self, name: str) -> bytes:
        """The content of a file. Raises SampleError when it is missing or cut off."""
        member = self._members.get(name)
        if member is None:
            raise SampleError(f"{self._path}: there is no {name} in it")
        try:
            content = self._archive.extractfile(member)
            return content.read() if content else b""
        except (tarfile.TarError, OSError, EOFError) as error:
            raise SampleError(f"{self._path}: {name} is damaged ({error}); fetch the archive again") from error


@contextmanager
def open_samples(root: Path) -> Iterator[Samples]:
    """Opens a folder or a tar. Raises SampleError for anything else."""
    if root.is_dir():
        yield FolderSamples(root)
        return
    try:
        archive = tarfile.open(root)  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise SampleError(f"{root}: there is no such folder or tar") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SampleError(f"{root}: neither a folder nor a tar that can be read") from error
    with archive:
        yield TarSamples(archive, root)


def pictures(samples: Samples) -> list[str]:
    """The names of the pictures among the files."""
    return [n for n in samples.names if PurePosixPath(n).suffix.lower() in PICTURES]


def read_image(samples: Samples, name: str) -> Image:
    """Reads and decodes a picture. Raises SampleError for a file that is no picture."""
    return decode(samples.read(name), name)
