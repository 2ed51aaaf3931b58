"""The window. It connects presenter, bridge and widgets, and owns no camera, gallery or door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QCoreApplication, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from kiosk.domain.entry import EntryRequest, Means
from kiosk.domain.face import Frame
from kiosk.domain.updates import Update
from kiosk.gui import theme
from kiosk.gui.bridge import Bridge
from kiosk.gui.catalogue import Texts
from kiosk.gui.guard import Guard
from kiosk.gui.look import Look
from kiosk.gui.pads import Pad
from kiosk.gui.presenter import Presenter
from kiosk.gui.setting import Setting
from kiosk.gui.sizes import Measures
from kiosk.gui.sounds import Sounds
from kiosk.gui.state import PAGES, Screen
from kiosk.gui.visitor import Visitor
from kiosk.system.clock import boottime

TICK_MS = 100
LARGEST = QSize(1024, 600)
"""The window on a desktop. In full screen it has the screen's own size."""
OWN_LANGUAGE_SECONDS = 20.0
"""After so long without a touch the screen speaks its first language again."""


def local_time() -> datetime:
    """The wall clock in the machine's time zone."""
    return datetime.now().astimezone()


def nobody_asked(request: EntryRequest) -> None:
    """For a window whose door has no other way in."""


def _drawable(name: str | None) -> str | None:
    """The name; None if the fonts cannot draw it: "Welcome" alone is better than boxes."""
    return name if name is not None and not theme.lacking(name) else None


class KioskWindow(QWidget):
    """The window that people see.

    `name_of` gives a subject's name and must return at once. `ask` takes what visitors want of the station and returns
    at once. `on_staff` is called when the corner was held: it may open a page (`open_page`). `beat` is called on every
    tick, for the watchdog. `timer` triggers the ticks, by default every 100 ms; a test gives a stopped timer and calls
    `tick`. Raises ConfigError for a language without texts.
    """

    def __init__(
        self,
        bridge: Bridge,
        name_of: Callable[[str], str | None],
        setting: Setting | None = None,
        *,
        ask: Callable[[EntryRequest], None] = nobody_asked,
        on_staff: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = boottime,
        wall_clock: Callable[[], datetime] = local_time,
        beat: Callable[[], None] | None = None,
        timer: QTimer | None = None,
    ) -> None:
        super().__init__()
        self._setting = setting if setting is not None else Setting()
        self._languages = self._setting.languages()
        self._presenter = Presenter(
            lambda subject_id: _drawable(name_of(subject_id)),
            self._languages[0],
            self._setting.ways,
            self._setting.screen.second_light,
        )
        self._ask, self._clock, self._wall_clock, self._beat = ask, clock, wall_clock, beat
        self._screen: Screen | None = None
        self._stopping = False
        self.touched_at = clock()
        """When somebody last touched the screen or a key."""
        self._make: Callable[[Look], QWidget] | None = None
        self._page: QWidget | None = None
        self._look = self._looked(self._languages[0], LARGEST)
        self._visitor = Visitor(self, self._setting, self._languages, self._look)
        self._visitor.chosen.connect(self._choose)
        self._visitor.cancelled.connect(self._cancel)
        self._visitor.spoken.connect(self._speak)
        self._visitor.held.connect(on_staff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._sounds = Sounds(self._setting.screen.sounds)
        self.setWindowTitle(QCoreApplication.applicationName())
        screen = QGuiApplication.primaryScreen()
        self.resize(LARGEST.boundedTo(screen.availableSize()) if screen is not None else LARGEST)
        bridge.event_arrived.connect(self._take_event)
        bridge.frame_arrived.connect(self._take_frame)
        self._guard = Guard(self.isFullScreen, self._touched, clock)
        application = QCoreApplication.instance()
        if application is not None:
            application.installEventFilter(self._guard)
            # Nothing of Python may be asked while Qt takes itself apart.
            application.aboutToQuit.connect(self.stop)
        self._timer = timer if timer is not None else self._ticking()
        self._timer.timeout.connect(self.tick)
        self._speak(self._languages[0].language)
        self.tick()

    @property
    def screen_state(self) -> Screen:
        """The screen that is shown now, or would be if no page lay over it."""
        return self._screen if self._screen is not None else self._presenter.screen(self._clock())

    @property
    def look(self) -> Look:
        """Language and sizes of this moment."""
        return self._look

    def open_page(self, make: Callable[[Look], QWidget]) -> None:
        """Lays a page over the visitor's screen. It is made anew when the window gets another size or language."""
        self._asked(self._presenter.cancel())
        self._make = make
        self._show_page(make(self._look))

    def close_page(self) -> None:
        """Back to the visitor's screen."""
        self._make = None
        self._drop_page()
        self._refresh()

    def tick(self) -> None:
        """Updates clock, countdown and screen."""
        if self._beat is not None:
            self._beat()
        now = self._clock()
        self._asked(self._presenter.due(now))
        # A page of staff keeps its language, and what was typed.
        left = self._make is None and now - self.touched_at > OWN_LANGUAGE_SECONDS
        if left and self._look.texts is not self._languages[0]:
            self._speak(self._languages[0].language)
        self._visitor.set_time(self._wall_clock())
        self._refresh()

    def show_full_screen(self) -> None:
        """Fills the screen and hides the pointer."""
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.showFullScreen()

    def stop(self) -> None:
        """From now on the window may be closed. Call it before the application ends."""
        self._stopping = True
        self._sounds.close()
        application = QCoreApplication.instance()
        if application is not None:
            application.removeEventFilter(self._guard)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """At a door nobody closes the window, however they ask: Alt+F4, a window manager."""
        if self.isFullScreen() and not self._stopping:
            event.ignore()
            return
        event.accept()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """No key has the focus before somebody moves it there."""
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Escape ends what was begun; with nothing begun it closes the window, but not in full screen."""
        if event.key() != Qt.Key.Key_Escape:
            return
        if self.screen_state.cancel:
            self._cancel()
        elif not self.isFullScreen():
            self.close()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Measures and lays out everything again."""
        self._visitor.setGeometry(self.rect())
        self._speak(self._look.texts.language)

    def _ticking(self) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(TICK_MS)
        timer.start()
        return timer

    def _looked(self, texts: Texts, size: QSize) -> Look:
        screen = self._setting.screen
        measures = Measures(size.width(), size.height(), screen.diagonal_mm, screen.distance_mm, screen.large)
        return Look(texts, measures, screen.languages, screen.low)

    def _speak(self, language: str) -> None:
        """Takes a language and the present size: makes all parts that depend on them anew."""
        texts = next(t for t in self._languages if t.language == language)
        self._look = self._looked(texts, self.size())
        self._presenter.texts = texts
        right = texts.right_to_left
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft if right else Qt.LayoutDirection.LeftToRight)
        self._visitor.set_look(self._look)
        self._visitor.set_time(self._wall_clock())
        if self._make is not None:
            self._show_page(self._make(self._look))
        else:
            self._drop_page()
        self._refresh()

    def _touched(self) -> None:
        self.touched_at = self._clock()
        self._presenter.touched(self.touched_at)

    def _choose(self, means: Means) -> None:
        self._presenter.choose(means, self._clock())
        self._refresh()

    def _typed(self, text: str) -> None:
        self._asked(self._presenter.typed(text, self._clock()))
        self._refresh()

    def _cancel(self) -> None:
        self._asked(self._presenter.cancel())
        self._refresh()

    def _asked(self, request: EntryRequest | None) -> None:
        if request is not None:
            self._ask(request)

    def _take_event(self, event: Update, at: float) -> None:
        self._presenter.handle(event, at)
        self._refresh()

    def _take_frame(self, frame: Frame, at: float) -> None:
        dim = frame.image[::16, ::16]
        self._presenter.frame_shown(at, float(dim.mean()) if dim.size else None)
        self._refresh()
        if self._page is None:
            self._visitor.set_image(frame.image)

    def _refresh(self) -> None:
        screen = self._presenter.screen(self._clock())
        before, self._screen = self._screen, screen
        self._visitor.set_screen(screen)
        if self._make is None:
            self._show_pad(screen)
        if before is None or before.mode is not screen.mode:
            self._sounds.show(screen.mode)

    def _show_pad(self, screen: Screen) -> None:
        """Opens, follows and closes the page of keys that the screen asks for."""
        page = self._page
        if screen.mode not in PAGES:
            self._drop_page()
            return
        if not isinstance(page, Pad) or page.mode is not screen.mode:
            page = Pad(self._look, screen.mode, self._clock)
            page.entered.connect(self._typed)
            page.went_back.connect(self._cancel)
            self._show_page(page)
        page.set_screen(screen)

    def _show_page(self, page: QWidget) -> None:
        self._drop_page()
        self._page = page
        page.setParent(self)
        # Below the banner, which says what is simulated; on the smallest screens there is no room for both.
        banner = self._visitor.banner
        top = banner.height() if banner.isVisibleTo(self) and not self._look.measures.short else 0
        page.setGeometry(self.rect().adjusted(0, top, 0, 0))
        page.show()
        page.setFocus()

    def _drop_page(self) -> None:
        if self._page is not None:
            self._page.hide()
            self._page.deleteLater()
            self._page = None
