"""What the configuration says of a camera's picture and exposure, in the same words for each kind that can do it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Flicker = Literal[50, 60, "off", "auto"]
"""Lamps on 50 or 60 Hz mains flicker twice as fast; the exposure is kept to whole periods of it. "auto": the camera
finds out, where it can."""
Exposure = Literal["auto"] | Annotated[float, Field(ge=0.05, le=200)]
"""Milliseconds, or "auto": the camera measures."""
Width = Annotated[int, Field(ge=320, le=3840)]
Height = Annotated[int, Field(ge=240, le=2160)]
"""Pixels."""


class PictureOptions(BaseModel):
    """What a camera is asked for. The base of the options of each kind that can do it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Width = 640
    height: Height = 480
    fps: Annotated[float, Field(ge=1, le=60)] = 30.0
    flicker: Flicker | None = None
    exposure: Exposure | None = None
    """None: as the camera has it."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """A frame cannot be exposed for longer than it lasts."""
        if isinstance(self.exposure, float) and self.exposure * self.fps > 1000:
            said = f"exposure = {self.exposure:g} ms is longer than a frame at fps = {self.fps:g}"
            raise ValueError(f"{said}: make one of them smaller")
        return self
