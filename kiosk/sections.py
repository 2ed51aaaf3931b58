"""The sections of the configuration: what can be set, within which bounds, and what holds where nothing is said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.domain.badge import CardFormat
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.door.rules import Relock

DOOR_SOCKET = Path("/run/kiosk/door.sock")
DOOR_EVENTS = Path("/run/kiosk-door-events/door-events.sock")
"""The sockets of a kiosk-door that runs as a unit: each in a folder for those who may open it."""

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PluginSection(BaseModel):
    """A part whose further keys belong to the plug-in named by `kind`; the plug-in's Options refuse unknown ones."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    def options(self) -> dict[str, object]:
        """The plug-in's own keys."""
        return dict(self.model_extra or {})


class KioskConfig(Section):
    """[kiosk]"""

    home: Path | None = None
    """Folder of the gallery, its key and the audit log, for the kiosk and for every command: an absolute path."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.home is not None and not self.home.is_absolute():
            raise ValueError("home must be a whole path, from / on: it is one place, wherever a command is given")
        return self


class CameraConfig(PluginSection):
    """[camera]"""

    kind: str = "usb"
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that the pictures of a camera that hangs turned are turned by, right after they are read."""


class LockConfig(PluginSection):
    """[lock] is read by kiosk-door alone. There is no default: a lock or a panel is always named."""


class PanelConfig(PluginSection):
    """[panel], in place of [lock]: a panel on the protected side owns the lock and is told badge numbers. Its keys but
    the card's are read by kiosk-door alone."""

    card_bits: Literal[26, 34, 37] = 26
    facility: Annotated[int, Field(strict=True)]
    """The site's code in each card."""

    @property
    def cards(self) -> CardFormat:
        """How a badge number is told."""
        return CardFormat(self.card_bits, self.facility)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.cards  # raises ValueError
        return self


class DoorConfig(Section):
    """[door]: the process that owns the lock."""

    name: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)] = "main"
    """What events, notifiers and the audit log call this door. Beside a lock that is real, or a panel, it has to be
    said: the doors of a site must not all be called the same."""
    socket: Path = DOOR_SOCKET
    state: Path = Path("/var/lib/kiosk-door")
    """Where kiosk-door keeps events that were not acknowledged yet, and whether there is a lockdown."""
    release_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    extended_seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    max_release_seconds: Annotated[float, Field(gt=0, le=60)] = 60.0
    lease_seconds: Annotated[float, Field(gt=0, le=60)] = 30.0
    """How long a door is held open when that is not renewed."""
    max_hold_seconds: Annotated[float, Field(gt=0, le=86400)] = 3600.0
    """How long an operator may hold it open at a stretch."""
    relock: Relock = Relock.CLOSING
    held_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    pre_alarm_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    rex_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    """How long after the exit button was pressed an opening is expected."""
    debounce_seconds: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    still_after: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Releases in a row without an opening until the contact is doubted."""
    clients: tuple[str, ...] = ()
    """Users (names or numbers) that may have it released for a bounded time: the kiosk's."""
    operators: tuple[str, ...] = ()
    """Users that may do everything at the door, besides root and kiosk-door's own."""
    subscribers: tuple[str, ...] = ()
    """Users that may subscribe to its events, and nothing else; `clients` may as well."""

    @property
    def events(self) -> Path:
        """The socket of the events: beside the other, but for the unit's, which has a folder of its own for it."""
        if self.socket == DOOR_SOCKET:
            return DOOR_EVENTS
        return self.socket.with_name(f"{self.socket.stem}-events{self.socket.suffix}")

    @property
    def named(self) -> bool:
        """Whether somebody has given it its name."""
        return "name" in self.model_fields_set

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.release_seconds > self.max_release_seconds:
            raise ValueError("release_seconds is longer than max_release_seconds")
        if self.pre_alarm_seconds > self.held_seconds:
            raise ValueError("pre_alarm_seconds is longer than held_seconds")
        return self


class ModelsConfig(Section):
    """[models]: names of the manifest. `folder` is another folder with a manifest.toml of its own."""

    folder: Path | None = None
    detector: str = "face-detector"
    embedder: str = "mobilefacenet"
    pad: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("pad-2.7", "pad-4.0")
    threads: Annotated[int, Field(ge=1, le=16)] = 2


class QualityConfig(Section):
    """[quality]: what a face must be before it is compared."""

    min_face: Annotated[float, Field(ge=40, le=1000)] = 64.0
    """Width of the face's box in pixels of the frame."""
    min_sharpness: Annotated[float, Field(ge=0)] = 15.0
    """Variance of the Laplacian of the aligned face. LFW: 58 and more; with 2 px of blur 19 in the median."""
    guide: Share = 0.8
    """The face's centre must lie within this share of the frame's width and height."""


class AttemptConfig(Section):
    """[attempt]: n of m frames of one track, in at most `seconds`."""

    needed: Annotated[int, Field(ge=1, le=30)] = 3
    window: Annotated[int, Field(ge=1, le=60)] = 5
    seconds: Annotated[float, Field(gt=0, le=3)] = 3.0
    pause: Annotated[float, Field(ge=0, le=60)] = 1.5
    """Seconds between a refusal and the next attempt; doubled from the fourth refusal in a row on, up to 30 s."""
    rest: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Seconds after a grant until the next attempt, unless whoever was let in has gone before."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.needed > self.window:
            raise ValueError("needed is larger than window: nobody could ever be let in")
        return self


class PolicyConfig(Section):
    """[policy]"""

    fpir: Annotated[float, Field(gt=0, le=0.1)] = 0.001
    """The share of searches that may take somebody who is not enrolled for a subject: it sets the threshold, by the
    manifest's table and the gallery's size (domain.thresholds). At most 0.001 before a real lock."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A fixed comparison score, whatever the gallery's size; None follows `fpir`."""
    pad_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    refusals_an_hour: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """So many refusals of people within an hour turn face alone off for an hour (domain.refusals); None: none do."""
    grant_seconds: Annotated[float, Field(gt=0, le=1.5)] = 1.5
    """A grant that has not reached the door this long after its frame was taken is void."""


class ClockConfig(Section):
    """[clock]: when the wall clock is believed, by which rights begin and end (station.timekeeping)."""

    trust: Literal["rtc", "ntp"] = "rtc"
    """"rtc": at once, for a board with a clock that runs without power. "ntp": once systemd-timesyncd or chrony has set
    it since the machine started, for a board without."""


class NotifyConfig(Section):
    """[notify]: the process that tells others."""

    outbox: Path = Path("/var/lib/kiosk-notify/outbox.db")
    """Where notices wait until they are delivered."""
    capacity: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """How many may wait for each notifier."""
    retry_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """The longest pause between two tries to deliver."""
    socket: Path = Path("/run/kiosk-events/kiosk.sock")
    """The kiosk's own events, for kiosk-notify."""
    subscribers: tuple[str, ...] = ()
    """Users that may subscribe to them besides the kiosk's own."""
    names: bool = False
    """Whether the kiosk tells names of subjects; else their ids only."""


class NotifierConfig(PluginSection):
    """[notifiers.NAME]: one notifier."""

    alarms_only: bool = False
    """Alarms, faults and their ends; nothing of who comes and goes."""
