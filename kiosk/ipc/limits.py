"""Limits what each user of the door's sockets can use: log lines, and time of the loop. Each user has separate limits,
so that no user's flood hides or delays what another user does."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from kiosk.system.systemd import log

LINES_AT_ONCE = 10
LINE_SECONDS = 10.0
"""Log lines of one user and kind: LINES_AT_ONCE at once, then one in LINE_SECONDS."""
MAX_KINDS = 200
"""Most pairs of user and kind that are counted separately."""
LONGEST_PAUSE = 0.2
"""Longest pause of a client in seconds. If the client dies in the pause, its release is secured only after it."""
SHARE = 0.25
"""Share of a core that one user's packets may cost kiosk-door in the long run."""
SAVED_SECONDS = 0.1
"""Processor time that one user's packets may cost at once after a quiet time."""


@dataclass(slots=True)
class _Lines:
    level: str
    left: float
    at: float
    left_out: int = 0


class Seldom:
    """Writes log lines that other users can cause. Counts and reports the lines that it leaves out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[int, str], _Lines] = {}

    def log(self, level: str, event: str, uid: int, **fields: object) -> None:
        """Logs a line about an action of the user `uid`, unless there were too many."""
        now = self._clock()
        if (uid, event) not in self._kinds and len(self._kinds) >= MAX_KINDS:
            self.flush()
            for key in [k for k, lines in self._kinds.items() if lines.left + (now - lines.at) / LINE_SECONDS > 1]:
                del self._kinds[key]
            if len(self._kinds) >= MAX_KINDS:
                return
        lines = self._kinds.setdefault((uid, event), _Lines(level, LINES_AT_ONCE, now))
        lines.left = min(LINES_AT_ONCE, lines.left + (now - lines.at) / LINE_SECONDS)
        lines.at = now
        if lines.left < 1:
            lines.left_out += 1
            return
        self._tell_left_out(uid, event, lines)
        lines.left -= 1
        log(level, event, uid=uid, **fields)

    def flush(self) -> None:
        """Reports how many lines were left out for kinds that have become quiet. Call it regularly."""
        now = self._clock()
        for (uid, event), lines in self._kinds.items():
            if lines.left_out and lines.left + (now - lines.at) / LINE_SECONDS >= 1:
                self._tell_left_out(uid, event, lines)

    @staticmethod
    def _tell_left_out(uid: int, event: str, lines: _Lines) -> None:
        if lines.left_out:
            log(lines.level, "lines_left_out", uid=uid, of=event, count=lines.left_out)
            lines.left_out = 0


@dataclass(slots=True)
class _Account:
    saved: float
    at: float


class Throttle:
    """Pauses reading from a user whose packets cost more than the user's share. The loop calls resume(). Unread packets
    wait in the user's own sockets."""

    def __init__(self, selector: selectors.BaseSelector, clock: Callable[[], float] = time.monotonic) -> None:
        self._selector = selector
        self._clock = clock
        self._accounts: dict[int, _Account] = {}
        self._paused: dict[int, selectors.SelectorKey] = {}
        self._due: dict[int, float] = {}

    @property
    def due_in(self) -> float | None:
        """Seconds until resume() is due; None if no client is paused."""
        return max(0.0, min(self._due.values()) - self._clock()) if self._due else None

    def spend(self, uid: int, seconds: float) -> float:
        """Adds the cost of a packet. Returns for how many seconds to pause this user."""
        now = self._clock()
        account = self._accounts.setdefault(uid, _Account(SAVED_SECONDS, now))
        account.saved = min(SAVED_SECONDS, account.saved + SHARE * (now - account.at)) - seconds
        account.at = now
        return min(LONGEST_PAUSE, max(0.0, -account.saved / SHARE))

    def pause(self, file: int, seconds: float) -> None:
        """Stops reading from this descriptor for `seconds`."""
        self._paused[file] = self._selector.unregister(file)
        self._due[file] = self._clock() + seconds

    def forget(self, file: int) -> bool:
        """Call it before this descriptor is closed. True if it was paused; then the selector does not know it."""
        self._due.pop(file, None)
        return self._paused.pop(file, None) is not None

    def resume(self) -> None:
        """Reads again from descriptors whose pause is over. If the kernel has no room for that now, it tries later."""
        now = self._clock()
        for file in [file for file, due in self._due.items() if now >= due]:
            key = self._paused[file]
            try:
                self._selector.register(key.fileobj, key.events, key.data)
            except OSError:
                self._due[file] = now + LONGEST_PAUSE
                continue
            del self._paused[file], self._due[file]


class Limits:
    """Both limits for the sockets of one loop."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.seldom = Seldom()
        self.throttle = Throttle(selector)
