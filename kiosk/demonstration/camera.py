"""The demonstration's camera: it shows invented visitors at a door, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from kiosk.demonstration.layers import photo
from kiosk.demonstration.scene import VISIT_SECONDS, Scene
from kiosk.demonstration.story import STORY, Visit, Visitor
from kiosk.domain.errors import CameraError
from kiosk.domain.face import Frame, Image
from kiosk.system.clock import boottime

EMPTY_PICTURES = 32
"""Number of pictures of the empty room, each with its own noise."""
GAP_SECONDS = 1.0
"""Time in which the room is empty before each visit."""


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
    """Plays every frame of a story, from the first read() on. If the reader is late the story waits, so that it is the
    same on a slow machine. Raises EOFError at the story's end unless `loop`. Must never be used with a real lock."""

    live = False
    Options: ClassVar[type[SimulatedOptions]] = SimulatedOptions

    def __init__(
        self,
        options: SimulatedOptions,
        story: tuple[Visit, ...] = STORY,
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = time.sleep,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._story = story
        self._clock = clock
        self._sleep = sleep
        self._wall = wall
        self._scene: Scene | None = None
        self._room: list[Image] = []
        self._begin: float | None = None
        self._last = -1
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
        self._scene = scene
        self._begin, self._last = None, -1

    def read(self, timeout: float) -> Frame:
        """Raises CameraError when it is not open or no frame is due within `timeout` seconds, EOFError at the end."""
        if self._scene is None:
            raise CameraError("the simulated camera is not open")
        now = self._clock()
        if self._begin is None:
            self._begin = now
        number = self._last + 1
        if number >= self.frames and not self._options.loop and not self._options.empty:
            raise EOFError
        wait = self._begin + number / self._options.fps - now
        if wait > timeout:
            self._sleep(timeout)
            raise CameraError("the simulated camera has no frame yet")
        if wait > 0:
            self._sleep(wait)
        else:
            self._begin -= wait  # the reader is late: the story waits for it
        self._last = number
        captured_at, wall_at = self._clock(), self._wall()
        if self._options.empty:
            return Frame(self._room[number % EMPTY_PICTURES], number, captured_at, wall_at)
        visit, t = self._moment(number)
        image = self._scene.render(visit if t >= 0 else None, t, self._drawn)
        self._drawn += 1
        return Frame(image, number, captured_at, wall_at)

    def close(self) -> None:
        """Never raises."""
        self._scene = None

    def visit_at(self, frame_number: int) -> Visit | None:
        """The visit that a frame belongs to; None while the room is empty, and after the story's end."""
        if frame_number < 0 or (frame_number >= self.frames and not self._options.loop) or self._options.empty:
            return None
        visit, t = self._moment(frame_number)
        return visit if t >= 0 else None

    @staticmethod
    def enrolment_picture(visitor: Visitor) -> Image:
        """A clean photo of a visitor, 512 x 512, for the demonstration's gallery. Raises CameraError."""
        return photo(visitor)

    def _moment(self, number: int) -> tuple[Visit, float]:
        """The visit, and the seconds since it began (negative before it begins)."""
        index, t = divmod(number / self._options.fps % self.seconds, GAP_SECONDS + VISIT_SECONDS)
        return self._story[min(int(index), len(self._story) - 1)], t - GAP_SECONDS
