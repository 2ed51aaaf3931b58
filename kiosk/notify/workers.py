"""One thread for each notifier. It takes the oldest notice from the outbox and tries until it is delivered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag
from threading import Thread

import stamina

from kiosk.domain.errors import NoticeRefusedError, NotifierError, OutboxError
from kiosk.domain.notices import SILENT, Notifier
from kiosk.notify.outbox import Outbox
from kiosk.system.systemd import log

FIRST_PAUSE = 0.5
"""Pause in seconds after the first failure. Each further failure doubles it."""
IDLE_SECONDS = 2.0
"""How often a worker checks the outbox unasked: `kiosk notify test` puts its notice in from another process."""


class Worker:
    """Delivers to one notifier in order: a notice that cannot be delivered holds up those behind it.

    No error of a notifier ends the thread, and a notifier that hangs delays only itself. The thread is a daemon: a
    delivery cut off by the end of the process stays in the outbox.
    """

    def __init__(self, name: str, notifier: Notifier, outbox: Outbox, retry_seconds: float) -> None:
        """Owns `notifier` from now on. `retry_seconds` is the longest pause between two tries."""
        self._name = name
        self._notifier = notifier
        self._outbox = outbox
        self._retry_seconds = retry_seconds
        self._news = Flag()
        self._stop = Flag()
        self._trouble = ""
        self._thread = Thread(target=self._run, name=f"notifier-{name}", daemon=True)

    def start(self) -> None:
        """Starts the thread; call it once."""
        self._thread.start()

    def wake(self) -> None:
        """Tells the worker that a new notice waits."""
        self._news.set()

    def stop(self) -> None:
        """Makes the worker begin no further notice."""
        self._stop.set()
        self._news.set()

    def join(self, timeout: float) -> None:
        """Waits for the delivery in progress, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._news.clear()
                self._deliver_all()
                self._news.wait(IDLE_SECONDS)
        finally:
            with suppress(Exception):
                self._notifier.close()

    def _deliver_all(self) -> None:
        while self._until_it_works(self._deliver_one):
            pass

    def _until_it_works(self, action: Callable[[], bool]) -> bool:
        """Repeats `action` with growing pauses until it raises nothing. False once stop() was called."""
        for attempt in stamina.retry_context(
            on=Exception,
            attempts=None,
            timeout=None,
            wait_initial=min(FIRST_PAUSE, self._retry_seconds),
            wait_max=self._retry_seconds,
            wait_jitter=min(FIRST_PAUSE, self._retry_seconds),
        ):
            with attempt:
                if self._stop.is_set():
                    return False
                try:
                    return action()
                except Exception as error:
                    self._troubled(error)
                    raise
        return False

    def _deliver_one(self) -> bool:
        """Delivers the oldest notice. Reads it again for each try, because a notice that waits long may have been
        dropped. False when nothing waits."""
        waiting = self._outbox.head(self._name)
        if waiting is None:
            return False
        try:
            if waiting.notice.kind not in SILENT or getattr(self._notifier, "remote", False) is True:
                self._notifier.notify(waiting.notice)
        except NoticeRefusedError as error:
            log("warning", "notice_refused", notifier=self._name, notice=waiting.notice.id, error=str(error))
            self._outbox.refuse(self._name, waiting)
            return True
        self._outbox.done(waiting)
        if self._trouble:
            log("info", "notifier_works_again", notifier=self._name)
            self._trouble = ""
            self._outbox.trouble(self._name, "")
        return True

    def _troubled(self, error: Exception) -> None:
        """Logs and stores a trouble once, not with each try."""
        known = isinstance(error, NotifierError | OutboxError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        if message != self._trouble:
            log("warning", "notifier_failed", notifier=self._name, error=message)
            self._trouble = message
            with suppress(OutboxError):
                self._outbox.trouble(self._name, message)
