"""Stores a lockdown across restarts."""

from __future__ import annotations

from pathlib import Path

from kiosk.system.files import sync


class LockdownFile:
    """Stores a lockdown across restarts. There is a lockdown while the file exists, or if that cannot be found out."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lockdown"

    @property
    def on(self) -> bool:
        """Whether there is a lockdown, read from the disk."""
        try:
            self._path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def set(self, on: bool) -> None:
        """Begins or ends a lockdown. It is on disk when this returns. Raises OSError."""
        if on:
            self._path.touch(mode=0o600)
        else:
            self._path.unlink(missing_ok=True)
        sync(self._path.parent)
