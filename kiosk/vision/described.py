"""Makes the manifest entry of a network to install, from its description."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kiosk.config import explain
from kiosk.domain.errors import ModelError
from kiosk.vision.manifest import AnyEntry
from kiosk.vision.model_files import read_toml

MADE_HERE = ("file", "model_id")
IDENTITY = frozenset({"input", "dimension", "template_scale", "mirrored", "context", "bona_fide_class", "decoder"})
"""The keys, besides the file, on which the network's output depends."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_ENTRY: TypeAdapter[AnyEntry] = TypeAdapter(AnyEntry)


@dataclass(frozen=True, slots=True)
class Description:
    """The description of a network without its file: the keys of a manifest's [[model]], without `file` and `model_id`.
    `sha256` may be missing. `source`: where the description comes from."""

    source: str
    keys: Mapping[str, object]

    def sha256(self) -> str | None:
        """The hash that the file must have; None if the description does not state it."""
        said = self.keys.get("sha256")
        return said if isinstance(said, str) else None

    def entry(self, sha256: str, name: str | None = None) -> AnyEntry:
        """The entry for a file with this hash, under another `name` if one is given. Raises ModelError for missing or
        wrong keys, or another hash.

        The model_id ends in a hash of the file and of everything else on which the network's output depends, so that
        references with another output are never compared with its own.
        """
        if self.sha256() not in {None, sha256}:
            raise ModelError(f"{self.source}: the file is another one than it describes: its sha256 is {sha256}")
        first = self._valid({**self.keys, "sha256": sha256, "file": "-", "model_id": "-"})
        for said in (first.name, name or first.name):
            if not NAME.fullmatch(said):
                raise ModelError(f"{self.source}: name {said!r}: up to 40 small letters, digits, points and dashes")
        # A missing key does not count in the hash, so that a network described before the key existed keeps its
        # model_id.
        facts = {"sha256": sha256, **first.model_dump(mode="json", include=set(IDENTITY))}
        if not facts.get("mirrored"):
            facts.pop("mirrored", None)
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        model_id = f"{first.name}-{digest}"
        return first.model_copy(update={"name": name or first.name, "model_id": model_id, "file": f"{model_id}.onnx"})

    def _valid(self, keys: Mapping[str, object]) -> AnyEntry:
        made = next((k for k in MADE_HERE if k in self.keys), None)
        if made is not None:
            raise ModelError(f"{self.source}: {made}: leave it out, it is made by the installer")
        own = next((k for k in ("cohort", "evidence") if k in self.keys), None)
        if own is not None:
            raise ModelError(f"{self.source}: {own}: leave it out, only the program's own networks have one")
        try:
            return _ENTRY.validate_python(keys)
        except ValidationError as error:
            raise ModelError(f"{self.source}: {explain(error)}") from error


def read(path: Path) -> Description:
    """Reads a description from a TOML file. Raises ModelError."""
    try:
        return Description(str(path), read_toml(path))
    except OSError as error:
        raise ModelError(f"{path}: the description of the network cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{path}: not valid TOML: {error}") from error
