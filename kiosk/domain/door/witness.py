"""Notices that a kiosk's gallery was put back to an earlier state.

Every change of a gallery raises its generation, and a restored one begins a new epoch (storage.roster). Both are sealed
with the gallery's key, but a copy of the whole gallery file is sealed as well as the present one: put back by hand, it
brings back whoever was removed or shut out since. So kiosk-door, another user with another folder, keeps the newest
generation that it was told. It cannot tell whether a message is true. It need not: who only has an old copy can name
only an old generation, and only the kiosk's own user may tell it anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_EPOCHS = 200
"""Epochs that are remembered. One more is refused: to forget the oldest would let its gallery come back."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What was told of one kiosk's gallery. `seen`: the newest generation of each epoch, in the order of their coming;
    the last one is the present epoch."""

    seen: Mapping[str, int] = field(default_factory=dict)

    def take(self, epoch: str, generation: int) -> Witness | None:
        """What is known then; None if this gallery is older than one that was seen: a lower generation of the present
        epoch, or an epoch that another one has followed. A new epoch is believed, because only who has the key can
        begin one."""
        present = next(reversed(list(self.seen)), None)
        if epoch == present:
            return Witness({**self.seen, epoch: generation}) if generation >= self.seen[epoch] else None
        if epoch in self.seen or len(self.seen) >= MOST_EPOCHS:
            return None
        return Witness({**self.seen, epoch: generation})
