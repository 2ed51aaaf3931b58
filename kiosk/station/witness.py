"""Tells kiosk-door which state the gallery is in, and hears whether the door has seen a later one. If so, somebody has
put an older gallery back (domain.door.witness), and it is not believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import structlog

from kiosk.domain.door.witness import MOST_EPOCHS, Disbelief
from kiosk.domain.errors import DoorError, GalleryError, NotAllowedError, TamperedError
from kiosk.ipc.client import Connection
from kiosk.ipc.door_messages import (
    DisbelievedMessage,
    RefusedMessage,
    WitnessedMessage,
    WitnessRequest,
    decode_answer,
    encode,
)
from kiosk.station.turns import turning
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.storage.sealed import SealedRows, generation_of
from kiosk.storage.vault import Vault
from kiosk.system.clock import boottime
from kiosk.system.health import Health

log = structlog.get_logger("kiosk")

ANSWER_SECONDS = 2.0
TURN_SECONDS = 0.5
_MEND = (
    "Nobody is let in. Put a backup back with kiosk restore; or, if this copy is wanted: sudo kiosk door forget-gallery"
)
DOUBTS = {
    Disbelief.OLDER: "the gallery is older than one that kiosk-door has seen: somebody has put an old copy back, with "
    f"whoever was removed or shut out since. {_MEND}",
    Disbelief.FORKED: "the gallery is another than the one that kiosk-door has seen at the same change: somebody has "
    f"put an old copy back and changed it. {_MEND}",
    Disbelief.TOO_MANY: f"kiosk-door has seen {MOST_EPOCHS} galleries or restores at this kiosk and remembers no more, "
    "so that none of them comes back unseen. Nobody is let in. If this gallery is wanted: sudo kiosk door "
    "forget-gallery",
    Disbelief.UNREADABLE: "kiosk-door cannot read which galleries it has seen (its journal names the file). Nobody is "
    "let in. Put the file right; or, if this gallery is wanted: sudo kiosk door forget-gallery",
}
"""What is said of a gallery that is not believed."""


class GalleryWitness:
    """Shows kiosk-door each new state of a gallery, for one thread."""

    def __init__(self, door: Path, home: Home, vault: Vault, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises GalleryError."""
        self._door = door
        self._store = open_database(home.database, check=False)
        self._rows = SealedRows(self._store, vault)
        self._sleep = sleep
        self._shown: int | None = None
        self.lost: str | None = None
        """Why this gallery must not be used any longer; None while the door believes it."""

    def show(self) -> None:
        """Shows the present state, unless the door knows it. Raises TamperedError when the door has seen a later one,
        DoorError when it does not answer, GalleryError."""
        while self._shown != generation_of(self._store):
            roster = self._store.snapshot(self._rows.roster)  # its number and the list are of one moment
            if not roster.epoch:
                return  # nobody was ever enrolled
            doubt = doubted(self._door, roster.epoch, roster.generation, roster.digest)
            if doubt is None:
                self._shown = roster.generation
            elif doubt is not Disbelief.OLDER or roster.generation == generation_of(self._store):
                raise TamperedError(DOUBTS[doubt])
            # else a command has changed the gallery meanwhile, and shown that first

    def turn(self) -> None:
        """Shows a new state, and pauses. Never raises: a door that does not answer lets nobody in, and is asked again.
        A gallery that the door does not believe is lost."""
        try:
            self.show()
        except TamperedError as error:
            self.lost = str(error)
        except (DoorError, GalleryError) as error:
            log.warning("gallery_not_shown", error=str(error))
        self._sleep(TURN_SECONDS)

    def close(self) -> None:
        """Closes the connection to the gallery."""
        self._store.close()


def doubted(door: Path, epoch: str, generation: int, digest: str | None = None) -> Disbelief | None:
    """Why kiosk-door does not believe this state; None if it does. Raises DoorError when it gives no answer,
    NotAllowedError when this user may not ask."""
    with closing(Connection(door)) as connection:
        connection.send(encode(WitnessRequest(epoch=epoch, generation=generation, digest=digest)))
        packet = connection.receive(boottime() + ANSWER_SECONDS)
    if packet is None:
        raise DoorError(f"kiosk-door has not answered within {ANSWER_SECONDS:g} s")
    match decode_answer(packet):
        case WitnessedMessage() as answer:
            return None if answer.believed else Disbelief.OLDER
        case DisbelievedMessage() as answer:
            return answer.why
        case RefusedMessage():
            raise NotAllowedError("this user may not show kiosk-door a gallery: [door] clients must name the kiosk's")
        case _:
            raise DoorError("kiosk-door gave an answer to something else")


@contextmanager
def shown(door: Path | None, home: Home, vault: Vault) -> Iterator[None]:
    """For a command that changes a gallery itself: shows its state before and afterwards. A door that is away, or does
    not listen to this user, is no hindrance: the kiosk shows the gallery when it starts. None: there is no door to ask.
    Raises TamperedError when the door does not believe this gallery, before anything is changed; GalleryError."""
    if door is None:
        yield
        return
    with closing(GalleryWitness(door, home, vault)) as witness:
        with suppress(DoorError):
            witness.show()
        try:
            yield
        finally:
            with suppress(DoorError):
                witness.show()


@contextmanager
def witnessed(door: Path, home: Home, vault: Vault, health: Health) -> Iterator[GalleryWitness]:
    """Shows the gallery to kiosk-door, and every later state of it until the block ends. Raises TamperedError when the
    door has seen a later state, DoorError, GalleryError."""
    with closing(GalleryWitness(door, home, vault)) as witness:
        witness.show()
        with turning("witness", witness.turn, lambda: None, health):
            yield witness
