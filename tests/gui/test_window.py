"""The window itself, offscreen."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain.decision import Reason
from kiosk.domain.entry import Claim, Claimed, GaveUp, Means, PinTyped, Step, Ways
from kiosk.domain.errors import ConfigError, KioskError
from kiosk.domain.face import Quality
from kiosk.domain.updates import EntryChanged, Observed, Waiting
from kiosk.gui import words
from kiosk.gui.app import screenshot
from kiosk.gui.catalogue import Texts, texts
from kiosk.gui.sizes import NEAR_MM, Letters, Measures
from kiosk.gui.state import Mode
from kiosk.screen import ScreenConfig
from tests.gui.kit import FACE, GRANTED, SIZES, STATES, Kit, frame

pytestmark = pytest.mark.qt


def config(size: str, language: str = "en", large: bool = False) -> ScreenConfig:
    _, _, diagonal, distance = SIZES[size]
    other = "de" if language == "en" else "en"
    return ScreenConfig(
        diagonal_mm=diagonal, distance_mm=distance, languages=(language, other), large=large, sounds=False
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("large", [False, True])
def test_every_instruction_has_letters_that_are_read_from_the_reading_distance(
    make: Callable[..., Kit], size: str, language: str, large: bool
) -> None:
    """Letters of at least 20 and 14 minutes of arc, nothing cut, for every text that a visitor can meet."""
    from kiosk.gui.widgets import Message

    kit = make(screen=config(size, language, large))
    read, plain = texts(language), Measures(*SIZES[size])
    for state in ("idle", "door"):
        kit.show(*SIZES[size][:2], STATES[state])
        message: Message = kit.window._visitor.message
        assert message.isVisible()
        for headline, detail in said(read) if state == "idle" else broken(read):
            fit = message.fit(headline, detail, code=state == "door")
            if language != "ar":  # has no capitals; its letters reach further up and down
                assert fit.headline >= plain.font_px(Letters.INSTRUCTION) - 0.01, (headline, detail)
                assert fit.detail >= plain.font_px(Letters.SECOND) - 0.01, (headline, detail)
            assert fit.badge + fit.above + fit.below <= message.height(), (headline, detail)


def said(read: Texts) -> list[tuple[str, str]]:
    """Headline and detail of every screen with a picture, on a door that offers every way in."""
    every = [*words.FLAWS.values(), *words.HINTS.values(), words.refused(Reason.NOT_ENROLLED), words.SEVERAL]
    every += [words.IDLE, words.DARK, words.CHECKING, words.NO_EVIDENCE, words.LET_IN, words.HELD_OPEN, words.SCAN]
    every += [words.LOOK_HERE, words.DOOR_STAYED_CLOSED, words.TRY_AGAIN, words.PRESENTED, words.STARTING]
    ways = words.other_ways(read, frozenset(Means))
    found = [(w.headline(read), ways if w.ways else w.detail(read)) for w in every]
    # Each can stand there for three seconds without evidence; then the other ways in are its second line.
    found += [(w.headline(read), ways) for w in every]
    found += [(words.welcome(read, "Amira Okonkwo"), words.WELCOME.detail(read))]
    return [*found, (words.WAIT.headline(read), f"{read('way.wait', seconds=30)}\n{ways}")]


def broken(read: Texts) -> list[tuple[str, str]]:
    """Of every screen without a picture: on a door that offers everything, and on one that offers nothing."""
    return [
        (w.headline(read), f"{w.detail(read)}\n{words.other_ways(read, ways)}")
        for w in {*words.BROKEN.values()}
        for ways in (frozenset(Means), frozenset[Means]())
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_what_is_read_from_near_has_three_millimetres(make: Callable[..., Kit], size: str, language: str) -> None:
    from PySide6.QtCore import Qt

    from kiosk.gui.sizes import CAP
    from kiosk.gui.toolkit.fitting import fitted

    kit = make(screen=config(size, language), simulated=True)
    kit.show(*SIZES[size][:2], STATES["idle"])
    visitor, per_mm = kit.window._visitor, Measures(*SIZES[size]).per_mm
    flags = int(Qt.TextFlag.TextWordWrap)
    for line in (visitor.privacy, visitor.time):
        font, _ = fitted(line._text, line._pixels, False, line.width(), line.height(), flags)
        assert font.pixelSize() * CAP / per_mm >= NEAR_MM * 0.97, line._text
    for key in visitor.bar.keys.values():
        if key.isVisible():
            assert min(key.width(), key.height()) >= kit.window.look.measures.touch
            assert visitor.bar.rect().contains(key.geometry()), key.text()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_drawn_at_every_size(make: Callable[..., Kit], state: str, size: str) -> None:
    kit = make(screen=config(size), simulated=True, name="Maximilian-Alexander Wolfeschlegelsteinhausen")
    kit.show(*SIZES[size][:2], STATES[state])
    shown = kit.grab()
    assert shown.shape == (SIZES[size][1], SIZES[size][0], 3)
    assert shown.std() > 5


def test_a_screen_smaller_than_the_window_would_be_is_not_exceeded(make: Callable[..., Kit]) -> None:
    """The offscreen platform has a screen of 800 x 800."""
    kit = make()
    available = kit.application.primaryScreen().availableSize()
    assert kit.window.width() <= available.width()
    assert kit.window.height() <= available.height()


def test_a_language_without_texts_is_refused(make: Callable[..., Kit]) -> None:
    with pytest.raises(ConfigError, match="no texts in 'xx'"):
        make(screen=ScreenConfig(languages=("xx",)))


def click(kit: Kit, key: str) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    QTest.mouseClick(kit.window._visitor.bar.keys[key], Qt.MouseButton.LeftButton)
    kit.application.processEvents()


def type_in(kit: Kit, digits: str) -> None:
    """Touches the keys of the page that is open, then OK."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from kiosk.gui.pads import Pad

    pad = kit.window.findChild(Pad)
    assert pad is not None
    for digit in digits:
        QTest.mouseClick(pad.keypad.keys[digit], Qt.MouseButton.LeftButton)
    QTest.mouseClick(pad.keypad.enter, Qt.MouseButton.LeftButton)
    kit.application.processEvents()


def test_a_number_and_a_pin_are_typed_with_a_finger(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    click(kit, "number")
    assert kit.window.screen_state.mode is Mode.NUMBER
    type_in(kit, "4711")
    assert kit.asked == [Claimed(Claim(Means.NUMBER, "4711"))]
    kit.bridge.publish(EntryChanged(Step.PIN))
    kit.application.processEvents()
    type_in(kit, "204060")
    assert kit.asked[1:] == [PinTyped("204060")]
    kit.bridge.publish(EntryChanged(Step.WAIT, 30.0))
    kit.application.processEvents()
    type_in(kit, "204060")
    assert kit.asked[2:] == []
    kit.wait(31)
    assert kit.window.screen_state.mode is Mode.IDLE, "no PIN is asked for that nobody would look at"


def test_the_whole_flow_works_with_the_keyboard_alone(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    kit = make()
    kit.show(800, 480, STATES["idle"])

    def press(key: Qt.Key) -> None:
        kit.now += 0.3
        QTest.keyClick(kit.application.focusWidget() or kit.window, key)
        kit.application.processEvents()

    press(Qt.Key.Key_Tab)
    press(Qt.Key.Key_Return)
    assert kit.window.screen_state.mode is Mode.NUMBER
    for key in (Qt.Key.Key_4, Qt.Key.Key_7, Qt.Key.Key_1, Qt.Key.Key_1, Qt.Key.Key_Return):
        press(key)
    assert kit.asked == [Claimed(Claim(Means.NUMBER, "4711"))]
    kit.bridge.publish(EntryChanged(Step.PIN))
    kit.application.processEvents()
    for digit in "204060":
        press(Qt.Key(ord(digit)))
    press(Qt.Key.Key_Escape)
    assert kit.asked[1:] == [GaveUp()]
    assert kit.window.screen_state.mode is Mode.IDLE


def test_who_leaves_the_keys_is_forgotten(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["pin"])
    kit.wait(19)
    assert kit.window.screen_state.mode is Mode.PIN
    kit.wait(2)
    assert kit.window.screen_state.mode is Mode.STARTING
    assert kit.asked == [GaveUp()]


def test_a_touch_of_a_key_counts_as_a_touch(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    kit = make()
    kit.show(800, 480, STATES["pin"])
    kit.wait(19)
    QTest.mouseClick(kit.window.windowHandle(), Qt.MouseButton.LeftButton, pos=kit.window.rect().center())
    assert kit.window.touched_at == kit.now
    kit.wait(19)
    assert kit.window.screen_state.mode is Mode.PIN


def test_the_corner_calls_staff_after_three_seconds_and_not_before(make: Callable[..., Kit]) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    kit = make()
    kit.show(800, 480, STATES["idle"])
    corner = kit.window._visitor.corner
    assert corner._timer.interval() == 3000
    QTest.mousePress(corner, Qt.MouseButton.LeftButton)
    assert corner._timer.isActive()
    QTest.mouseRelease(corner, Qt.MouseButton.LeftButton)
    assert not corner._timer.isActive()
    QTest.mousePress(corner, Qt.MouseButton.LeftButton)
    corner._timer.timeout.emit()
    assert kit.staff == 1
    QTest.mouseRelease(corner, Qt.MouseButton.LeftButton)
    corner._timer.timeout.emit()
    assert kit.staff == 1


def test_a_page_lies_over_the_visitors_screen_until_it_is_closed(make: Callable[..., Kit]) -> None:
    from kiosk.gui.toolkit.page import Page

    kit = make()
    kit.show(800, 480, STATES["idle"])
    kit.window.open_page(lambda look: Page(look, "corner.name"))
    assert [page.size() for page in kit.window.findChildren(Page) if page.isVisible()] == [kit.window.size()]
    kit.bridge.publish(EntryChanged(Step.PIN))
    kit.window.resize(1024, 600)
    kit.application.processEvents()
    pages = [page for page in kit.window.findChildren(Page) if page.isVisible()]
    assert [(page.size(), page.title.text()) for page in pages] == [(kit.window.size(), "Staff")]
    kit.window.close_page()
    kit.application.processEvents()
    assert [page.title.text() for page in kit.window.findChildren(Page) if page.isVisible()] == ["Your PIN"]


def test_a_visitor_chooses_the_language_and_the_next_one_finds_the_first(make: Callable[..., Kit]) -> None:
    kit = make(screen=ScreenConfig(languages=("en", "de", "ar"), sounds=False))
    kit.show(800, 480, STATES["idle"])
    click(kit, "de")
    assert kit.window.screen_state.headline == texts("de")("idle.headline")
    click(kit, "ar")
    left = kit.window._visitor.preview.x()
    assert left > 400, "mirrored"
    kit.wait(21)
    assert kit.window.screen_state.headline == texts("en")("idle.headline")
    assert kit.window._visitor.preview.x() < 100


def test_a_window_of_one_language_and_no_other_way_has_no_keys(make: Callable[..., Kit]) -> None:
    kit = make(ways=Ways())
    kit.show(800, 480, STATES["idle"])
    assert [key for key in kit.window._visitor.bar.keys.values() if key.isVisible()] == []


def test_the_preview_is_a_mirror(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    shown = kit.grab()
    left, right = shown[215, 40].mean(), shown[215, 335].mean()
    assert right > left + 10


def test_each_picture_is_drawn_once(make: Callable[..., Kit], monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame, and what was seen on it, come to the window one after another."""
    from kiosk.gui.preview import Preview

    asked: list[int] = []
    kit = make()
    kit.show(800, 480, STATES["checking"])
    monkeypatch.setattr(Preview, "update", lambda _: asked.append(1))
    for number in range(10, 30):
        kit.now += 1 / 15
        kit.bridge.show_frame(frame(number))
        kit.application.processEvents()
        kit.bridge.publish(Observed(number, (FACE,), Quality(1.0), number / 30))
        kit.application.processEvents()
    assert len(asked) == 20


def test_a_picture_that_stopped_is_taken_away(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    assert kit.window.screen_state.preview
    kit.now += 2
    kit.window.tick()
    assert not kit.window.screen_state.preview


def test_the_tick_ends_the_welcome_and_beats(make: Callable[..., Kit]) -> None:
    kit = make()
    kit.show(800, 480, GRANTED)
    assert kit.window.screen_state.mode is Mode.GRANTED
    kit.now, before = 105.0, kit.beats
    kit.timer.timeout.emit()
    assert kit.window.screen_state.mode is Mode.IDLE
    assert kit.beats == before + 1


def test_events_keep_their_order_and_their_time(make: Callable[..., Kit]) -> None:
    kit = make()
    came: list[tuple[object, float]] = []
    kit.bridge.event_arrived.connect(lambda event, at: came.append((event, at)))

    def publish() -> None:
        for event in GRANTED:
            kit.bridge.publish(event)
            kit.now += 1

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    assert came == []
    kit.application.processEvents()
    assert came == [(GRANTED[0], 100.0), (GRANTED[1], 101.0)]


def test_a_slow_window_meets_only_the_newest_picture_and_sight(make: Callable[..., Kit]) -> None:
    kit = make()
    frames: list[int] = []
    events: list[object] = []
    kit.bridge.frame_arrived.connect(lambda shown, _: frames.append(shown.number))
    kit.bridge.event_arrived.connect(lambda event, _: events.append(event))
    for number in range(100):
        kit.bridge.show_frame(frame(number))
        kit.bridge.publish(Waiting(number))
    for event in (EntryChanged(Step.PIN), EntryChanged(Step.CHECKING), GRANTED[0]):
        kit.bridge.publish(event)
    kit.application.processEvents()
    assert frames == [99]
    assert events == [Waiting(99), EntryChanged(Step.PIN), EntryChanged(Step.CHECKING), GRANTED[0]]


def test_nothing_arrives_after_the_end(make: Callable[..., Kit]) -> None:
    kit = make()
    came: list[object] = []
    kit.bridge.event_arrived.connect(lambda event, _: came.append(event))
    kit.bridge.publish(Waiting(1))
    kit.bridge.close()
    kit.bridge.publish(Waiting(2))
    kit.bridge.show_frame(frame())
    kit.application.processEvents()
    assert came == []


@pytest.mark.parametrize("shape", [(720, 1280, 3), (480, 640, 3), (64, 64, 3), (1, 1, 3)])
def test_frames_of_any_size_are_shown(make: Callable[..., Kit], shape: tuple[int, int, int]) -> None:
    kit = make()
    kit.show(1024, 600, STATES["idle"])
    kit.bridge.show_frame(frame(3, np.full(shape, 255, np.uint8)))
    kit.application.processEvents()
    assert kit.grab()[270, 240].min() > 240


def test_a_screenshot_is_a_png(make: Callable[..., Kit], tmp_path: Path) -> None:
    kit = make()
    kit.show(800, 480, STATES["idle"])
    screenshot(kit.window, tmp_path / "shot.png")
    assert cv2.imread(str(tmp_path / "shot.png")).shape == (480, 800, 3)
    with pytest.raises(KioskError, match="cannot be written"):
        screenshot(kit.window, tmp_path / "absent" / "shot.png")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_painting_loses_no_references(make: Callable[..., Kit]) -> None:
    """PySide6 6.12.0 under Python 3.11 drops one to None with every call, until the process aborts."""
    kit = make()
    kit.show(800, 480, STATES["idle"])
    before = sys.getrefcount(None)
    for number in range(30):
        kit.bridge.show_frame(frame(number))
        kit.application.processEvents()
    assert sys.getrefcount(None) > before - 30


@pytest.mark.parametrize(
    ("name", "headline"),
    [("Łukasz Ελένη", "Welcome,\nŁukasz Ελένη"), ("山田太郎\U000f0000", "Welcome"), ("Ada \U0010fffd", "Welcome")],
)
def test_a_name_that_no_font_draws_is_left_out(make: Callable[..., Kit], name: str, headline: str) -> None:
    kit = make(name=name)
    kit.show(800, 480, STATES["granted"])
    assert kit.window.screen_state.headline == headline
