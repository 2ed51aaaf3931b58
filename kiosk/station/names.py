"""Names of subjects, for the window and the console."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject


class Directory(Protocol):
    """The method of storage.gallery.Gallery that Names uses."""

    def subject(self, subject_id: str) -> Subject | None:
        """The subject as enrolled now. Raises GalleryError."""


class Names:
    """Looks up names, for several threads. If a name cannot be read it gives None, because no decision depends on a
    name."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._directory: Directory | None = None

    def open(self, directory: Directory) -> None:
        """From now on looks names up in `directory`, which nothing else may use."""
        with self._lock:
            self._directory = directory

    def close(self) -> None:
        """From now on gives no names."""
        with self._lock:
            self._directory = None

    def __call__(self, subject_id: str) -> str | None:
        """The subject's name; None if it is unknown."""
        with self._lock:
            if self._directory is None:
                return None
            try:
                subject = self._directory.subject(subject_id)
            except GalleryError:
                return None
        return subject.name if subject else None
