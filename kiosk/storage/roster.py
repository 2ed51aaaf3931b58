"""The roster: which subjects are enrolled, and the version of each one's record.

Every value in the gallery is sealed by itself (storage.vault). Sealed values cannot be forged, but an old one could be
put back: that of a removed subject, or of somebody's longer validity. The roster is one sealed value that names the
subjects and the version of each record, and is written anew with each change. So only the whole gallery can be put back
to an older state, and its generation tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kiosk.domain.errors import TamperedError
from kiosk.storage.vault import Vault

_BOUND = "the roster"


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is enrolled. `generation` grows by one with each change. `epoch` is a random name that a new gallery gets,
    and a restored one: within one epoch the generation never falls."""

    epoch: str
    generation: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    demonstration: bool = False
    erased: Mapping[str, str] = field(default_factory=dict)
    """Who was erased, and when (database.to_text). Whoever is in it must not come back from a backup."""
    turning: int = 0
    """Version of the matrix that the templates are turned by (storage.turning): the change that made it. 0 for a
    gallery of before, whose templates are not turned."""
    mark: str = ""
    """Random, another one with each change: two copies that were both changed are told from each other by it, also
    where they list the same. Empty in a gallery of before until its next change."""

    def with_subject(self, subject_id: str) -> Roster:
        """The next generation, in which this subject's record is new. Its version is the generation, so that it never
        comes again."""
        generation = self.generation + 1
        return replace(self, generation=generation, versions={**self.versions, subject_id: generation})

    def without(self, subject_id: str, at: str) -> Roster:
        """The next generation, without this subject, who is listed as erased at this time."""
        rest = {known: version for known, version in self.versions.items() if known != subject_id}
        return replace(self, generation=self.generation + 1, versions=rest, erased={**self.erased, subject_id: at})

    def with_erased(self, erased: Mapping[str, str]) -> Roster:
        """The next generation, in which these are listed as erased, too."""
        return replace(self, generation=self.generation + 1, erased={**erased, **self.erased})

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, hexadecimal. The same however it is sealed."""
        value = [*self._value[:3], sorted(self.versions.items()), sorted(self.erased.items()), self.turning, self.mark]
        return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()

    def seal(self, vault: Vault) -> bytes:
        """The roster as it is stored."""
        return vault.wrap(json.dumps(self._value, separators=(",", ":")).encode(), _BOUND)

    @property
    def _value(self) -> list[Any]:
        known = dict(self.versions), dict(self.erased)
        return [self.epoch, self.generation, self.demonstration, *known, self.turning, self.mark]


def unsealed(blob: object, vault: Vault) -> Roster:
    """The inverse of `Roster.seal`. Raises TamperedError."""
    epoch, generation, demonstration, versions, *more = json.loads(vault.unwrap(blob, _BOUND))
    erased = more[0] if more else {}  # earlier kiosks had neither this
    turning = more[1] if len(more) > 1 else 0  # nor this
    mark = str(more[2]) if len(more) > 2 else ""  # nor this
    if not isinstance(versions, dict) or not isinstance(generation, int) or not isinstance(turning, int):
        raise TamperedError(f"{_BOUND} was damaged or altered")
    return Roster(str(epoch), generation, versions, bool(demonstration), erased, turning, mark)
