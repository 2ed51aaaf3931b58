"""The demonstration: simulated visitors and a simulated lock, with the real networks between them.

It keeps its data in a temporary folder and starts kiosk-door itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kiosk.cameras.sources import Still
from kiosk.config import Config
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.direction import Stand, stand
from kiosk.demonstration.rehearsal import Rehearsal
from kiosk.demonstration.scene import Scene
from kiosk.demonstration.story import (
    ADA,
    BEN,
    BEN_DURESS,
    BEN_NUMBER,
    BEN_PIN,
    ENROLLED_VISIT,
    NEWCOMER,
    STAFF_NUMBER,
    STAFF_PIN,
    STORY,
    VISITORS,
    Enrolled,
    Kind,
    Visit,
)
from kiosk.domain.decision import Decision
from kiosk.domain.errors import DoorError
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import Done, Erased
from kiosk.domain.staffing import StaffRequest
from kiosk.domain.updates import Decided, StaffChanged, Update
from kiosk.sections import AttemptConfig, CameraConfig, DoorConfig, LockConfig, PolicyConfig
from kiosk.station import assembly
from kiosk.station.door_client import DoorClient
from kiosk.station.enrolment import Enrolment
from kiosk.storage import claims, pins
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import slowed
from kiosk.vision.models import Models, load
from kiosk.ways import EntryConfig

NOTICE = "DEMONSTRATION: simulated visitors, simulated lock, no configuration. No real door is opened."
STAFF_HINT = f"{STAFF_NUMBER} / {STAFF_PIN}"
"""Number and PIN, for the banner."""
ENTRY = EntryConfig(number=True, look_seconds=0)
"""Number and PIN open. The camera looks for nobody's face before the PIN: the story's people come when they come."""
FPIR = 0.0003
"""Stricter than the default: the visitors are averages of many people, and more alike than people are. By the default's
threshold Ben and the newcomer are look-alikes, who would need more than a face."""
WAYS_HINT = f"Ben comes in by number and PIN too: {BEN_NUMBER} / {BEN_PIN}; forced to, he types {BEN_DURESS}"
RELEASE_SECONDS = 2.0
PAUSE_SECONDS = 4.0
"""Pause after an attempt. It is so long that each visit has one attempt: the next visitor comes after the pause."""
DOOR_START_SECONDS = 60.0
"""An emulated or loaded machine needs many."""
LOOK_SECONDS = 0.15
"""A machine that needs longer for a picture is too slow for the story: a visitor would be gone before the attempt has
its frames."""
BRISK_SECONDS = 0.07
"""So long a picture takes by the slowed clock."""
SLOWEST = 0.04
"""The least pace. At a lesser one the camera's pictures would come later than a camera counts as failed."""


class Score:
    """Compares the decisions that were made with those that the story asks for."""

    def __init__(self, visit_at: Callable[[int], Visit | None], story: tuple[Visit, ...] = STORY) -> None:
        self._visit_at = visit_at
        self._story = story
        self._enrolled = False
        self.decisions: list[tuple[Visit | None, Decision]] = []

    def take(self, event: Update) -> None:
        """Takes every event."""
        match event:
            case Decided(decision) if decision.means is None:  # not by somebody at the window
                self.decisions.append((self._visit(decision), decision))
            case StaffChanged(Done(renewed=False)):
                self._enrolled = True
            case StaffChanged(Erased()):
                self._enrolled = False

    def _visit(self, decision: Decision) -> Visit | None:
        """Whose visit it was; once staff have enrolled the newcomer, that visit ends otherwise."""
        visit = self._visit_at(decision.evidence.frame_number)
        enrolled = self._enrolled and visit is not None and (visit.visitor, visit.kind) == (NEWCOMER, Kind.LIVE)
        return ENROLLED_VISIT if enrolled else visit

    def remark(self, event: Update) -> str:
        """The remark beside a decision on the console: whose visit it was, and whether the story expects it."""
        if not isinstance(event, Decided):
            return ""
        if event.decision.means is not None:
            return f"   <- by {event.decision.means}"
        visit = self._visit(event.decision)
        who = visit.name if visit else "between two visits"
        return f"   <- {who}: {'as expected' if expected(visit, event.decision) else 'NOT as expected'}"

    @property
    def good(self) -> bool:
        """Every visit was decided, and each decision was the expected one."""
        decided = [visit for visit, _ in self.decisions]
        return all(v in decided for v in self._story) and all(expected(v, d) for v, d in self.decisions)


class Play:
    """The whole demonstration: the camera, what staff's pages ask of the people before it, and, where nobody is at the
    window (`alone`), what staff touch. `say` takes a line about that."""

    def __init__(self, alone: bool, say: Callable[[str], None]) -> None:
        story = (*STORY, ENROLLED_VISIT) if alone else STORY
        self.camera = camera(not alone, story)
        self.score = Score(self.camera.visit_at, story)
        self._rehearsal = Rehearsal(self._ask, say, lambda: self.camera.direct(None)) if alone else None
        self._kiosk: assembly.Kiosk | None = None
        self.camera.cue = self._cue

    @property
    def good(self) -> bool:
        """Whether all was as expected."""
        return self.score.good and (self._rehearsal is None or self._rehearsal.good)

    def begin(self, kiosk: assembly.Kiosk) -> None:
        """Takes the running kiosk."""
        self._kiosk = kiosk

    def take(self, event: Update) -> None:
        """Takes every event."""
        self.score.take(event)
        if not isinstance(event, StaffChanged):
            return
        self.camera.direct(stand(event.view))
        if self._rehearsal is not None:
            self._rehearsal.take(event.view)

    def _cue(self, visit: Visit) -> None:
        """Before the last visit staff have their part; the story stands still meanwhile."""
        if visit is ENROLLED_VISIT and self._rehearsal is not None and not self._rehearsal.good:
            self.camera.direct(Stand())
            self._rehearsal.begin()

    def _ask(self, request: StaffRequest) -> None:
        if self._kiosk is not None:
            self._kiosk.staff(request)


def expected(visit: Visit | None, decision: Decision) -> bool:
    """Whether the story asks for this decision at this moment."""
    return visit is not None and (visit.outcome, visit.reason) == (decision.outcome, decision.reason)


@contextmanager
def stage(say: Callable[[str], None] | None = None) -> Iterator[tuple[Config, Home]]:
    """A temporary home with the story's subjects enrolled, and kiosk-door with a simulated lock beside it.

    With `say`, which takes a line about it, the clock of both goes slower where the machine is too slow for the story,
    so that the decisions are the same. Raises KioskError when a part is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kiosk-demonstration-") as folder, ExitStack() as stack:
        home = Home(Path(folder) / "home")
        config = settings(Path(folder) / "door.sock")
        models = load(config.models, config.policy)
        pace = 1.0
        if say is not None:
            seconds = look_seconds(models)
            pace = pace_for(seconds)
            if pace < 1:
                say(f"this machine needs {seconds:.2g} s a picture: the story's clock goes at {pace:.0%} of its pace")
            if seconds * pace > LOOK_SECONDS:
                say("it may be too slow for the story even so, and decide otherwise")
        stack.enter_context(slowed(pace))
        stack.enter_context(_door(config, pace))
        enrol_visitors(config, home, models)
        del models  # the kiosk loads its own: these would only stay in memory beside them
        yield config, home


def pace_for(seconds: float) -> float:
    """The pace of the story's clock on a machine that needs so many seconds for a picture."""
    return 1.0 if seconds <= LOOK_SECONDS else max(SLOWEST, BRISK_SECONDS / seconds)


def look_seconds(models: Models) -> float:
    """How long the networks take for a picture with a face, the first one aside."""
    picture = Scene().standing(ADA, 0.0, 0.0, 0)
    for _ in range(2):
        began = time.monotonic()
        for face in models.detector.detect(picture)[:1]:
            models.pad.score(picture, face)
            models.embedder.embed(picture, face)
        took = time.monotonic() - began
    return took


def camera(loop: bool, story: tuple[Visit, ...] = STORY) -> SimulatedCamera:
    """The story's camera. With `loop` it repeats the story without end."""
    return SimulatedCamera(SimulatedOptions(loop=loop), story)


def settings(socket: Path) -> Config:
    """The demonstration's configuration: the defaults, except for the simulated parts."""
    return Config(
        camera=CameraConfig(kind="simulated"),
        lock=LockConfig(kind="simulated"),
        door=DoorConfig(socket=socket, release_seconds=RELEASE_SECONDS),
        attempt=AttemptConfig(pause=PAUSE_SECONDS),
        policy=PolicyConfig(fpir=FPIR),
        entry=ENTRY,
    )


def enrol_visitors(config: Config, home: Home, models: Models) -> None:
    """Enrols the story's subjects in the same way as any subject. Raises SampleError, GalleryError."""
    enroller = assembly.enroller(config, models)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with closing(open_gallery(home)) as gallery:
        gallery.mark_demonstration()
        enrolment = Enrolment(enroller, gallery, models, lambda who: who.name)
        for visitor in VISITORS:
            if visitor.enrolment is Enrolled.NONE:
                continue
            picture = SimulatedCamera.enrolment_picture(visitor)
            sample = enroller.sample(Still(visitor.name, picture, 0, 0.0))
            ended = visitor.enrolment is Enrolled.ENDED
            subject = enrolment.add([sample], visitor.name, valid_until=yesterday if ended else None)
            if visitor is ADA:
                claims.set_number(gallery, subject.id, STAFF_NUMBER)
                pins.set_pin(gallery, subject.id, STAFF_PIN)
                pins.set_role(gallery, subject.id, Role.STAFF)
            if visitor is BEN:
                claims.set_number(gallery, subject.id, BEN_NUMBER)
                pins.set_pin(gallery, subject.id, BEN_PIN, BEN_DURESS)


@contextmanager
def _door(config: Config, pace: float) -> Iterator[None]:
    """Runs kiosk-door with a simulated lock, its clock at `pace`. It ends with this process, however this process
    ends."""
    socket = config.door.socket
    command = [sys.executable, "-P", "-m", "kiosk.door", "--socket", str(socket), "--lock", "simulated"]
    command += ["--release-seconds", str(RELEASE_SECONDS), "--pace", str(pace), "--until-stdin-ends"]
    # The kernel closes the pipe when this process ends in any way; then kiosk-door ends too.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as door:  # noqa: S603 - our own
        try:
            _await_door(socket, door)
            yield
        finally:
            door.terminate()


def _await_door(socket: Path, door: subprocess.Popen[bytes] | None = None) -> None:
    """Raises DoorError when it does not answer in time, or when the process `door` has ended."""
    until = time.monotonic() + DOOR_START_SECONDS
    with DoorClient(socket) as client:
        while not client.ready():
            ended = door is not None and door.poll() is not None
            if ended or time.monotonic() > until:
                raise DoorError(f"kiosk-door did not start within {DOOR_START_SECONDS:g} s")
            time.sleep(0.02)
