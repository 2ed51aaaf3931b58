"""The sections of the configuration: the settings, their bounds and their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kiosk.domain.badge import CardFormat
from kiosk.domain.door.events import DOOR_NAME_PATTERN
from kiosk.domain.door.rules import Relock
from kiosk.section import FilePath, PluginSection, Section, Share

Provider = Literal["cpu", "xnnpack", "cuda", "tensorrt"]
"""What computes the networks (vision.providers)."""

DOOR_SOCKET = Path("/run/kiosk/door.sock")
DOOR_EVENTS = Path("/run/kiosk-door-events/door-events.sock")
"""The sockets of kiosk-door's unit. Each is in a folder that only its allowed users may enter."""


class KioskConfig(Section):
    """[kiosk]"""

    home: Path | None = None
    """Folder of the gallery, its key and the audit log, for the kiosk and for every command. An absolute path."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.home is not None and not self.home.is_absolute():
            raise ValueError("home must be a whole path, from / on: it is one place, wherever a command is given")
        return self


class KeysConfig(Section):
    """[keys]: where the gallery's master key is. Without any of these it is gallery.key in the home."""

    file: Path | None = None
    """A file on another medium. An absolute path."""
    credential: Path | None = None
    """A file that `systemd-creds encrypt` has made; the unit gets it with LoadCredentialEncrypted=. An absolute
    path."""

    passphrase: bool = False
    """Whether the key is sealed with a passphrase, which an admin gives at each start (`kiosk unlock`)."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is not None) + (self.credential is not None) + self.passphrase > 1:
            raise ValueError("file, credential, passphrase: only one of them, because the key has one place")
        for path in (self.file, self.credential):
            if path is not None and not path.is_absolute():
                raise ValueError("it must be a whole path, from / on")
        return self


class ControlConfig(Section):
    """[control]: the socket at which commands ask the running kiosk (station.control)."""

    socket: FilePath | None = None
    """None: there is none, and commands open the gallery themselves."""
    admins: tuple[str, ...] = ()
    """Users (names or numbers) that may do everything, in addition to root and the kiosk's own user."""
    staff: tuple[str, ...] = ()
    """Users that enrol people and look after them."""
    auditors: tuple[str, ...] = ()
    """Users that only see who is enrolled."""


class HealthConfig(Section):
    """[health]: what a monitoring program may ask the running kiosk (station.vitals)."""

    socket: FilePath | None = None
    """Where it is answered, as Prometheus text. None: nowhere."""
    readers: tuple[str, ...] = ()
    """Users (names or numbers) that may ask, in addition to root and the kiosk's own user."""


class CameraConfig(PluginSection):
    """[camera]"""

    kind: str = "usb"
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise by which pictures are rotated directly after reading, for a camera that is mounted turned."""


class LockConfig(PluginSection):
    """[lock]. Only kiosk-door uses it. There is no default: a lock or a panel must be named."""


class PanelConfig(PluginSection):
    """[panel], instead of [lock]: a panel on the protected side owns the lock and gets badge numbers. Except for the
    card's keys, only kiosk-door uses it."""

    card_bits: Literal[26, 34, 37] = 26
    facility: Annotated[int, Field(strict=True)]
    """The site's facility code, which is in each card."""

    @property
    def cards(self) -> CardFormat:
        """The format in which a badge number is sent."""
        return CardFormat(self.card_bits, self.facility)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.cards  # raises ValueError
        return self


class DoorConfig(Section):
    """[door]: the process that owns the lock."""

    name: Annotated[str, Field(pattern=DOOR_NAME_PATTERN)] = "main"
    """The door's name in events, notifiers and the audit log. It is required with a real lock or a panel, so that the
    doors of a site have different names."""
    socket: FilePath = DOOR_SOCKET
    state: Path = Path("/var/lib/kiosk-door")
    """Folder in which kiosk-door stores unacknowledged events and a lockdown."""
    release_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    extended_seconds: Annotated[float, Field(gt=0, le=60)] = 15.0
    max_release_seconds: Annotated[float, Field(gt=0, le=60)] = 60.0
    lease_seconds: Annotated[float, Field(gt=0, le=60)] = 30.0
    """How long a door is held open without a renewal."""
    max_hold_seconds: Annotated[float, Field(gt=0, le=86400)] = 3600.0
    """Longest time for which an operator may hold the door open at once."""
    relock: Relock = Relock.CLOSING
    held_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    pre_alarm_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    rex_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    """How long an opening is expected after a press of the exit button."""
    debounce_seconds: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    still_after: Annotated[int, Field(ge=2, le=10_000)] = 20
    """After this many releases in a row without an opening the contact counts as doubtful."""
    clients: tuple[str, ...] = ()
    """Users (names or numbers) that may release the lock for a bounded time: the kiosk's user."""
    operators: tuple[str, ...] = ()
    """Users that may do everything at the door, in addition to root and kiosk-door's own user."""
    subscribers: tuple[str, ...] = ()
    """Users that may only subscribe to the door's events. `clients` may subscribe too."""

    @property
    def events(self) -> Path:
        """The event socket: beside the command socket, except in kiosk-door's unit, where it has a separate folder."""
        if self.socket == DOOR_SOCKET:
            return DOOR_EVENTS
        return self.socket.with_name(f"{self.socket.stem}-events{self.socket.suffix}")

    @property
    def named(self) -> bool:
        """Whether the configuration states the name."""
        return "name" in self.model_fields_set

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.release_seconds > self.max_release_seconds:
            raise ValueError("release_seconds is longer than max_release_seconds")
        if self.pre_alarm_seconds > self.held_seconds:
            raise ValueError("pre_alarm_seconds is longer than held_seconds")
        return self


class ModelsConfig(Section):
    """[models]: names of networks in the manifest. `folder`: another folder with its own manifest.toml."""

    folder: Path | None = None
    detector: str = "face-detector"
    embedder: str = "freefacenet"
    previous: str | None = None
    """The embedder of before, while people are renewed one by one (domain.transition). None: no change is under way."""
    pad: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("pad-2.7", "pad-4.0")
    threads: Annotated[int, Field(ge=1, le=16)] = 2
    provider: Provider = "cpu"
    """The thresholds were measured with "cpu"."""
    research_only: bool = False
    """The admin's word that this door may use an embedder whose weights are for research only."""


class QualityConfig(Section):
    """[quality]: conditions for comparing a face."""

    min_face: Annotated[float, Field(ge=40, le=1000)] = 64.0
    """Smallest width of the face's box in pixels of the frame."""
    min_sharpness: Annotated[float, Field(ge=0)] = 15.0
    """Smallest variance of the Laplacian of the aligned face. On LFW it is 58 and more; with 2 px of blur the median is
    19."""
    guide: Share = 0.8
    """The face's centre must lie within this share of the frame's width and height."""


class AttemptConfig(Section):
    """[attempt]: n of m frames of one track, in at most `seconds`."""

    needed: Annotated[int, Field(ge=1, le=30)] = 3
    window: Annotated[int, Field(ge=1, le=60)] = 5
    seconds: Annotated[float, Field(gt=0, le=3)] = 3.0
    pause: Annotated[float, Field(ge=0, le=60)] = 1.5
    """Seconds between a refusal and the next attempt. Doubles from the fourth refusal in a row on, up to 30 s."""
    rest: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Seconds after a grant until the next attempt, unless the person has left before."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.needed > self.window:
            raise ValueError("needed is larger than window: nobody could ever be let in")
        return self


class PolicyConfig(Section):
    """[policy]"""

    fpir: Annotated[float, Field(gt=0, le=0.1)] = 0.001
    """The share of searches in which a person who is not enrolled may match a subject. It gives the threshold, with the
    manifest's table and the gallery's size (domain.thresholds). At most 0.001 with a real lock."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A fixed threshold for every size of the gallery; None computes it from `fpir`."""
    pad_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    refusals_an_hour: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """This many refusals of people within an hour turn face alone off for an hour (domain.refusals). None: no limit."""
    grant_seconds: Annotated[float, Field(gt=0, le=1.5)] = 1.5
    """A grant is void if it has not reached the door this many seconds after its frame was taken."""


class ClockConfig(Section):
    """[clock]: when to trust the wall clock, which decides when rights begin and end (station.timekeeping)."""

    trust: Literal["rtc", "ntp"] = "rtc"
    """"rtc": trust it at once, for a board with a battery clock. "ntp": trust it once systemd-timesyncd or chrony has
    set it since the machine started, for a board without such a clock."""


class AuditConfig(Section):
    """[audit]: the log of what happened (storage.audit)."""

    checkpoint_records: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 200
    """A checkpoint is made after so many records."""
    checkpoint_minutes: Annotated[float, Field(gt=0, le=1440)] = 15.0
    """And after so many minutes, if anything was recorded. What was recorded since the newest checkpoint that somebody
    else holds can be rewritten by whoever has the key."""
    subject_ids: bool = True
    """Whether decisions and outcomes say who it was."""


class NotifyConfig(Section):
    """[notify]: the process that reports to others."""

    outbox: FilePath = Path("/var/lib/kiosk-notify/outbox.db")
    """The file in which notices wait until they are delivered."""
    capacity: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """Most waiting notices for each notifier."""
    retry_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """The longest pause between two tries to deliver."""
    socket: FilePath = Path("/run/kiosk-events/kiosk.sock")
    """The socket of the kiosk's own events, for kiosk-notify."""
    subscribers: tuple[str, ...] = ()
    """Users that may subscribe to these events, in addition to the kiosk's own user."""
    names: bool = False
    """Whether the kiosk sends names of subjects, or only their ids."""


class NotifierConfig(PluginSection):
    """[notifiers.NAME]: one notifier."""

    alarms_only: bool = False
    """Whether this notifier gets only alarms, faults and their ends, and nothing about people who come and go."""
