"""Staff mode with its thread and its own connection, as the running kiosk starts it."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from kiosk.config import Config
from kiosk.domain.door.state import DoorState
from kiosk.domain.ports.gallery import Matcher
from kiosk.domain.staff_views import Closed, LookHere, Problem, StaffView
from kiosk.domain.staffing import SignIn, SignOut
from kiosk.domain.updates import DoorChanged, StaffChanged, Update
from kiosk.station.staff_room import StaffRoom, staffed
from kiosk.station.stages import Stages
from kiosk.storage.home import Home
from kiosk.vision.models import Models
from tests.station.booths import Camera
from tests.station.staff_site import MEASURE, NUMBER, PIN, POINTS, site

PATIENCE = 30.0


class Running:
    """A room, and what it says."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self.room: StaffRoom

    def view(self) -> StaffView:
        while True:
            update = self.said.get(timeout=PATIENCE)
            if isinstance(update, StaffChanged):
                return update.view


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    scripted = Camera()
    entry = SimpleNamespace(model_id=MEASURE.model_id, dimension=MEASURE.dimension, operating_points=lambda: POINTS)
    models = cast(
        "Models", SimpleNamespace(embedder_entry=entry, measure=MEASURE, earlier_measure=None, compared=("m",))
    )
    s = scripted.stages
    stages = Stages(s, s, s, s, cast("Matcher", scripted))
    made = Running()
    with (
        site(folder) as here,
        staffed(Config(), Home(folder), here.gallery.vault, models, stages, made.said.put, lambda _: None) as room,
    ):
        made.room = room
        yield made


def test_it_answers_in_a_thread_of_its_own_and_gives_the_camera_back_at_the_end(tmp_path: Path) -> None:
    with running(tmp_path / "home") as made:
        made.room.ask(SignIn(NUMBER, "111222"))
        assert made.view() == Closed(Problem.NOT_KNOWN)
        made.room.ask(SignIn(NUMBER, PIN))
        assert made.view() == LookHere()
        assert made.room.booth.busy
        made.room.ask(SignOut())
        assert made.view() == Closed()
        assert not made.room.booth.busy
        made.room.ask(SignIn(NUMBER, PIN))
        made.view()
    assert not made.room.booth.busy


def test_what_the_kiosk_publishes_goes_on_to_everybody(tmp_path: Path) -> None:
    with running(tmp_path / "home") as made:
        made.room.publish(DoorChanged(DoorState.SECURED))
        assert made.said.get(timeout=PATIENCE) == DoorChanged(DoorState.SECURED)
