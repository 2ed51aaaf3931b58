"""Starts what other ways in need, if any is configured: the reception, the badge reader, the reading of QR codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kiosk.config import Config
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.door.state import DoorStatus
from kiosk.domain.entry import Claim, Claimed, EntryRequest, Means, Ways
from kiosk.domain.face import Frame
from kiosk.domain.ids import new_id
from kiosk.domain.people import Subject
from kiosk.domain.ports.door import Door
from kiosk.domain.updates import Update
from kiosk.domain.verification import Told, Verification
from kiosk.station.access import Access
from kiosk.station.admission import Admission
from kiosk.station.alarm import SilentAlarm
from kiosk.station.reception import Reception
from kiosk.station.scanner import Scanner
from kiosk.station.turns import turning
from kiosk.storage.claims import Claims
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import Passes, PassVerdict
from kiosk.storage.pins import Checked, Pins
from kiosk.storage.vault import Vault
from kiosk.system.badge_reader import BadgeReader
from kiosk.system.clock import boottime
from kiosk.system.health import Health
from kiosk.vision import codes

log = structlog.get_logger("kiosk")


class GalleryPeople:
    """Implements station.admission.People. `gallery` is this object's alone; for one thread."""

    def __init__(self, gallery: Gallery, door: str) -> None:
        self._gallery = gallery
        self._door = door
        self._claims = Claims(gallery)
        self._pins = Pins(gallery)
        self._passes = Passes(gallery)

    def find(self, claim: Claim) -> str | None:
        """See People."""
        return self._claims.find(claim)

    def check(self, claim: str, subject_id: str | None, pin: str) -> Checked:
        """See People."""
        return self._pins.check(claim, subject_id, pin)

    def subject(self, subject_id: str) -> Subject | None:
        """See People."""
        return self._gallery.subject(subject_id)

    def use(self, text: str, now: datetime | None) -> PassVerdict:
        """See People."""
        return self._passes.use(text, self._door, now)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The running kiosk's other ways in. Without any, requests go nowhere."""

    ways: Ways
    ask: Callable[[EntryRequest], None]
    publish: Callable[[Update], None]
    """Tells everybody, the reception included."""
    scan: Callable[[Frame], None] | None = None
    """Takes frames in which somebody is, if QR codes are read."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the entrance needs of the running kiosk. `tell`: Pipeline.tell. `clock`, `largest_badge`: see
    station.pipeline.Pipeline. `status`: whether the lock is simulated."""

    tell: Callable[[Told], None]
    access: Access
    door: Door
    clock: Callable[[Evidence], Reason | None]
    largest_badge: int | None
    health: Health
    status: DoorStatus
    alarm: SilentAlarm


def face_alone(config: Config, unsafe: Callable[[], bool]) -> bool:
    """Whether a face alone may open the door. `unsafe`: whether the gallery is beyond the evidence."""
    verification = config.entry.verification
    return verification is not Verification.ALWAYS and not (verification is Verification.BEYOND and unsafe())


def log_alone(config: Config, simulated: bool) -> None:
    """Says at the start what may open the door without a face."""
    alone = config.entry.alone if config.entry.means else []
    if alone:
        (log.info if simulated else log.warning)("opens_without_a_face", by=alone, simulated=simulated)


@contextmanager
def receiving(
    config: Config, home: Home, vault: Vault, parts: Parts, publish: Callable[[Update], None]
) -> Iterator[Entrance]:
    """Runs the reception with a connection of its own to the gallery."""
    if not config.entry.means:
        yield Entrance(config.entry.ways, lambda _: None, publish)
        return
    log_alone(config, parts.status.simulated)
    with ExitStack() as stack:
        store = open_database(home.database, check=False)
        people = GalleryPeople(stack.enter_context(closing(Gallery(store, vault))), config.door.name)
        access, ready = parts.access, parts.door.ready
        admission = Admission(people, access, ready, publish, parts.clock, new_id, parts.largest_badge)
        reception = Reception(
            config.entry,
            people,
            admission,
            parts.tell,
            access.end_claim,
            publish,
            boottime,
            lambda: datetime.now(UTC),
            new_id,
            parts.alarm.forced,
        )
        scanner = Scanner(codes.read, reception.ask, lambda: reception.busy, reception.nudge)

        def turn() -> None:
            reception.turn()
            scanner.turn()

        def tell(update: Update) -> None:
            publish(update)
            reception.heard(update)

        stack.enter_context(turning("reception", turn, reception.nudge, parts.health))
        if config.entry.card_reader is not None:
            reader = BadgeReader(config.entry.card_reader, lambda text: reception.ask(_badge(text)), boottime)
            stack.enter_context(turning("badge-reader", reader.turn, reader.close, parts.health))
        yield Entrance(config.entry.ways, reception.ask, tell, scanner.offer if config.entry.qr else None)


def _badge(text: str) -> Claimed:
    return Claimed(Claim(Means.CARD, text))
