"""The output of `kiosk run`: lines on a console, and a window if one is wanted."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from types import FrameType

import structlog

from kiosk.cli.console import Row, as_json_line, names_wanted, output_outlet
from kiosk.cli.decisions import decision_line, decision_row, door_row
from kiosk.domain.entry import EntryRequest
from kiosk.domain.errors import KioskError
from kiosk.domain.staffing import StaffRequest
from kiosk.domain.updates import Decided, DoorAnswered, DoorChanged, Faulted, Recovered, Unexplained, Update
from kiosk.gui.setting import Setting
from kiosk.station import assembly
from kiosk.system import systemd

log = structlog.get_logger("kiosk")
NameOf = Callable[[str], str | None]
TURN_SECONDS = 0.2
"""How often the console checks whether it must stop."""
POSE_SECONDS = 0.5
"""Delay from the door's release to the screenshot, until the screen no longer changes."""


class Stop:
    """A flag that SIGTERM and SIGINT set."""

    def __init__(self) -> None:
        self.flag = Flag()
        self._silent: list[str] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.flag.set()

    def waited(self, opened: Flag) -> bool:
        """Whether a locked kiosk need wait no longer: after a signal, or with the passphrase. Also feeds the
        watchdog."""
        systemd.notify("WATCHDOG=1")
        return self.flag.is_set() or opened.is_set()

    def due(self, kiosk: assembly.Kiosk) -> bool:
        """Whether the kiosk must stop: after a signal, at the end of its recording, or because it is dead. Also feeds
        the watchdog.

        A fault that only a restart can mend stops the kiosk at once: the unit starts it again, so that people are not
        refused for ever."""
        if kiosk.lost is not None:
            log.error("restart_needed", message=kiosk.lost)
            return True
        silent = assembly.feed_watchdog(kiosk)
        if silent != self._silent:
            self._silent = silent
            log.warning("silent_threads", names=silent)
        return self.flag.is_set() or kiosk.finished.is_set()


class Console:
    """Prints each event as a line. The kiosk's threads call `publish`; it never waits for the console, and lines that
    cannot be written are lost. Only a terminal gets names; a journal or a file gets subject ids."""

    def __init__(self, as_json: bool, name_of: NameOf, remark: Callable[[Update], str], who: bool = True) -> None:
        """`who`: whether lines about decisions say who it was."""
        self._as_json = as_json
        self._who = who
        self._name_of: NameOf = name_of if names_wanted() else lambda _: None
        self._remark = remark
        self._outlet = output_outlet()
        self._lost_told = False

    def publish(self, event: Update) -> None:
        """Prints an event. Skips events that only concern the window."""
        said = self._said(event)
        if said is None:
            return
        row, line = said
        self._outlet.put(as_json_line(row) if self._as_json else line + self._remark(event))
        if self._outlet.lost and not self._lost_told:
            self._lost_told = True
            log.warning("console_lost", reason=self._outlet.trouble)

    def close(self) -> None:
        """Writes the waiting lines, but waits only a short time."""
        self._outlet.close()

    def _said(self, event: Update) -> tuple[Row, str] | None:
        match event:
            case Decided(decided):
                decision = decided if self._who else replace(decided, subject_id=None)
                name = self._name_of(decision.subject_id) if decision.subject_id else None
                return decision_row(decision), decision_line(decision, name)
            case DoorAnswered(_, reply):
                return door_row(reply), f"  door: {reply.result.value} {reply.reason}".rstrip()
            case DoorChanged(state):
                return {"event": "door_state", "state": state.value}, f"  lock: {state.value}"
            case Faulted(reason, message):
                return (
                    {"event": "fault", "reason": reason.value, "message": message},
                    f"FAULT {reason.value}: {message}",
                )
            case Unexplained(grant_id, uid):
                return (
                    {"event": "release_without_decision", "grant_id": grant_id, "uid": uid},
                    f"ALARM: the door was released by user {uid} without a decision: grant {grant_id}",
                )
            case Recovered(reason):
                return {"event": "recovered", "reason": reason.value}, f"works again: {reason.value}"
        return None

    def wait(self, due: Callable[[], bool], stop: Stop) -> None:
        """Waits until `due`, for example at the end of the story, or a signal."""
        while not due():
            stop.flag.wait(TURN_SECONDS)


class Window:
    """The window, visible or offscreen. Qt is imported only when a window is made."""

    def __init__(
        self,
        name_of: NameOf,
        setting: Setting,
        offscreen: bool,
        picture: Path | None,
    ) -> None:
        """Raises KioskError when Qt cannot be loaded or `picture` could not be written."""
        from kiosk.gui.app import create_application  # noqa: PLC0415 - loads Qt

        self._application = create_application(sys.argv[:1], offscreen)
        from kiosk.gui.bridge import Bridge  # noqa: PLC0415
        from kiosk.gui.staff.mode import attached  # noqa: PLC0415
        from kiosk.gui.window import KioskWindow  # noqa: PLC0415

        if picture is not None:
            _writable(picture)
        self._picture = picture
        self._turn: Callable[[], None] = lambda: None
        self._pose: float | None = None
        self._posing = False
        self.bridge = Bridge()
        self.ask: Callable[[EntryRequest], None] = lambda _: None
        """Takes what visitors ask for. Set it when the station runs."""
        self.staff: Callable[[StaffRequest], None] = lambda _: None
        """The same for staff."""
        self._window = KioskWindow(
            self.bridge, name_of, setting, ask=self._asked, on_staff=self._open_staff, beat=self._beat
        )
        self._staff = attached(self._window, self.bridge, self._ask_staff)

    def _open_staff(self) -> None:
        self._staff.open()

    def _ask_staff(self, request: StaffRequest) -> None:
        self.staff(request)

    def wait(self, due: Callable[[], bool], full_screen: bool) -> None:
        """Runs Qt's loop until `due`, or the closing of the window."""

        def turn() -> None:
            if due():
                self._window.stop()
                self._application.quit()

        self._turn = turn
        self._posing = True
        if full_screen:
            self._window.show_full_screen()
        else:
            self._window.show()
        self._application.exec()
        self._turn = lambda: None

    def snap(self) -> None:
        """Writes the screenshot, if that has not been done. If nobody was welcomed, it shows the last screen."""
        from kiosk.gui.app import screenshot  # noqa: PLC0415

        picture, self._picture = self._picture, None
        if picture is not None:
            screenshot(self._window, picture)

    def close(self) -> None:
        """Closes the bridge and the window."""
        self.bridge.close()
        self._window.stop()
        self._window.close()

    def _asked(self, request: EntryRequest) -> None:
        self.ask(request)

    def _beat(self) -> None:
        """Called on each tick of the window, ten times a second."""
        self._turn()
        if self._picture is not None and self._posing and self._welcomed():
            self.snap()

    def _welcomed(self) -> bool:
        """Whether the welcome has been shown for POSE_SECONDS. The screenshot is taken then, because it shows most."""
        from kiosk.gui.state import Mode  # noqa: PLC0415

        if self._window.screen_state.mode is not Mode.GRANTED:
            self._pose = None
            return False
        self._pose = self._pose or time.monotonic()
        return time.monotonic() - self._pose >= POSE_SECONDS


def _writable(path: Path) -> None:
    """Checks before the story that the file can be written. Raises KioskError."""
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise KioskError(f"{path}: the screenshot cannot be written ({error.strerror})") from error
