"""Notices that a kiosk's gallery was put back to an earlier state.

Every change of a gallery raises its generation, and a restored one begins a new epoch (storage.roster). Both are sealed
with the gallery's key, but a copy of the whole gallery file is sealed as well as the present one: put back by hand, it
brings back whoever was removed or shut out since. So kiosk-door, another user with another folder, keeps the newest
generation that it was told. It cannot tell whether a message is true. It need not: who only has an old copy can name
only an old generation, and only the kiosk's own user may tell it anything.

Who has an old copy and the key can change it until its generation is as high as before. So the kiosk also shows a
digest of the sealed list, which has a random mark of each change in it: at the same generation another digest is
another story. One that was changed once more than the real one is not told from a later state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_EPOCHS = 200
"""Epochs that are remembered. One more is refused: to forget the oldest would let its gallery come back."""


class Disbelief(StrEnum):
    """Why a gallery must not be used."""

    OLDER = "older"
    """A lower generation of the present epoch, or an epoch that another one has followed."""
    FORKED = "forked"
    """The generation that was seen last, and another list."""
    TOO_MANY = "too_many"
    """A new epoch, and there is no room to remember it: MOST_EPOCHS."""
    UNREADABLE = "unreadable"
    """What was seen before cannot be read."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What was told of one kiosk's gallery. `seen`: the newest generation of each epoch, in the order of their coming;
    the last one is the present epoch. `digest`: of the list of its newest generation; None if a kiosk of before has
    told it, which knows no digests."""

    seen: Mapping[str, int] = field(default_factory=dict)
    digest: str | None = None

    def take(self, epoch: str, generation: int, digest: str | None = None) -> Witness | Disbelief:
        """What is known then, or why this gallery is not believed. A new epoch is believed, because only who has the
        key can begin one."""
        present = next(reversed(list(self.seen)), None)
        if epoch == present:
            if generation < self.seen[epoch]:
                return Disbelief.OLDER
            if generation > self.seen[epoch]:
                return Witness({**self.seen, epoch: generation}, digest)
            if None not in {digest, self.digest} and digest != self.digest:
                return Disbelief.FORKED
            return Witness(self.seen, digest or self.digest)
        if epoch in self.seen:
            return Disbelief.OLDER
        if len(self.seen) >= MOST_EPOCHS:
            return Disbelief.TOO_MANY
        return Witness({**self.seen, epoch: generation}, digest)
