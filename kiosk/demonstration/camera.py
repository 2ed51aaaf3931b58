"""The demonstration's camera: it shows invented visitors at a door, in real time."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kiosk.demonstration.direction import Stand, nearer
from kiosk.demonstration.layers import photo
from kiosk.demonstration.scene import VISIT_SECONDS, Scene
from kiosk.demonstration.story import STORY, Visit, Visitor
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import boottime, pause

EMPTY_PICTURES = 32
"""Number of pictures of the empty room, each with its own noise."""
GAP_SECONDS = 1.0
"""Time in which the room is empty before each visit."""
SKIPPED_SECONDS = 0.5
"""So much of the story a late reader misses at a time, as with a real camera: attempts and pauses go by the clock, and
a visit that waited for each picture would have several. For more than that the story waits."""


class SimulatedOptions(BaseModel):
    """[camera] kind = "simulated"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fps: Annotated[float, Field(ge=1, le=60)] = 15.0
    seed: Annotated[int, Field(ge=0)] = 0
    loop: bool = False
    """Whether the story starts again after its end."""
    empty: bool = False
    """Whether nobody ever comes. The pictures of the room are then drawn once and not for each frame. It serves to
    measure what an idle kiosk costs."""


class SimulatedCamera:
    """Plays a story, from the first read() on. A late reader misses frames, up to SKIPPED_SECONDS at a time; for a
    later one the story waits. Raises EOFError at the story's end unless `loop`. Must never be used with a real
    lock."""

    live = False
    Options: ClassVar[type[SimulatedOptions]] = SimulatedOptions

    def __init__(
        self,
        options: SimulatedOptions,
        story: tuple[Visit, ...] = STORY,
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = pause,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._story = story
        self._clock = clock
        self._sleep = sleep
        self._wall = wall
        self._scene: Scene | None = None
        self._room: list[Image] = []
        self._grain: Image = np.zeros((1, 1, 3), np.uint8)
        self._begin: float | None = None
        self._last = -1
        self._stand: Stand | None = None
        self._yaw = 0.0
        self._parts: list[tuple[int, int | None]] = [(0, 0)]
        """(number of a frame, place in the story that it and the following ones show): None while the story stands
        still, because staff use the kiosk."""
        self._resume = 0
        self._visit: Visit | None = None
        self.cue: Callable[[Visit], None] = lambda _: None
        """Is told of each visit before it begins, while the room is empty."""
        self._drawn = 0
        """Number of pictures drawn since the camera was made. It chooses the noise: no two pictures have the same
        noise, as with a real sensor."""

    @property
    def seconds(self) -> float:
        """Duration of the story in seconds."""
        return len(self._story) * (GAP_SECONDS + VISIT_SECONDS)

    @property
    def frames(self) -> int:
        """Number of frames of the story."""
        return round(self.seconds * self._options.fps)

    def open(self) -> None:
        """Starts the story from its beginning. Raises CameraError when a visitor's picture is missing or damaged."""
        scene = Scene(self._options.seed)
        scene.prepare(self._story)
        if self._options.empty:
            self._room = [scene.render(None, 0.0, number) for number in range(EMPTY_PICTURES)]
            self._grain = np.random.default_rng(self._options.seed).integers(0, 4, self._room[0].shape, np.uint8)
        self._scene = scene
        self._begin, self._last = None, -1
        self._parts = [(0, 0)]

    def read(self, timeout: float) -> Frame:
        """Raises CameraError when it is not open or no frame is due within `timeout` seconds, EOFError at the end."""
        if self._scene is None:
            raise CameraError("the simulated camera is not open")
        now = self._clock()
        if self._begin is None:
            self._begin = now
        number, stand = self._last + 1, self._stand
        late = now - self._begin - number / self._options.fps
        if late > 0:
            number += int(min(late, SKIPPED_SECONDS) * self._options.fps)
            self._begin += max(0.0, late - SKIPPED_SECONDS)
        self._turn_page(number, standing=stand is not None)
        place = self._place(number)
        if place is not None and place >= self.frames and not self._options.loop and not self._options.empty:
            raise EOFError
        wait = self._begin + number / self._options.fps - now
        if wait > timeout:
            self._sleep(timeout)
            raise CameraError("the simulated camera has no frame yet")
        if wait > 0:
            self._sleep(wait)
        self._last = number
        captured_at, wall_at = self._clock(), self._wall()
        if stand is not None:
            return Frame(self._standing(stand), number, captured_at, wall_at)
        self._yaw = 0.0
        if self._options.empty:
            return Frame(self._grainy(self._room[number % EMPTY_PICTURES], number), number, captured_at, wall_at)
        visit, t = self._moment(place or 0)
        if visit is not self._visit:
            self._visit = visit
            self.cue(visit)
        image = self._scene.render(visit if t >= 0 else None, t, self._drawn)
        self._drawn += 1
        return Frame(image, number, captured_at, wall_at)

    def direct(self, stand: Stand | None) -> None:
        """Lets somebody stand there from the next frame on; None: the story goes on with its next visit. For any
        thread."""
        self._stand = stand

    def _grainy(self, image: Image, number: int) -> Image:
        """The picture with noise that it has not had before: a camera that repeats itself is taken for frozen."""
        return np.asarray(cv2.add(image, np.roll(self._grain, 7 * number)), np.uint8)

    def close(self) -> None:
        """Never raises."""
        self._scene = None

    def visit_at(self, frame_number: int) -> Visit | None:
        """The visit that a frame belongs to; None while the room is empty, while staff use the kiosk, and after the
        story's end."""
        place = self._place(frame_number)
        if place is None or place < 0 or (place >= self.frames and not self._options.loop) or self._options.empty:
            return None
        visit, t = self._moment(place)
        return visit if t >= 0 else None

    def _place(self, number: int) -> int | None:
        """The place in the story, in frames; None while it stands still."""
        first, place = next(part for part in reversed(self._parts) if part[0] <= max(number, 0))
        return None if place is None else place + number - first

    def _turn_page(self, number: int, *, standing: bool) -> None:
        """The story stands still from this frame on, or goes on with its next visit."""
        before = self._place(number)
        if standing and before is not None:
            index, t = divmod(before / self._options.fps, GAP_SECONDS + VISIT_SECONDS)
            index += t >= GAP_SECONDS  # a visit that has begun is over
            self._resume = math.ceil(index * (GAP_SECONDS + VISIT_SECONDS) * self._options.fps)
            self._parts.append((number, None))
        elif not standing and before is None:
            self._parts.append((number, self._resume))

    def _standing(self, stand: Stand) -> Image:
        """A frame while staff use the kiosk."""
        assert self._scene is not None
        self._drawn += 1
        t = self._drawn / self._options.fps
        if stand.visitor is None:
            return self._scene.render(None, t, self._drawn)
        self._yaw = nearer(self._yaw, stand.yaw, 1 / self._options.fps)
        return self._scene.standing(stand.visitor, self._yaw, t, self._drawn)

    @staticmethod
    def enrolment_picture(visitor: Visitor) -> Image:
        """A clean photo of a visitor, 512 x 512, for the demonstration's gallery. Raises CameraError."""
        return photo(visitor)

    def _moment(self, number: int) -> tuple[Visit, float]:
        """The visit, and the seconds since it began (negative before it begins)."""
        index, t = divmod(number / self._options.fps % self.seconds, GAP_SECONDS + VISIT_SECONDS)
        return self._story[min(int(index), len(self._story) - 1)], t - GAP_SECONDS
