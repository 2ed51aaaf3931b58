"""What every section of the configuration is, and the kinds of value that several of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


def _named(path: Path) -> Path:
    if path.name in {"", ".."}:
        raise ValueError(f"{str(path)!r} is no path of a file")
    return path


FilePath = Annotated[Path, AfterValidator(_named)]
"""The path of a file or socket, which others are made beside."""


class Section(BaseModel):
    """A part of the file. It is frozen and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PluginSection(BaseModel):
    """A part whose further keys belong to the plug-in `kind`. The plug-in's Options refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    def options(self) -> dict[str, object]:
        """The plug-in's own keys."""
        return dict(self.model_extra or {})
