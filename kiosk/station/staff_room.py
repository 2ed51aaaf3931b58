"""Starts staff mode: its thread, its own connection to the gallery, and the booth that it shares with the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

from kiosk.config import Config
from kiosk.domain.decision import Evidence, Reason
from kiosk.domain.face import Vector
from kiosk.domain.matching import rounded
from kiosk.domain.renewal import Measure
from kiosk.domain.staffing import StaffRequest
from kiosk.domain.updates import OtherLight, Update
from kiosk.station import levels
from kiosk.station.booth import Booth
from kiosk.station.light_watch import LightWatch
from kiosk.station.looking import Eyes
from kiosk.station.register import GalleryRegister
from kiosk.station.staff import StaffDesk
from kiosk.station.staff_session import Office
from kiosk.station.stages import Stages
from kiosk.station.turns import turning
from kiosk.storage.database import open_database
from kiosk.storage.erasure import erase, keeping
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import Vault
from kiosk.system.clock import boottime
from kiosk.vision.models import Models


@dataclass(frozen=True, slots=True, eq=False)
class StaffRoom:
    """Staff mode of a running kiosk. `ask`: for the window. `publish`: as before, and staff mode hears it too."""

    booth: Booth
    ask: Callable[[StaffRequest], None]
    publish: Callable[[Update], None]


@contextmanager
def staffed(
    config: Config,
    home: Home,
    vault: Vault,
    models: Models,
    stages: Stages,
    publish: Callable[[Update], None],
    clock: Callable[[Evidence], Reason | None],
    duress: Callable[[str], None] = lambda _: None,
) -> Iterator[StaffRoom]:
    """Runs staff mode. `stages`: those of the door; the booth uses them in the same thread, never at the same time.
    `clock`: Timekeeper.trouble. The watchdog does not watch its thread: an erasure may take long, and nobody at the
    door waits for it."""
    entry, measure = models.embedder_entry, models.measure
    looks = (stages.detector, stages.quality, stages.pad, stages.embedder)
    eyes = Eyes(*looks, config.quality.min_face, stages.lingering)
    booth = Booth(eyes, stages.matcher.search, _same(measure), boottime)
    store = open_database(home.database, check=False)
    with closing(Gallery(store, vault)) as gallery:
        register = GalleryRegister(
            gallery, entry.model_id, None, partial(erase, home, keeping=keeping(config)), models.compared[1:]
        )
        points = entry.operating_points()
        settings = lambda: levels.settings(config, points, gallery.sizes(entry.model_id))  # noqa: E731
        before = models.earlier_measure
        office = Office(gallery, register, booth, measure, config.consent, settings, clock, earlier=before)
        light = LightWatch(office, lambda decision: publish(OtherLight(decision)), config.audit.subject_ids)
        desk = StaffDesk(office, publish, boottime, duress=duress, light=light)

        def heard(update: Update) -> None:
            publish(update)
            desk.heard(update)

        with turning("staff", desk.turn, desk.close):
            yield StaffRoom(booth, desk.ask, heard)


def _same(measure: Measure) -> Callable[[Vector, Vector], bool]:
    """Whether two vectors are of one person: by the threshold for a gallery of one reference, as `kiosk enrol` asks of
    the pictures of one person."""
    score = measure.thresholds.for_gallery({1: 1}).score
    return lambda a, b: measure.cohort.score(rounded(a), rounded(b)) >= score
