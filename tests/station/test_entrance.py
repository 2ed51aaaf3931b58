"""What is started for other ways in, and what a face alone may do beside them. The whole of it runs in
faults/test_entry_faults.py."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from kiosk.config import Config
from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.door.state import DoorState, DoorStatus
from kiosk.domain.entry import Claim, Claimed, Means, PinTyped, Step
from kiosk.domain.updates import Decided, EntryChanged, Update
from kiosk.domain.verification import Verification
from kiosk.station.access import Access
from kiosk.station.alarm import SilentAlarm
from kiosk.station.entrance import GalleryPeople, Parts, face_alone, log_alone, receiving
from kiosk.storage import pins
from kiosk.storage.claims import set_number
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.pins import Verdict, set_pin
from kiosk.system.clock import boottime
from kiosk.system.health import Health
from kiosk.ways import EntryConfig
from tests.storage.conftest import a_reference

NUMBER, PIN = "4711", "739154"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def enrolled(gallery: Gallery) -> str:
    subject_id = gallery.add_subject("Ada Lovelace", [a_reference(1)]).id
    set_number(gallery, subject_id, NUMBER)
    set_pin(gallery, subject_id, PIN)
    return subject_id


class World:
    """A log and a door that do as they should."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        self.access = Access(self, self, 1.5, boottime)

    def append(self, records: object) -> None:
        """As if it were on disk."""

    def ready(self) -> bool:
        return True

    def release(self, grant: Grant) -> DoorReply:
        self.grants.append(grant)
        return DoorReply(grant.id, DoorResult.RELEASED)

    def parts(self, health: Health) -> Parts:
        alarm = SilentAlarm(self.access, lambda _: None, lambda: datetime.now(UTC))
        status = DoorStatus(DoorState.SECURED, simulated=True, started_at=0.0)
        return Parts(lambda _: None, self.access, self, lambda _: None, None, health, status, alarm)


def test_without_other_ways_nothing_is_started(home: Home) -> None:
    told: list[Update] = []
    health = Health(time.monotonic)
    with closing(open_gallery(home)) as gallery:
        before = threading.active_count()
        with receiving(Config(), home, gallery.vault, World().parts(health), told.append) as entrance:
            assert threading.active_count() == before
            entrance.ask(PinTyped(PIN))
            assert (entrance.ways.means, entrance.scan) == (frozenset(), None)
            assert told == []


def test_a_number_and_a_pin_in_a_thread_of_its_own_that_beats(home: Home) -> None:
    world, health, told = World(), Health(time.monotonic), list[Update]()
    over = threading.Event()
    asked = threading.Event()

    def publish(update: Update) -> None:
        told.append(update)
        if isinstance(update, EntryChanged):
            {Step.PIN: asked, Step.OVER: over}.get(update.step, threading.Event()).set()

    config = Config(entry=EntryConfig(number=True, look_seconds=0.0))
    with closing(open_gallery(home)) as gallery:
        subject_id = enrolled(gallery)
        with receiving(config, home, gallery.vault, world.parts(health), publish) as entrance:
            entrance.ask(Claimed(Claim(Means.NUMBER, NUMBER)))
            assert asked.wait(30)
            entrance.ask(PinTyped(PIN))
            assert over.wait(30)
            assert "reception" in health._beats
        assert [t.name for t in threading.enumerate() if t.name == "reception"] == []
    (decision,) = [u.decision for u in told if isinstance(u, Decided)]
    assert (decision.granted, decision.subject_id) == (True, subject_id)
    assert len(world.grants) == 1


def test_the_gallery_answers_for_numbers_pins_and_people(home: Home) -> None:
    with closing(open_gallery(home)) as gallery:
        subject_id = enrolled(gallery)
        people = GalleryPeople(gallery, "main")
        assert people.find(Claim(Means.NUMBER, NUMBER)) == subject_id
        assert people.find(Claim(Means.CARD, NUMBER)) is None
        assert people.check(NUMBER, subject_id, PIN).verdict is Verdict.RIGHT
        found = people.subject(subject_id)
        assert found is not None
        assert found.name == "Ada Lovelace"
        assert not people.use("KP1AAAA", datetime.now(UTC)).good


@pytest.mark.parametrize(
    ("verification", "unsafe", "enough"),
    [
        (Verification.SUBJECT, False, True),
        (Verification.SUBJECT, True, True),
        (Verification.BEYOND, False, True),
        (Verification.BEYOND, True, False),
        (Verification.ALWAYS, False, False),
        (Verification.ALWAYS, True, False),
    ],
)
def test_where_a_face_alone_is_enough(verification: Verification, unsafe: bool, enough: bool) -> None:
    config = Config(entry=EntryConfig(number=True, verification=verification))
    assert face_alone(config, lambda: unsafe) is enough


@pytest.mark.parametrize(
    ("entry", "simulated", "told"),
    [
        ({}, False, []),
        ({"number": True, "pin": False}, False, []),
        ({"number": True}, False, [("warning", ["pin"])]),
        ({"number": True}, True, [("info", ["pin"])]),
        ({"qr": True, "qr_alone": True, "passes": True}, False, [("warning", ["qr_alone", "passes"])]),
    ],
)
def test_the_log_of_the_start_says_what_opens_without_a_face(
    entry: dict[str, Any], simulated: bool, told: list[tuple[str, list[str]]]
) -> None:
    with structlog.testing.capture_logs() as lines:
        log_alone(Config(entry=EntryConfig(**entry)), simulated)
    assert [(line["log_level"], line["by"]) for line in lines] == told
