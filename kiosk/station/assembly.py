"""The composition root: the only place that chooses implementations. Starts everything in order, and stops it in
reverse order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag
from typing import cast

import structlog

from kiosk import plugins
from kiosk.cameras.turned import TurnedCamera
from kiosk.config import Config
from kiosk.domain.attempt import Rules
from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.decision import Reason
from kiosk.domain.door.state import DoorStatus
from kiosk.domain.face import Frame
from kiosk.domain.matching import enrol_again
from kiosk.domain.ports.camera import Camera
from kiosk.domain.staffing import StaffRequest
from kiosk.domain.thresholds import Threshold
from kiosk.domain.updates import Faulted, Update
from kiosk.domain.verification import Verification
from kiosk.sections import CameraConfig, QualityConfig
from kiosk.station.access import Access
from kiosk.station.alarm import SilentAlarm
from kiosk.station.announcer import announcing
from kiosk.station.answering import answering
from kiosk.station.checkpoints import checkpointing
from kiosk.station.door_client import DoorClient
from kiosk.station.door_watch import watching
from kiosk.station.enrolment import Enroller, Enrolment
from kiosk.station.entrance import Entrance, Parts, face_alone, receiving
from kiosk.station.loop import Station, unfailing
from kiosk.station.matcher import GalleryMatcher, log_threshold
from kiosk.station.pipeline import Pipeline
from kiosk.station.refusal_limit import keep_limit, refusal_limit
from kiosk.station.renewals import renewing
from kiosk.station.safeguards import decision_basis, effective, refuse_make_believe, refuse_unsafe
from kiosk.station.staff_room import staffed
from kiosk.station.stages import Stages
from kiosk.station.timekeeping import Timekeeper, keep_time
from kiosk.station.turns import turning
from kiosk.station.visits import visited
from kiosk.station.vitals import telling
from kiosk.station.witness import GalleryWitness, witnessed
from kiosk.station.writer import Writer
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery, empty_gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.system import systemd
from kiosk.system.clock import boot_name, boottime
from kiosk.system.health import MAX_SILENCE, Health
from kiosk.vision.models import Models, load
from kiosk.vision.quality import ROOM, Bounds, Gate

log = structlog.get_logger("kiosk")

ANY_PLACE = 1.0
"""The guide for enrolment and identification: the face may be anywhere in a photograph."""


def camera(section: CameraConfig) -> Camera:
    """The configured camera, not yet open. Raises ConfigError."""
    made = cast("Camera", plugins.make("cameras", section))
    return TurnedCamera(made, section.rotate) if section.rotate else made


def gate(config: QualityConfig, models: Models, guide: float | None = None) -> Gate:
    """The quality gate of a configuration for the door. With a `guide` it is for photographs: they need no room around
    the face, because PAD does not look at them.

    The gate checks each photograph for a face that is not upright. At the door it does so in each frame only if the
    embedder cannot recognise unnatural faces; otherwise the pipeline asks it when a face first matches."""
    bounds = Bounds(
        min_face=config.min_face,
        guide=config.guide if guide is None else guide,
        room=ROOM if guide is None else 0.0,
        min_sharpness=config.min_sharpness,
    )
    tells = any(answer.name == "unnatural" for answer in models.embedder_entry.answers)
    return Gate(bounds, models.detector.upright, every=guide is not None or not tells)


def matcher(
    models: Models,
    gallery: Gallery,
    tell: Callable[[Threshold], None] = lambda _: None,
    real_lock: bool = False,
    claims_beyond: bool = False,
) -> GalleryMatcher:
    """The matcher for the gallery and the configured embedder. `tell`, `real_lock`, `claims_beyond`: see
    GalleryMatcher. Raises GalleryError."""
    return GalleryMatcher(gallery, *models.measured, tell, real_lock, claims_beyond, models.earlier_measure)


def searchable(home: Home) -> Gallery:
    """Opens the gallery of a home for searching. Makes and changes nothing. Raises GalleryError if there is none."""
    return open_gallery(home, read_only=True)


def rehearsed(home: Home) -> Gallery:
    """Opens the gallery for replaying a recording. Empty if there is none, because a replay is useful before anybody is
    enrolled."""
    return searchable(home) if home.key.exists() or home.database.exists() else empty_gallery()


def stages(config: Config, models: Models, found: GalleryMatcher, guide: float | None = None) -> Stages:
    """The stages that each frame goes through. `guide`: see `gate`."""
    before = None if models.earlier is None else found
    return Stages(models.detector, gate(config.quality, models, guide), models.pad, models.looks, found, earlier=before)


def rules(config: Config) -> Rules:
    """The attempt's rules of a configuration."""
    a = config.attempt
    return Rules(a.needed, a.window, a.seconds, a.pause, a.rest)


def largest_badge(config: Config) -> int | None:
    """The largest badge number that fits the configured panel's cards; None if there is a lock instead."""
    return None if config.panel is None else config.panel.cards.largest


def enroller(config: Config, models: Models) -> Enroller:
    """Enrolment with the configured networks."""
    quality = gate(config.quality, models, ANY_PLACE)
    return Enroller(models.detector, quality, models.looks, models.thresholds, models.cohort)


def replay_pipeline(config: Config, models: Models, gallery: Gallery) -> Pipeline:
    """The pipeline for a recording: without a door, and with a new attempt directly after each decision."""
    return Pipeline(
        stages(config, models, matcher(models, gallery)),
        replace(rules(config), pause=0.0, rest=0.0, again=True),
        config.quality.min_face,
        door_ready=lambda: True,
        largest_badge=largest_badge(config),
    )


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A running kiosk."""

    station: Station
    gallery: Gallery
    health: Health
    writer: Writer
    witness: GalleryWitness
    staff: Callable[[StaffRequest], None]
    """For the window: what staff ask for."""
    entrance: Entrance
    """Other ways in: what the window may ask for, and which it shows."""

    @property
    def finished(self) -> Flag:
        """Set at the end of a story or recording, or when the pipeline has died."""
        return self.station.finished

    @property
    def lost(self) -> str | None:
        """Why the kiosk must be restarted (the gallery was moved, replaced or put back to an older state, the audit
        log's thread has ended); None if it need not."""
        return self.writer.lost or self.gallery.lost or self.witness.lost

    @property
    def died(self) -> bool:
        """Whether it ended because of a fault."""
        return self.lost is not None or (self.station.finished.is_set() and self.station.died)


@contextmanager
def running(
    config: Config,
    home: Home,
    publish: Callable[[Update], None],
    show: Callable[[Frame], None],
    eye: Camera,
) -> Iterator[Kiosk]:
    """Checks and starts all parts in order, and stops them in reverse order.

    Raises KioskError when any part is missing or wrong; then nothing runs.
    """
    publish, show = unfailing(publish), unfailing(show)
    with ExitStack() as stack:
        stack.enter_context(home.lock())
        models = load(config.models, config.policy)
        gallery = stack.enter_context(closing(open_gallery(home)))
        sizes = gallery.sizes(models.embedder.model_id)
        if config.drives_a_real_lock:
            refuse_unsafe(config, models, sizes)
        status = door_status(config)
        refuse_make_believe(eye, gallery, status)
        if not status.simulated:
            refuse_unsafe(config, models, sizes)
        # Settings that are allowed only with a simulated lock must not be used with a real lock that replaces it.
        client = stack.enter_context(DoorClient(config.door.socket, only_simulated=status.simulated))
        audit = stack.enter_context(closing(Audit(open_database(home.database, check=False))))
        keeper = Timekeeper(config.clock.trust, audit.floor)
        audit.settle_pending(datetime.now(UTC))
        writer = Writer.at(home.database, time.monotonic)
        writer.start()
        stack.callback(writer.stop)
        health = Health(time.monotonic)
        found = matcher(models, gallery, log_threshold, not status.simulated, config.entry.claims_beyond)
        limit = stack.enter_context(refusal_limit(config, home))
        watched = visited(home, gallery.vault, models.embedder.model_id, writer, publish, stages(config, models, found))
        publish, looks = stack.enter_context(watched)
        pipeline = Pipeline(
            looks,
            rules(config),
            config.quality.min_face,
            client.ready,
            largest_badge(config),
            clock=keeper.trouble,
            alike=models.surely_alike(),
            limit=limit,
            face_alone=lambda: face_alone(config, lambda: found.threshold.unsafe),
            searches=config.entry.verification is not Verification.ALWAYS,
        )
        named = stack.enter_context(closing(Gallery(open_database(home.database, check=False), gallery.vault)))
        publish = stack.enter_context(telling(config.health, health.silent, publish))
        publish = stack.enter_context(announcing(config, named, publish))
        stack.enter_context(checkpointing(config.audit, home, gallery.vault, writer, publish, health))
        basis, who = decision_basis(config, models), config.audit.subject_ids
        access = Access(writer, client, config.policy.grant_seconds, boottime, boot_name(), basis, who)
        alarm = SilentAlarm(access, publish, lambda: datetime.now(UTC))
        room = stack.enter_context(
            staffed(config, home, gallery.vault, models, looks, publish, keeper.trouble, alarm.forced)
        )
        parts = Parts(pipeline.tell, access, client, keeper.trouble, largest_badge(config), health, status, alarm)
        entrance = stack.enter_context(receiving(config, home, gallery.vault, parts, room.publish))
        publish = entrance.publish
        renew = stack.enter_context(renewing(config, home, gallery.vault, models, looks.quality, access.note))
        station = Station(
            eye,
            pipeline,
            access,
            health,
            boottime,
            publish,
            show,
            max_age=config.policy.grant_seconds,
            policy=effective(config, models, found.threshold),
            aside=room.booth,
            scan=entrance.scan,
            renew=renew,
        )
        _tell_of_other_models(models, gallery, pipeline, access, publish)
        stack.enter_context(watching(config, home, writer, access, publish, health))
        stack.enter_context(turning("clock", lambda: keep_time(keeper, writer, publish), lambda: None, health))
        witness = stack.enter_context(witnessed(config.door.socket, home, gallery.vault, health))
        enrolment = partial(Enrolment, enroller(config, models), models=models, called=lambda who: who.id)
        stack.enter_context(answering(config, home, gallery.vault, models.compared, enrolment))
        station.start()
        stack.callback(station.stop)
        if limit is not None:  # after station.start(), so that it is reported after the start
            stack.enter_context(turning("attempts", lambda: keep_limit(limit, writer, publish), lambda: None, health))
        yield Kiosk(station, gallery, health, writer, witness, room.ask, entrance)


def _tell_of_other_models(
    models: Models, gallery: Gallery, pipeline: Pipeline, access: Access, publish: Callable[[Update], None]
) -> None:
    """Reports references that the embedder cannot use at the start, before the first person comes. If there are no
    others, nobody can be recognised; that is a fault until a person is enrolled."""
    others = {model_id: n for model_id, n in gallery.counts().items() if model_id not in models.compared}
    if not others:
        return
    message, reason = enrol_again(sum(others.values())), Reason.REFERENCES_OF_ANOTHER_MODEL
    log.warning(reason.value, message=message)
    if len(others) == len(gallery.counts()):
        access.note(AuditRecord(AuditKind.FAULT, datetime.now(UTC), reason=reason))
        pipeline.expect(reason)
        publish(Faulted(reason, message))


def door_status(config: Config) -> DoorStatus:
    """The door's status before anything runs. Raises DoorError when the door does not answer."""
    with DoorClient(config.door.socket) as client:
        return client.status(timeout=2.0)


def feed_watchdog(kiosk: Kiosk) -> list[str]:
    """Feeds the systemd watchdog while all threads beat. Returns the names of silent threads."""
    silent = kiosk.health.silent()
    if not kiosk.writer.alive or time.monotonic() - kiosk.writer.beat > MAX_SILENCE:
        silent.append("database-writer")
    if not silent:
        systemd.notify("WATCHDOG=1")
    return silent
