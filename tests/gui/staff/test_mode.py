"""Staff mode driven by touch and keys in the real window: what the station is asked, and what is shown.

The station is there too, with scripted faces (tests.station.staff_site), so that a whole enrolment is touched through.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk.domain.audit import AuditReason
from kiosk.domain.decision import Reason
from kiosk.domain.looks import Pose
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import (
    Closed,
    ComeBack,
    ConsentText,
    Done,
    Home,
    Posing,
    Problem,
    StaffView,
    WaysIn,
    WhoIsIt,
)
from kiosk.domain.staffing import IDLE_SECONDS, Place
from kiosk.domain.updates import StaffChanged
from kiosk.gui.catalogue import texts
from kiosk.gui.setting import Setting
from kiosk.screen import ScreenConfig
from kiosk.storage.audit import Audit
from tests.station.staff_site import NUMBER, PIN, STAFF, Site, site
from tests.station.test_staff_events import decided

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

pytestmark = pytest.mark.qt
PICTURES = os.environ.get("STAFF_PICTURES")
"""A folder for pictures of the pages, to be looked at."""
SIZES = [(800, 480), (480, 800)]


class Desk:
    """The window over a site."""

    def __init__(self, application: QApplication, here: Site, size: tuple[int, int], language: str) -> None:
        from PySide6.QtCore import QTimer

        from kiosk.gui.bridge import Bridge
        from kiosk.gui.staff.mode import StaffMode
        from kiosk.gui.window import KioskWindow

        self.here, self.application = here, application
        self.bridge = Bridge()
        setting = Setting(ScreenConfig(languages=(language,)))
        self.window = KioskWindow(self.bridge, lambda _: None, setting, on_staff=self._open, timer=QTimer())
        self.window.resize(*size)
        self.mode = StaffMode(self.window, self._ask, lambda: here.camera.at)
        self.bridge.event_arrived.connect(self.mode.take_event)
        self.bridge.frame_arrived.connect(self.mode.take_frame)
        self.asked: list[str] = []
        self.told = 0
        self.name = f"{size[0]}x{size[1]}-{language}"
        self.window.show()
        application.processEvents()

    def _open(self) -> None:
        self.mode.open()

    def _ask(self, request: object) -> None:
        self.asked.append(type(request).__name__)
        self.here.desk.ask(request)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Lets station and window do what was asked."""
        self.application.processEvents()
        while self.here.desk.busy or self.told < len(self.here.shown):
            while self.here.desk.busy:
                self.here.desk.turn()
            for view in self.here.shown[self.told :]:
                self.bridge.publish(StaffChanged(view))
            self.told = len(self.here.shown)
            self.application.processEvents()

    def click(self, widget: QWidget) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        assert widget.isVisible()
        assert widget.isEnabled()
        inside = widget.visibleRegion().boundingRect()
        assert inside.width() > 0
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=inside.center())
        self.settle()

    def key(self, text: str) -> None:
        """Touches the key of the page with this text."""
        from kiosk.gui.toolkit.button import Button

        keys = [b for b in self.page.findChildren(Button) if b.isVisible()]
        found = [b for b in keys if b.accessibleName() == text]
        assert found, (text, [b.accessibleName() for b in keys])
        self.click(found[0])

    def said(self, key: str, **values: object) -> str:
        return self.window.look.texts(key, **values)

    def digits(self, digits: str) -> None:
        from kiosk.gui.toolkit.keypad import Keypad

        (pad,) = [p for p in self.page.findChildren(Keypad) if p.isVisible()]
        for digit in digits:
            self.click(pad.keys[digit])
        self.click(pad.enter)

    @property
    def page(self) -> QWidget:
        assert self.mode.page is not None
        return self.mode.page

    @property
    def view(self) -> StaffView:
        return self.here.shown[-1]

    def faces(self, frames: int, who: int | None = None, pose: Pose = Pose.STRAIGHT) -> None:
        self.here.faces(frames, who, pose)
        self.settle()

    def sign_in(self) -> None:
        self.mode.open()
        self.settle()
        self.snap("sign-in")
        self.digits(NUMBER)
        self.digits(PIN)
        self.snap("look")
        self.faces(12, STAFF)
        self.snap("home")

    def snap(self, name: str) -> None:
        """Nothing is cut off; and a picture, for whoever wants to look."""
        from kiosk.gui.toolkit.button import Button

        self.application.processEvents()
        for button in self.page.findChildren(Button):
            if button.isVisible():
                shown = button.visibleRegion().boundingRect()
                assert shown.width() >= button.width() - 1, (name, button.accessibleName())
                assert shown.height() >= button.height() - 1, (name, button.accessibleName())
        if PICTURES:
            self.window.grab().save(f"{PICTURES}/{name}-{self.name}.png")

    def close(self) -> None:
        self.bridge.close()
        self.window.stop()
        self.window.close()
        self.window.deleteLater()
        self.application.processEvents()


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def desk(application: QApplication, tmp_path: Path) -> Iterator[Desk]:
    with site(tmp_path / "home") as here:
        made = Desk(application, here, SIZES[0], "en")
        yield made
        made.close()


@pytest.mark.parametrize("language", ["en", "de"])
def test_somebody_is_enrolled_by_touch_alone(
    application: QApplication, tmp_path: Path, size: tuple[int, int], language: str
) -> None:
    with site(tmp_path / "home") as here:
        desk = Desk(application, here, size, language)
        desk.sign_in()
        began = here.camera.at
        desk.key(desk.said("place.enrol"))
        desk.snap("consent")
        assert isinstance(desk.view, ConsentText)
        assert desk.view.language == language, "as the screen speaks"
        desk.key(desk.said("office.agree"))
        desk.snap("name")
        for letter in "ada":
            desk.click(desk.page.keyboard.keys[letter])  # type: ignore[attr-defined]
        desk.click(desk.page.keyboard.keys["key.enter"])  # type: ignore[attr-defined]
        desk.snap("number")
        desk.key(desk.said("office.choose_number"))
        desk.snap("until")
        desk.key(desk.said("office.one_year"))
        assert isinstance(desk.view, Posing)
        desk.bridge.show_frame(here.camera.frame())
        desk.faces(9, 1)
        desk.snap("poses-first")
        for pose in Pose:
            desk.faces(7, pose=pose)
            if pose is Pose.LEFT:
                desk.faces(2, pose=Pose.STRAIGHT)
                desk.snap("poses-third")
        assert isinstance(desk.view, ComeBack)
        desk.snap("step-away")
        here.nobody(20)
        desk.settle()
        desk.snap("come-back")
        desk.faces(12)
        desk.snap("ways")
        desk.key(desk.said("office.with_code"))
        desk.digits("739182")
        assert here.gallery.counts() == {"m": 1}, "nothing is written before the last step"
        desk.digits("739183")
        desk.snap("ways-differ")
        desk.digits("739182")
        desk.digits("739182")
        assert isinstance(desk.view, Done)
        desk.snap("done")
        assert here.camera.at - began < 60
        ada = here.gallery.find("Ada")
        assert ada.valid_until is not None
        assert desk.view.qr is not None
        desk.key(desk.said("key.done"))
        assert isinstance(desk.view, Home)
        desk.key(desk.said("office.sign_out"))
        assert desk.mode.page is None
        desk.close()


def test_all_other_pages_fit(application: QApplication, tmp_path: Path, size: tuple[int, int]) -> None:
    from kiosk.domain.decision import Outcome, Reason
    from kiosk.domain.door.grants import DoorResult
    from kiosk.domain.door.state import DoorState
    from kiosk.domain.updates import DoorChanged, FaceStays

    with site(tmp_path / "home", Role.ADMIN) as here:
        ada = here.person("Ada Lovelace", 1, number="7711", pin="739182")
        decided(here, "g1", Outcome.GRANTED, Reason.MATCHED, ada.id, DoorResult.RELEASED)
        decided(here, "g2", Outcome.REFUSED, Reason.PRESENTATION_ATTACK, None, None)
        here.desk.heard(FaceStays(there=True))
        here.desk.heard(DoorChanged(DoorState.SECURED))
        desk = Desk(application, here, size, "de" if size[0] > size[1] else "en")
        desk.sign_in()
        for place in (Place.PEOPLE, Place.EVENTS, Place.WHY, Place.DOOR):
            desk.key(desk.said(f"place.{place}"))
            if place is Place.WHY:
                desk.bridge.show_frame(here.camera.frame())
                desk.faces(10, 1)
            desk.snap(f"place-{place}")
            desk.click(desk.page.back)  # type: ignore[attr-defined]
        desk.key(desk.said("place.settings"))
        desk.snap("place-settings")
        settings = desk.page.settings  # type: ignore[attr-defined]
        rows = [settings.item(at).text() for at in range(settings.count())]
        high = next(at for at, text in enumerate(rows) if desk.said("level.high") in text)
        touch(desk, settings, high)
        assert "sudo kiosk level set high\n" in desk.page.text  # type: ignore[attr-defined]
        desk.snap("setting")
        desk.click(desk.page.back)  # type: ignore[attr-defined]
        assert settings.isVisible(), "back to the list"
        desk.click(desk.page.back)  # type: ignore[attr-defined]
        desk.key(desk.said("place.people"))
        desk.key(desk.said("office.search"))
        desk.snap("search")
        for letter in "lov":
            desk.click(desk.page.keyboard.keys[letter])  # type: ignore[attr-defined]
        desk.click(desk.page.keyboard.keys["key.enter"])  # type: ignore[attr-defined]
        people = desk.page.people  # type: ignore[attr-defined]
        assert people.count() == 1
        touch(desk, people, 0)
        desk.snap("person")
        desk.key(desk.said("office.change_until"))
        desk.snap("person-until")
        desk.key(desk.said("office.one_month"))
        assert here.gallery.find(ada.id).valid_until is not None
        desk.key(desk.said("office.disable"))
        assert here.gallery.find(ada.id).disabled
        desk.key(desk.said("office.erase"))
        assert here.gallery.subject(ada.id) is not None, "one touch erases nobody"
        desk.snap("erase")
        desk.key(desk.said("office.erase_withdrawn"))
        assert here.gallery.subject(ada.id) is None
        desk.snap("certificate")
        assert desk.said("left_until.card") in desk.page.text  # type: ignore[attr-defined]
        desk.close()


def touch(desk: Desk, rows: object, row: int) -> None:
    """Touches a row of a list."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    place = rows.visualItemRect(rows.item(row)).center()  # type: ignore[attr-defined]
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)  # type: ignore[attr-defined]
    desk.settle()


def test_a_wrong_pin_is_told_and_asked_for_again(desk: Desk) -> None:
    desk.mode.open()
    desk.settle()
    desk.digits(NUMBER)
    desk.digits("111222")
    assert desk.view == Closed(Problem.NOT_KNOWN)
    assert desk.page.note.text() == desk.said("problem.not_known")  # type: ignore[attr-defined]
    desk.digits(NUMBER)
    desk.digits(PIN)
    desk.faces(12, STAFF)
    assert isinstance(desk.view, Home)


def test_that_is_not_me_is_two_touches_and_the_next_one_asks_for_a_number(desk: Desk) -> None:
    from kiosk.domain.decision import Outcome, Reason

    ada = desk.here.person("Ada", 1, number="7711", pin="739182")
    decided(desk.here, "g1", Outcome.GRANTED, Reason.MATCHED, ada.id, None)
    desk.sign_in()
    desk.key(desk.said("place.events"))
    rows = [r for r in desk.here.shown[-1].rows if r.reason == "matched"]  # type: ignore[union-attr]
    at = desk.here.shown[-1].rows.index(rows[0])  # type: ignore[union-attr]
    touch(desk, desk.page.events, at)  # type: ignore[attr-defined]
    desk.key(desk.said("office.not_me"))
    assert Audit(desk.here.gallery.store).records()[-1].outcome == "not_me"
    desk.key(desk.said("office.face_and_number"))
    assert desk.here.gallery.find(ada.id).verify


def test_a_minute_without_touch_closes_the_page_and_touches_keep_it(desk: Desk) -> None:
    desk.sign_in()
    desk.here.camera.at += IDLE_SECONDS - 10
    desk.click(desk.page)
    desk.mode.tick()
    assert "Touched" in desk.asked
    desk.settle()
    desk.here.camera.at += IDLE_SECONDS - 10
    desk.faces(1)
    assert isinstance(desk.view, Home)
    desk.here.camera.at += 11
    desk.faces(1)
    assert desk.mode.page is None


def test_a_sign_in_page_that_nobody_touches_goes_away(desk: Desk) -> None:
    desk.mode.open()
    desk.settle()
    desk.mode.tick()
    assert desk.mode.page is not None
    desk.here.camera.at += 31
    desk.mode.tick()
    assert desk.mode.page is None
    assert desk.asked == ["SignOut"], "whose face is looked for already is not signed in behind the ordinary screen"


def test_a_poster_is_told_where_the_camera_is_used(desk: Desk) -> None:
    from kiosk.domain.updates import FaceStays

    desk.bridge.publish(FaceStays(there=True))
    desk.sign_in()
    desk.key(desk.said("place.enrol"))
    desk.key(desk.said("office.agree"))
    desk.page.field.setText("Ada")  # type: ignore[attr-defined]
    desk.click(desk.page.keyboard.keys["key.enter"])  # type: ignore[attr-defined]
    desk.key(desk.said("office.choose_number"))
    desk.key(desk.said("office.no_end"))
    poster = desk.page.poster  # type: ignore[attr-defined]
    assert poster.isVisible()
    desk.snap("poses-poster")
    desk.bridge.publish(FaceStays(there=False))
    desk.application.processEvents()
    assert not poster.isVisible()


@pytest.mark.parametrize("language", ["en", "de"])
def test_on_three_and_a_half_inches_each_key_is_hit_by_a_finger(application: QApplication, language: str) -> None:
    from kiosk.domain.staffing import pages
    from kiosk.gui.look import Look
    from kiosk.gui.sizes import Measures
    from kiosk.gui.staff.enrol_pages import WaysPage, WhoPage
    from kiosk.gui.staff.sign_in import HomePage
    from kiosk.gui.toolkit.button import Button

    look = Look(texts(language), Measures(480, 320, 89.0, 600.0))
    who = WhoPage(look, WhoIsIt(), lambda _: None)
    who.field.setText("Ada")
    who.keyboard.entered.emit()
    home = Home("Grace Hopper", Role.ADMIN, pages(Role.ADMIN), lingering=True)
    ways = WaysPage(look, WaysIn("Ada Lovelace", "173123"), lambda _: None)
    assert "173123" in ways.title.text()
    for page in (who, ways, HomePage(look, home, lambda _: None)):
        page.resize(480, 320)
        page.show()
        application.processEvents()
        assert (page.width(), page.height()) == (480, 320), "nothing is pushed off the screen"
        for key in page.findChildren(Button):
            if key.isVisible():
                assert key.height() >= look.measures.touch - 1, (type(page).__name__, key.accessibleName())
        page.close()
        page.deleteLater()


def test_back_leads_one_step_back_and_not_to_the_first_page(desk: Desk) -> None:
    from kiosk.domain.decision import Outcome, Reason

    desk.here.person("Ada", 1, number="7711", pin="739182")
    decided(desk.here, "g1", Outcome.GRANTED, Reason.MATCHED, desk.here.gallery.find("Ada").id, None)
    desk.sign_in()
    desk.key(desk.said("place.events"))
    touch(desk, desk.page.events, 1)  # type: ignore[attr-defined]
    assert desk.page.one.isVisible()  # type: ignore[attr-defined]
    desk.click(desk.page.back)  # type: ignore[attr-defined]
    assert desk.page.events.isVisible()  # type: ignore[attr-defined]
    assert not desk.page.one.isVisible()  # type: ignore[attr-defined]
    desk.click(desk.page.back)  # type: ignore[attr-defined]
    desk.key(desk.said("place.people"))
    desk.key(desk.said("office.search"))
    desk.click(desk.page.back)  # type: ignore[attr-defined]
    assert desk.page.people.isVisible()  # type: ignore[attr-defined]
    touch(desk, desk.page.people, 0)  # type: ignore[attr-defined]
    for question in ("office.erase", "office.change_until"):
        desk.key(desk.said(question))
        assert not desk.page.keys.isVisible()  # type: ignore[attr-defined]
        desk.click(desk.page.back)  # type: ignore[attr-defined]
        assert desk.page.keys.isVisible()  # type: ignore[attr-defined]
    assert desk.asked.count("Open") == 3, "nothing of it was asked of the station"
    assert len(desk.here.gallery.subjects()) == 2


@pytest.mark.parametrize("language", ["en", "de"])
def test_who_does_not_agree_reads_the_other_way_in_their_language(
    application: QApplication, tmp_path: Path, language: str
) -> None:
    with site(tmp_path / "home") as here:
        desk = Desk(application, here, SIZES[0], language)
        desk.sign_in()
        desk.key(desk.said("place.enrol"))
        desk.key(desk.said("office.disagree"))
        assert desk.said("office.alternative") in desk.page.detail.text()  # type: ignore[attr-defined]
        desk.close()


def test_what_is_told_while_no_page_is_open_opens_none(desk: Desk) -> None:
    desk.bridge.publish(StaffChanged(Home("Grace", Role.STAFF, (Place.ENROL,))))
    desk.application.processEvents()
    assert desk.mode.page is None


def test_escape_goes_back_and_at_last_out(desk: Desk) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    desk.sign_in()
    desk.key(desk.said("place.people"))
    for _ in range(2):
        QTest.keyClick(desk.page, Qt.Key.Key_Escape)
        desk.settle()
    assert desk.mode.page is None
    assert desk.here.records()[-1].outcome == "signed_out"


@pytest.mark.parametrize("language", ["en", "de"])
def test_staff_read_each_reason_in_their_language(language: str) -> None:
    known = texts(language)
    reasons = [*Reason, "release_without_decision", AuditReason.RECORDS_DROPPED]
    assert [reason for reason in reasons if f"event.{reason}" not in known] == []
