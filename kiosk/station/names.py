"""Names of subjects, for people who look at the window or the console."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject


class Directory(Protocol):
    """What is needed of storage.gallery.Gallery."""

    def subject(self, subject_id: str) -> Subject | None:
        """As enrolled now. Raises GalleryError."""


class Names:
    """Called from several threads. A name that cannot be read is no name: it decides nothing."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._directory: Directory | None = None

    def open(self, directory: Directory) -> None:
        """From now on names are known. `directory` is used by nobody else."""
        with self._lock:
            self._directory = directory

    def close(self) -> None:
        """From now on no name is known."""
        with self._lock:
            self._directory = None

    def __call__(self, subject_id: str) -> str | None:
        """None for nobody."""
        with self._lock:
            if self._directory is None:
                return None
            try:
                subject = self._directory.subject(subject_id)
            except GalleryError:
                return None
        return subject.name if subject else None
