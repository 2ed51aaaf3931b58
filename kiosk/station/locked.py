"""A kiosk that has been started and waits for the passphrase of its key. Nobody is let in meanwhile: there is no
gallery to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag

from kiosk.config import Config
from kiosk.domain.decision import Reason
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.ipc.control_answers import DoneMessage
from kiosk.ipc.control_messages import (
    UnlockRequest,
)
from kiosk.ipc.control_rights import ControlAnswer, ControlRequest
from kiosk.station.announcer import announcing
from kiosk.station.control import serving
from kiosk.storage.home import Home
from kiosk.storage.passphrase import PassphraseKey
from kiosk.system.systemd import log

LOCKED_TEXT = "the kiosk waits for the passphrase of its key: sudo kiosk unlock"


class LockedDesk:
    """Takes the passphrase, and refuses everything else."""

    locked = True

    def __init__(self, source: PassphraseKey, opened: Flag) -> None:
        self._source = source
        self._opened = opened

    def of_somebody_with_a_role(self, request: ControlRequest) -> bool:
        """See station.control.Desk: it changes nobody."""
        return False

    def answer(self, client: int, uid: int, request: ControlRequest) -> ControlAnswer:
        """See station.control.Desk."""
        if not isinstance(request, UnlockRequest):
            raise GalleryError(LOCKED_TEXT)
        try:
            self._source.open(request.passphrase)
        except GalleryError as error:
            log("warning", "unlock_failed", uid=uid, error=str(error))
            raise
        log("info", "unlocked", uid=uid)
        self._opened.set()
        return DoneMessage()

    def forget(self, client: int) -> None:
        """See station.control.Desk."""


class _Nobody:
    """A directory of a gallery that is locked."""

    def subject(self, subject_id: str) -> Subject | None:
        """Raises GalleryError."""
        raise GalleryError(LOCKED_TEXT)


@contextmanager
def waiting(config: Config, home: Home, source: PassphraseKey, publish: Callable[[Update], None]) -> Iterator[Flag]:
    """Serves the control socket during the block. The flag is set once the passphrase has been given. The window,
    the console and the notifiers are told. Raises KioskError."""
    opened = Flag()
    with home.lock(), announcing(config, _Nobody(), publish) as tell:
        tell(Faulted(Reason.LOCKED, LOCKED_TEXT))
        with serving(config.control, home, LockedDesk(source, opened)):
            yield opened
        if opened.is_set():
            tell(Recovered(Reason.LOCKED))
