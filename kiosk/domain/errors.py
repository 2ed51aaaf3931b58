"""All errors of the kiosk. Each message is one line that says what to do.

KioskError
├── ConfigError        the configuration
├── HomeError          the home folder: not writable
│   └── HomeBusyError  in use by another kiosk
├── ModelError         a network or its manifest
├── SampleError        a picture or clip that cannot be used
├── CameraError        a camera that cannot be opened or delivers nothing
├── StageError         a stage of the pipeline, on one frame: a refusal, which says why
├── GalleryError       the database: newer, corrupt, read-only, full
│   ├── GalleryLostError  moved, removed, replaced or damaged in use: only a restart helps, or tells what does
│   ├── OutdatedError  all references are of another network
│   ├── TamperedError  something else than the kiosk has changed it
│   ├── UnsafeError    the threshold does not keep the rate that was asked for
│   └── VaultError     the key: missing, wrong, readable by others
├── DoorError          kiosk-door: not reachable, refused to speak
│   ├── NotAllowedError    it does not do that for this user
│   └── LockError      the lock's hardware
│       └── LockLostError  it is gone, or not as it was set
├── ConsentError       a text of consent: missing, unknown; or nobody has agreed
├── PassError          a visitor pass: malformed, or it cannot be made
├── BackupError        a backup: foreign, damaged, cut off, cannot be written or opened
├── NotifierError      a notifier: not delivered now, or wrongly configured
│   └── NoticeRefusedError  the other side will never take this notice
├── OutboxError        the outbox of kiosk-notify
│   └── OutboxLostError    moved, removed or replaced in use: only a restart helps
└── OutputError        standard output
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiosk.domain.decision import Reason


class KioskError(Exception):
    """An error that ends a command with exit status 2. Its message is one line."""


class ConfigError(KioskError):
    """A configuration that is missing, unreadable or wrong."""


class HomeError(KioskError):
    """A home folder that cannot be used."""


class HomeBusyError(HomeError):
    """Another kiosk runs on this home."""


class ModelError(KioskError):
    """A network that is missing, damaged or not the one of the manifest."""


class SampleError(KioskError):
    """A picture, folder or clip that cannot be used for the command."""


class CameraError(KioskError):
    """A camera that cannot be opened or gives no more frames."""


class GalleryError(KioskError):
    """A database that cannot be used."""


class GalleryLostError(GalleryError):
    """A database or key that was replaced after it was opened. The process ends, and systemd starts it again."""


class OutdatedError(GalleryError):
    """A gallery whose references were all made with another network than the one that runs."""


class TamperedError(GalleryError):
    """A gallery that was damaged, or changed by something else than the kiosk: nothing in it is believed."""


class UnsafeError(GalleryError):
    """A gallery that is too large for the network's measured rates, or for the fixed threshold."""


class VaultError(GalleryError):
    """A key that is missing, wrong or badly protected."""


class BackupError(KioskError):
    """A backup that cannot be made, or cannot be believed or opened."""


class ConsentError(KioskError):
    """A text of consent that is not there, or a consent that was not given."""


class PassError(KioskError):
    """A text that is no visitor pass, or a pass that cannot be made."""


class DoorError(KioskError):
    """kiosk-door does not answer, or answers wrongly."""


class LockError(DoorError):
    """A lock that cannot be driven."""


class LockLostError(LockError):
    """A lock that reports that it is gone or not as it was set. It is not known whether it is secured."""


class NotAllowedError(DoorError):
    """kiosk-door does not do that for this user. The connection is as good as before."""


class StageError(KioskError):
    """A stage failed on this frame; `reason` names it."""

    def __init__(self, reason: Reason, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.reason = reason


class NotifierError(KioskError):
    """A notice could not be delivered now, or a notifier cannot work as it is configured."""


class NoticeRefusedError(NotifierError):
    """The other side has read this notice and will never accept it, so trying again is useless."""


class OutboxError(KioskError):
    """The outbox cannot be used."""


class OutboxLostError(OutboxError):
    """The outbox was moved, removed or replaced in use. Writes would be lost. Only a restart helps."""


class OutputError(KioskError):
    """Standard output cannot be written. `reader_gone`: the reader closed the pipe; that needs no message."""

    def __init__(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        super().__init__(f"standard output cannot be written: {reason}")
        self.reader_gone = isinstance(error, BrokenPipeError)


def os_trouble(error: OSError) -> str:
    """One line about a file error: which file, why, and what to do if rights are missing."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno in {errno.EACCES, errno.EPERM}:
        reason += ": run this as a user that may (`sudo -u kiosk kiosk ...`), or see to the rights of its folders"
    elif error.errno == errno.ENOENT and not name:
        reason += ": the folder that this runs in may be gone: change to another"
    return f"{name}: {reason}" if name else reason
