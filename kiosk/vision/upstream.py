"""Known networks of other authors: their addresses, hashes and manifest entries."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kiosk.vision.described import Description

TABLE = Path(__file__).with_name("upstream.toml")


class Upstream(BaseModel):
    """A file with its public address and its size in bytes. `published`: the threshold that its authors state, only for
    people to read; the kiosk never uses it. `entry`: its keys in a manifest, except those that the installer makes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, Field(pattern=r"^https://")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0)]
    published: str
    entry: dict[str, object]

    @property
    def name(self) -> str:
        """The default name."""
        return str(self.entry["name"])

    def described(self) -> Description:
        """The description for the installer."""
        return Description(f"the known network {self.name}", {**self.entry, "sha256": self.sha256})


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: tuple[Upstream, ...]


def known() -> tuple[Upstream, ...]:
    """All known networks."""
    return _Table.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8"))).model


def by_hash(sha256: str) -> Upstream | None:
    """The known network with this hash, or None."""
    return next((u for u in known() if u.sha256 == sha256), None)


def called(text: str) -> Upstream | None:
    """The known network with this name or address, or None."""
    return next((u for u in known() if text in {u.name, u.address}), None)
