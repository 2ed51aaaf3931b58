"""The section of the configuration about the screen: how large it is, who reads it from where, in which languages."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from kiosk.section import Section

Language = Annotated[str, Field(pattern="^[a-z]{2}$")]
"""A code of ISO 639-1."""


class ScreenConfig(Section):
    """[screen]: sizes of letters and keys are computed from these millimetres (gui.sizes)."""

    diagonal_mm: Annotated[float, Field(ge=50, le=2500)] = 178.0
    """Of the visible area, from corner to corner. 178 mm are 7 inches."""
    distance_mm: Annotated[float, Field(ge=300, le=5000)] = 1500.0
    """How far away people are who read the instruction."""
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=8)] = ("en",)
    """The first is the one that the screen begins with. A visitor can choose each of the others."""
    large: bool = False
    """Whether all letters are a quarter larger."""
    low: bool = False
    """Whether picture and keys are at the bottom of the screen, for people who sit."""
    privacy: Annotated[str, Field(max_length=200)] = ""
    """The operator's privacy notice. Empty: "No pictures are stored.", in the screen's language."""
    second_light: bool = False
    """Whether somebody who is let in is asked, once, to have more pictures taken in this light."""
    sounds: bool = True
    """Whether a tone is played when somebody is let in, and another one when not."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages: each only once")
        return self
