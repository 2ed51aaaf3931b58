"""A recorded clip or folder as a camera: every frame, in the recording's own time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from kiosk.cameras.sources import Still, stills
from kiosk.domain.errors import CameraError, SampleError
from kiosk.domain.types import Frame


class ReplayOptions(BaseModel):
    """[camera] kind = "replay"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path


class ReplayCamera:
    """Deterministic: `captured_at` counts from the recording's begin, whatever the time now. Raises EOFError at its
    end. It shows nobody who stands at a door now, and so never meets a real lock."""

    live = False
    Options: ClassVar[type[ReplayOptions]] = ReplayOptions

    def __init__(self, options: ReplayOptions) -> None:
        self._options = options
        self._stills: Iterator[Still] | None = None
        self._begin = datetime.now(UTC)

    def open(self) -> None:
        """Raises CameraError when there is no such recording."""
        if not self._options.source.exists():
            raise CameraError(f"{self._options.source}: there is no such recording")
        self._stills = stills(self._options.source)

    def read(self, timeout: float) -> Frame:
        """Raises CameraError for a damaged recording, EOFError at its end."""
        if self._stills is None:
            raise CameraError("the recording is not open")
        try:
            still = next(self._stills)
        except StopIteration:
            raise EOFError from None
        except SampleError as error:
            raise CameraError(str(error)) from error
        return Frame(still.image, still.number, still.at, self._begin + timedelta(seconds=still.at))

    def close(self) -> None:
        """Never raises."""
        self._stills = None
