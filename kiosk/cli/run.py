"""`kiosk run`: runs the kiosk; without a configuration it runs the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import click

from kiosk import config
from kiosk.cli.console import complain, config_option, home_of, json_option, log_to_stderr, say
from kiosk.cli.front import Console, Stop, Window
from kiosk.domain.face import Frame
from kiosk.domain.ports.camera import Camera
from kiosk.domain.updates import Update
from kiosk.gui.app import display_available
from kiosk.gui.setting import Setting
from kiosk.station import assembly, locked
from kiosk.station.loop import unfailing
from kiosk.station.names import Names
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import chosen
from kiosk.storage.passphrase import PassphraseKey
from kiosk.system import systemd
from kiosk.system.owner import become_owner


@click.command()
@config_option
@click.option("--headless", is_flag=True, help="No window; decisions on lines. Chosen by itself without a display.")
@click.option("--screenshot", type=click.Path(dir_okay=False, path_type=Path), help="Write the window as PNG.")
@click.option("--full-screen", is_flag=True, help="The window fills the screen.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    config_file: Path | None,
    headless: bool,
    screenshot: Path | None,
    full_screen: bool,
    as_json: bool,
) -> None:
    """Watches the camera and opens the door for people who may pass.

    Without a configuration this is the demonstration: simulated visitors and a simulated lock. Headless, its story
    runs once; the exit status is 0 if every decision was the expected one.
    """
    with closing(log_to_stderr()):
        found = config.find(config_file)
        settings = config.read(found) if found is not None else None
        seen = not headless and display_available()
        if not seen and not headless:
            complain("no display answers: running without a window, as with --headless")
        if settings is None:
            good = _demonstrate(seen, screenshot, full_screen, as_json)
        else:
            folder = home_of(ctx.obj, found)
            home = Home(folder, chosen(settings.keys, folder))
            become_owner(folder)
            good = _serve(settings, home, seen, screenshot, full_screen, as_json)
    ctx.exit(0 if good else 1)


def _demonstrate(seen: bool, screenshot: Path | None, full_screen: bool, as_json: bool) -> bool:
    """Runs the story, repeated without end if the window is visible; else once, and then staff's part of it. True when
    every decision was as expected, or when the person at the window ended it."""
    from kiosk.demonstration import stage  # noqa: PLC0415 - a real kiosk never loads it

    complain(stage.NOTICE)
    play = stage.Play(alone=not seen, say=complain if as_json else say)
    if seen:
        complain(stage.WAYS_HINT)
    setting = Setting(ways=stage.ENTRY.ways, visitors=True, lock=True, staff=stage.STAFF_HINT)
    # Starts the window before there is a folder with a key in it, because a window may fail to start.
    front = Front(seen, screenshot, full_screen, as_json, setting, play.score.remark)
    front.listeners.append(unfailing(play.take))
    front.started = play.begin
    with stage.stage(None if seen else complain) as (settings, home):
        front.run(settings, home, play.camera)
    return seen or play.good


def _serve(
    settings: config.Config, home: Home, seen: bool, screenshot: Path | None, full_screen: bool, as_json: bool
) -> bool:
    """Runs a configured kiosk until a signal or the end of its recording. False when it died."""
    camera = assembly.camera(settings.camera)
    pretended = settings.lock is not None and settings.lock.kind == "simulated"
    ways, guide = settings.entry.ways, settings.quality.guide
    setting = Setting(settings.screen, ways, guide, visitors=not camera.live, lock=pretended)
    front = Front(seen, screenshot, full_screen, as_json, setting, lambda _: "", settings.audit.subject_ids)
    return front.run(settings, home, camera)


class Front:
    """A kiosk with its console and, if it is visible or needed for a screenshot, its window."""

    def __init__(
        self,
        seen: bool,
        screenshot: Path | None,
        full_screen: bool,
        as_json: bool,
        setting: Setting,
        remark: Callable[[Update], str],
        who: bool = True,
    ) -> None:
        """`who`: see Console. Raises KioskError when the window cannot be opened or the screenshot not be written."""
        self._names = Names()
        self._full_screen = full_screen
        self._stop = Stop()
        self.started: Callable[[assembly.Kiosk], None] = lambda _: None
        """Is told of the running kiosk."""
        self._console = Console(as_json, self._names, remark, who)
        self._window = (
            Window(self._names, setting, offscreen=not seen, picture=screenshot) if seen or screenshot else None
        )
        # Each listener is wrapped: if one fails, the next still gets the event.
        self.listeners: list[Callable[[Update], None]] = [unfailing(self._console.publish)]
        if self._window is not None:
            self.listeners.append(unfailing(self._window.bridge.publish))

    def run(self, settings: config.Config, home: Home, camera: Camera) -> bool:
        """Runs the kiosk. False when it died. Raises KioskError when the kiosk cannot start."""
        with ExitStack() as stack:
            stack.callback(self._console.close)
            if self._window is not None:
                stack.callback(self._window.close)
            if not self._unlocked(settings, home):
                return True
            kiosk = stack.enter_context(assembly.running(settings, home, self._publish, self._show, camera))
            if self._window is not None:
                self._window.ask = kiosk.entrance.ask
            # A connection of its own, because only one thread at a time may use one. Not opened read-only: a read-only
            # connection that cannot share the file reads it without locks, and closing it would drop the locks of this
            # process's other connections.
            directory = open_gallery(home, check=False)
            self._names.open(stack.enter_context(closing(directory)))
            stack.callback(self._names.close)
            if self._window is not None:
                self._window.staff = kiosk.staff
            self.started(kiosk)
            systemd.notify("READY=1")
            self._until(lambda: self._stop.due(kiosk))
            if self._window is not None:
                self._window.snap()
            systemd.notify("STOPPING=1")
            return not kiosk.died

    def _unlocked(self, settings: config.Config, home: Home) -> bool:
        """Waits for the passphrase of the key, if one is needed. False when the kiosk is to stop before. Raises
        KioskError."""
        source = home.keys
        if not isinstance(source, PassphraseKey) or not source.waiting:
            return True
        with locked.waiting(settings, home, source, self._publish) as opened:
            systemd.notify("READY=1\nSTATUS=waiting for the passphrase: kiosk unlock")
            self._until(lambda: self._stop.waited(opened))
        systemd.notify("STATUS=")
        return opened.is_set() and not self._stop.flag.is_set()

    def _until(self, due: Callable[[], bool]) -> None:
        if self._window is not None:
            self._window.wait(due, self._full_screen)
        else:
            self._console.wait(due, self._stop)

    def _publish(self, event: Update) -> None:
        for listener in self.listeners:
            listener(event)

    def _show(self, frame: Frame) -> None:
        if self._window is not None:
            self._window.bridge.show_frame(frame)
