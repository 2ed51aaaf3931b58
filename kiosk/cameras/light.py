"""What the configuration says of a camera's exposure, in the same words for each kind that can do it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Flicker = Literal[50, 60, "off", "auto"]
"""Lamps on 50 or 60 Hz mains flicker twice as fast; the exposure is kept to whole periods of it. "auto": the camera
finds out, where it can."""
Exposure = Literal["auto"] | Annotated[float, Field(ge=0.05, le=200)]
"""Milliseconds, or "auto": the camera measures."""


def too_long(exposure: Exposure | None, fps: float) -> str | None:
    """Why a frame cannot be exposed for so long at so many frames a second; None if it can."""
    if not isinstance(exposure, float) or exposure * fps <= 1000:
        return None
    return f"exposure = {exposure:g} ms is longer than a frame at fps = {fps:g}: make one of them smaller"
