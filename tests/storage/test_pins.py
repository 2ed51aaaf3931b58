"""PINs: what is stored, who waits, and what a kill or a power cut does not give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kiosk.domain.errors import GalleryError
from kiosk.domain.guesses import CROWD, EACH, HOUR
from kiosk.domain.people import Subject
from kiosk.domain.pin import FIRST_WAIT, FREE, LONGEST_WAIT
from kiosk.storage import pins
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.pins import Checked, Pins, Verdict, set_pin
from tests.storage.conftest import a_reference

PIN, WRONG, DURESS = "271828", "314159", "161803"


class Clocks:
    """A machine's clocks, and its starts."""

    def __init__(self) -> None:
        self.boot = "first"
        self.at = 1000.0
        self.wall = datetime(2026, 3, 1, tzinfo=UTC)

    def pass_by(self, seconds: float) -> None:
        self.at += seconds
        self.wall += timedelta(seconds=seconds)

    def restart(self, away: float = 20.0) -> None:
        self.boot += "'"
        self.wall += timedelta(seconds=away)
        self.at = 5.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)
    pins._nobodys.cache_clear()
    yield
    pins._nobodys.cache_clear()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def pins_of(gallery: Gallery, clocks: Clocks) -> Pins:
    return Pins(gallery, lambda: clocks.at, lambda: clocks.boot, lambda: clocks.wall)


@pytest.fixture
def ada(gallery: Gallery) -> Subject:
    subject = gallery.add_subject("Ada", [a_reference(1)])
    set_pin(gallery, subject.id, PIN)
    return subject


def test_a_pin_is_nowhere_in_the_home(home: Home, gallery: Gallery, ada: Subject) -> None:
    stored = gallery.pin_of(ada.id)
    assert stored is not None
    assert stored.startswith("$argon2id$")
    for path in home.folder.iterdir():
        content = path.read_bytes()
        assert PIN.encode() not in content
        assert b"argon2id" not in content


def test_the_right_pin_is_right_and_takes_the_wrong_ones_back(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    for _ in range(5):
        for _ in range(FREE - 1):
            assert found.check("7", ada.id, WRONG).verdict is Verdict.WRONG
        assert found.check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_wrong_pins_have_to_wait_longer_and_longer_and_the_right_one_with_them(
    gallery: Gallery, ada: Subject, clocks: Clocks
) -> None:
    found = pins_of(gallery, clocks)
    for _ in range(FREE):
        last = found.check("7", ada.id, WRONG)
    assert (last.verdict, last.wait) == (Verdict.WRONG, FIRST_WAIT)
    for claim in ("7", "a badge"):
        assert found.check(claim, ada.id, PIN).verdict is Verdict.WAIT, "whatever says who it is"
    clocks.pass_by(FIRST_WAIT - 0.5)
    assert found.check("7", ada.id, PIN).wait == pytest.approx(0.5)
    clocks.pass_by(0.5)
    assert found.check("7", ada.id, WRONG).wait == 2 * FIRST_WAIT
    clocks.pass_by(2 * FIRST_WAIT)
    assert found.check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_nobodys_number_looks_like_somebodys(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    ben = gallery.add_subject("Ben", [a_reference(2)])  # without a PIN
    seen = {}
    for claim, subject_id in (("7", ada.id), ("8", ben.id), ("9", None)):
        seen[claim] = [found.check(claim, subject_id, WRONG) for _ in range(FREE + 1)]
    assert seen["7"] == seen["8"] == seen["9"]
    assert found.check("10", None, PIN).verdict is Verdict.WRONG


def test_nobodys_number_costs_the_same_work(
    gallery: Gallery, ada: Subject, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[list[str]] = []
    fits = pins._fits
    monkeypatch.setattr(pins, "_fits", lambda stored, pin: looked.append(stored.split("$")[1:4]) or fits(stored, pin))
    found = pins_of(gallery, clocks)
    for claim, subject_id in (("7", ada.id), ("9", None)):
        for _ in range(FREE + 2):
            found.check(claim, subject_id, WRONG)
    assert len(looked) == 2 * 2 * (FREE + 2), "two for each, also for who has to wait"
    assert all(cost == looked[0] for cost in looked), "with the same memory and passes"


def test_the_duress_pin_opens_like_the_other_and_only_the_kiosk_knows(
    gallery: Gallery, ada: Subject, clocks: Clocks
) -> None:
    found = pins_of(gallery, clocks)
    set_pin(gallery, ada.id, PIN, DURESS)
    assert found.check("7", ada.id, PIN) == Checked(Verdict.RIGHT, 0.0, duress=False)
    assert found.check("7", ada.id, DURESS) == Checked(Verdict.RIGHT, 0.0, duress=True)
    for _ in range(FREE - 1):
        assert found.check("7", ada.id, WRONG) == Checked(Verdict.WRONG, 0.0, duress=False)
    assert found.check("7", ada.id, DURESS).duress, "it takes wrong ones back as the right one does"
    for _ in range(FREE):
        found.check("7", ada.id, WRONG)
    assert found.check("7", ada.id, DURESS) == Checked(Verdict.WAIT, FIRST_WAIT, duress=False)


def test_a_gallery_that_fails_after_the_pin_lets_nobody_in_and_still_knows_of_duress(
    gallery: Gallery, ada: Subject, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pins_of(gallery, clocks)
    set_pin(gallery, ada.id, PIN, DURESS)
    note = Pins._note

    def noted(self: Pins, who: str, *, right: bool) -> None:
        if right:
            raise GalleryError("the disk is full")
        note(self, who, right=right)

    monkeypatch.setattr(Pins, "_note", noted)
    for pin in (PIN, DURESS):
        checked = found.check("7", ada.id, pin)
        assert checked.verdict is not Verdict.RIGHT
        assert (str(checked.fault), checked.duress) == ("the disk is full", pin == DURESS)


def test_no_call_and_no_query_tells_a_duress_pin_from_a_pin_or_nobodys_number_from_somebodys(
    gallery: Gallery, ada: Subject, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = gallery.add_subject("Ben", [a_reference(2)])
    set_pin(gallery, ada.id, PIN, DURESS)
    set_pin(gallery, ben.id, PIN)
    seen: list[str] = []
    fits, record = pins._fits, Gallery.record
    monkeypatch.setattr(pins, "_fits", lambda stored, pin: seen.append("argon2") or fits(stored, pin))
    monkeypatch.setattr(Gallery, "record", lambda self, who: seen.append("record") or record(self, who))
    found = pins_of(gallery, clocks)
    gallery.store.conn.set_trace_callback(seen.append)

    def did(subject_id: str | None, pin: str) -> list[str]:
        seen.clear()
        found.check("7", subject_id, pin)
        return [re.sub(r"'[^']*'|\b[0-9]+\b", "_", call) for call in seen]

    did(ada.id, PIN)  # reads the roster, which is then kept
    right = did(ada.id, PIN)
    assert right.count("argon2") == 2
    assert right == did(ada.id, DURESS) == did(ben.id, PIN)
    wrong = did(ada.id, WRONG)
    assert wrong == did(ben.id, WRONG) == did(None, WRONG) == did(None, PIN)
    assert wrong.count("argon2") == 2


def test_a_new_pin_ends_the_duress_pin_of_before(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    set_pin(gallery, ada.id, PIN, DURESS)
    set_pin(gallery, ada.id, PIN)
    assert found.check("7", ada.id, DURESS).verdict is Verdict.WRONG
    set_pin(gallery, ada.id, PIN, DURESS)
    set_pin(gallery, ada.id, None)
    assert found.check("7", ada.id, DURESS).verdict is Verdict.WRONG


def test_a_duress_pin_that_cannot_be_is_refused_and_changes_nothing(gallery: Gallery, ada: Subject) -> None:
    before = gallery.record(ada.id)
    for pin, duress in ((PIN, PIN), (PIN, "271829"), (PIN, "278128"), (PIN, "123456"), (None, DURESS)):
        with pytest.raises(GalleryError, match="PIN"):
            set_pin(gallery, ada.id, pin, duress)
    assert gallery.record(ada.id) == before


def test_the_log_does_not_say_who_has_a_duress_pin(gallery: Gallery, ada: Subject) -> None:
    set_pin(gallery, ada.id, PIN, DURESS)
    with_one, without = Audit(gallery.store).records()[-1], Audit(gallery.store).records()[-2]
    assert (with_one.outcome, with_one.detail) == (without.outcome, without.detail) == ("pin_set", {})


def test_a_kill_in_the_middle_gives_no_guess(
    gallery: Gallery, ada: Subject, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pins_of(gallery, clocks)

    def killed(_stored: str, _pin: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(pins, "_fits", killed)
    for _ in range(FREE):
        with pytest.raises(KeyboardInterrupt):
            found.check("7", ada.id, WRONG)
    monkeypatch.undo()
    assert pins_of(gallery, clocks).check("7", ada.id, PIN).verdict is Verdict.WAIT


def test_pulling_the_plug_gives_no_guess_either(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    for _ in range(FREE + 3):
        pins_of(gallery, clocks).check("7", ada.id, WRONG)
        clocks.pass_by(FIRST_WAIT * 2.0**6)
    pins_of(gallery, clocks).check("7", ada.id, WRONG)
    clocks.restart()
    waits = pins_of(gallery, clocks).check("7", ada.id, PIN)
    assert waits.verdict is Verdict.WAIT
    clocks.pass_by(waits.wait)
    assert pins_of(gallery, clocks).check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_old_mistakes_do_not_make_anybody_wait_after_a_start(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    for _ in range(FREE + 1):
        pins_of(gallery, clocks).check("7", ada.id, WRONG)
        clocks.pass_by(LONGEST_WAIT)
    clocks.restart(away=LONGEST_WAIT)
    assert pins_of(gallery, clocks).check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_one_pin_is_not_tried_with_everybodys_number(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    for number in range(CROWD):
        assert found.check(str(number), None, WRONG).verdict is Verdict.WRONG
    assert found.check("7", ada.id, PIN) == Checked(Verdict.WAIT, EACH)
    clocks.pass_by(EACH)
    assert found.check("7", ada.id, PIN).verdict is Verdict.RIGHT, (
        "nobody waits longer, and what is right costs nothing"
    )
    assert found.check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_an_hour_of_guessing_over_all_numbers_is_counted_as_it_is_said(
    gallery: Gallery, ada: Subject, clocks: Clocks
) -> None:
    """Whether a number is somebody's changes neither what is tried nor how long is waited."""
    found, looked, number = pins_of(gallery, clocks), 0, 0
    begun = clocks.at
    while clocks.at < begun + HOUR:
        number += 1
        known = number % 10 == 0
        checked = found.check("7" if known else str(1000 + number), ada.id if known else None, WRONG)
        looked += checked.verdict is Verdict.WRONG
        clocks.pass_by(5.0)
    assert looked <= CROWD + HOUR / EACH
    clocks.restart()
    assert found.check("7000", None, WRONG).wait <= EACH, "a restart gives no new ones"
    assert [found.check(str(8000 + n), None, WRONG).verdict for n in range(3)] == [Verdict.WAIT] * 3


def test_many_right_pins_make_nobody_wait(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    for _ in range(2 * CROWD):
        assert found.check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_another_pin_ends_the_wait(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    found = pins_of(gallery, clocks)
    for _ in range(FREE + 5):
        found.check("7", ada.id, WRONG)
    set_pin(gallery, ada.id, WRONG)
    assert found.check("7", ada.id, WRONG).verdict is Verdict.RIGHT


def test_whoever_is_erased_leaves_no_try(gallery: Gallery, ada: Subject, clocks: Clocks) -> None:
    pins_of(gallery, clocks).check("7", ada.id, WRONG)
    gallery.remove(ada.id)
    assert gallery.store.rows("SELECT who FROM pin_try") == []


def test_a_gallery_opened_again_has_the_pin_and_the_tries(
    home: Home, gallery: Gallery, ada: Subject, clocks: Clocks
) -> None:
    for _ in range(FREE):
        pins_of(gallery, clocks).check("7", ada.id, WRONG)
    with closing(open_gallery(home)) as again:
        assert pins_of(again, clocks).check("7", ada.id, PIN).verdict is Verdict.WAIT
        clocks.pass_by(FIRST_WAIT)
        assert pins_of(again, clocks).check("7", ada.id, PIN).verdict is Verdict.RIGHT


def test_the_cost_is_the_one_that_is_said() -> None:
    stored = Argon2id(salt=bytes(16), length=32, iterations=2, lanes=1, memory_cost=19 * 1024)
    assert stored.derive_phc_encoded(b"x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert pins.PASSES == 2
