"""What a user of the door's sockets can use up: lines of the log, and the time of the loop. Both are bounded for each
user by itself, so that nobody's flood hides or delays what another does."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from kiosk.system.systemd import log

LINES_AT_ONCE = 10
LINE_SECONDS = 10.0
"""Lines of one user and kind: so many at once, then one in so many seconds."""
MAX_KINDS = 200
"""Users and kinds that are told apart."""
LONGEST_PAUSE = 0.2
"""Seconds: a client that dies meanwhile is noticed after it, and its release secured."""
SHARE = 0.25
"""Of a core: what one user's packets may cost kiosk-door, in the long run..."""
SAVED_SECONDS = 0.1
"""...and so much at once after a quiet."""


@dataclass(slots=True)
class _Lines:
    level: str
    left: float
    at: float
    left_out: int = 0


class Seldom:
    """Writes log lines that somebody else can cause. What is left out is counted, and told."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[int, str], _Lines] = {}

    def log(self, level: str, event: str, uid: int, **fields: object) -> None:
        """One line about what the user `uid` did, unless there were too many."""
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
        """Tells how many lines were left out of what has become quiet. Call it now and then."""
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
    """Stops reading from a user whose packets cost more than its share, until that is made up for; the loop calls
    resume(). What is not read waits in the user's own sockets."""

    def __init__(self, selector: selectors.BaseSelector, clock: Callable[[], float] = time.monotonic) -> None:
        self._selector = selector
        self._clock = clock
        self._accounts: dict[int, _Account] = {}
        self._paused: dict[int, selectors.SelectorKey] = {}
        self._due: dict[int, float] = {}

    @property
    def due_in(self) -> float | None:
        """Seconds until resume() is due; None when nobody waits."""
        return max(0.0, min(self._due.values()) - self._clock()) if self._due else None

    def spend(self, uid: int, seconds: float) -> float:
        """Takes note of what a packet cost. How long (seconds) this user is not to be read from."""
        now = self._clock()
        account = self._accounts.setdefault(uid, _Account(SAVED_SECONDS, now))
        account.saved = min(SAVED_SECONDS, account.saved + SHARE * (now - account.at)) - seconds
        account.at = now
        return min(LONGEST_PAUSE, max(0.0, -account.saved / SHARE))

    def pause(self, file: int, seconds: float) -> None:
        """Does not read from this descriptor for so long."""
        self._paused[file] = self._selector.unregister(file)
        self._due[file] = self._clock() + seconds

    def forget(self, file: int) -> bool:
        """This descriptor is closed next. Whether it was paused: the selector does not know it then."""
        self._due.pop(file, None)
        return self._paused.pop(file, None) is not None

    def resume(self) -> None:
        """Reads again where it is due; later, where the kernel has no room for that now."""
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
    """Both, for the sockets of one loop."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.seldom = Seldom()
        self.throttle = Throttle(selector)
