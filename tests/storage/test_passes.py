"""Visitor passes: counted before they are answered, and never twice."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.domain.audit import AuditKind
from kiosk.domain.errors import GalleryError, PassError, TamperedError
from kiosk.domain.passes import Pass, PassWord, read
from kiosk.domain.people import Subject
from kiosk.storage import passes as passes_module
from kiosk.storage import rotation
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.passes import AGAIN_SECONDS, KEPT, Passes
from tests.storage.conftest import NOON, a_reference

LATER = NOON + timedelta(hours=8)


class Site:
    """A gallery with a sponsor, and the clocks of its machine."""

    def __init__(self, home: Home, gallery: Gallery) -> None:
        self.home, self.gallery = home, gallery
        self.at, self.now = 1000.0, NOON
        self.ada = gallery.add_subject("Ada", [a_reference(1)])
        self.passes = self.of(gallery)

    def of(self, gallery: Gallery) -> Passes:
        return Passes(gallery, lambda: self.at, lambda: self.now)

    def issue(self, uses: int = 1, doors: tuple[str, ...] = ("main",)) -> tuple[Pass, str]:
        return self.passes.issue(self.ada.id, NOON, LATER, doors, uses)

    def show(self, text: str, door: str = "main", now: datetime | None = NOON) -> PassWord:
        """Held before the camera, after a while."""
        self.at += AGAIN_SECONDS
        return self.passes.use(text, door, now).word


@pytest.fixture
def site(home: Home, gallery: Gallery) -> Site:
    return Site(home, gallery)


def test_a_pass_is_good_as_often_as_it_says_at_each_door(site: Site) -> None:
    told, text = site.issue(2, ("main", "back"))
    assert [site.show(text) for _ in range(3)] == [PassWord.GOOD, PassWord.GOOD, PassWord.USED_UP]
    assert [site.show(text, "back") for _ in range(3)] == [PassWord.GOOD, PassWord.GOOD, PassWord.USED_UP]
    assert site.show(text, "cellar") is PassWord.OTHER_DOOR
    assert [dict(one.used) for one in site.passes.issued()] == [{"main": 2, "back": 2}]
    verdict = site.passes.use(text, "main", NOON)
    assert (verdict.good, verdict.pass_id, verdict.sponsor) == (False, told.id, site.ada.id)


def test_a_pass_that_is_still_held_up_is_counted_once(site: Site) -> None:
    _, text = site.issue(2)
    _, other = site.issue(1)
    assert site.show(text) is PassWord.GOOD
    for _ in range(5):
        assert site.passes.use(text, "main", NOON).word is PassWord.AGAIN
    assert site.passes.use(other, "main", NOON).word is PassWord.GOOD, "somebody else need not wait"
    assert site.show(text) is PassWord.GOOD


def test_a_use_is_on_disk_before_it_is_answered(site: Site) -> None:
    _, text = site.issue(1)
    with closing(open_gallery(site.home)) as other:
        assert site.show(text) is PassWord.GOOD
        assert site.of(other).use(text, "main", NOON).word is PassWord.USED_UP, "for another process too"


def test_a_kill_before_the_answer_gives_no_use_for_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = site.issue(1)

    def killed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(site.gallery.store, "confirm", killed)  # after the commit
    with pytest.raises(KeyboardInterrupt):
        site.show(text)
    monkeypatch.undo()
    assert site.show(text) is PassWord.USED_UP


def test_a_use_whose_record_fails_is_no_use(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = site.issue(1)

    def full(*_given: object, **_more: object) -> None:
        raise GalleryError("no space left")

    monkeypatch.setattr(site.gallery, "note", full)
    with pytest.raises(GalleryError):
        site.show(text)
    monkeypatch.undo()
    assert site.show(text) is PassWord.GOOD


def test_what_was_not_signed_here_is_nothing(site: Site) -> None:
    assert site.show("KP1AAAA") is PassWord.FORGED
    told, text = site.issue(1)
    _, signature = read(text)
    stranger = Ed25519PrivateKey.generate()
    for forged in (
        told.text(stranger.sign(told.signed_bytes())),
        told.text(bytes(64)),
        replace(told, uses=100).text(signature),
        replace(told, ends=LATER + timedelta(days=1)).text(signature),
        replace(told, doors=("main", "back")).text(signature),
        text[:-1],
        f"{text} ",
    ):
        verdict = site.passes.use(forged, "main", NOON)
        assert (verdict.word, verdict.pass_id) == (PassWord.FORGED, None)
    assert dict(site.passes.issued()[0].used) == {}


def test_whoever_copied_the_signing_key_needs_a_pass_that_is_known_here(site: Site) -> None:
    told, _ = site.issue(1)
    key = passes_module._signing_key(site.gallery.store, site.gallery.vault)
    assert key is not None
    for forged in (replace(told, id="f" * 16), replace(told, uses=100), replace(told, ends=LATER + timedelta(days=9))):
        assert site.show(forged.text(key.sign(forged.signed_bytes()))) is PassWord.UNKNOWN


def test_a_revoked_pass_lets_nobody_in(site: Site) -> None:
    told, text = site.issue(5)
    assert site.show(text) is PassWord.GOOD
    done = site.passes.revoke(told.id[:6])
    assert (done.told, done.revoked) == (told, NOON)
    assert site.show(text) is PassWord.REVOKED
    assert site.passes.revoke(told.id).revoked == NOON
    for wrong in ("", told.id[:3], "ffff" + told.id, "zzzz"):
        with pytest.raises(GalleryError, match="kiosk passes list"):
            site.passes.revoke(wrong)


def test_a_pass_is_worth_what_its_sponsor_is(site: Site) -> None:
    _, text = site.issue(5)
    site.gallery.set_disabled(site.ada.id, True)
    assert site.show(text) is PassWord.SPONSOR
    site.gallery.set_disabled(site.ada.id, False)
    site.gallery.set_validity(site.ada.id, None, NOON)
    assert site.show(text) is PassWord.SPONSOR
    site.gallery.set_validity(site.ada.id, None, None)
    assert site.show(text) is PassWord.GOOD
    site.gallery.remove(site.ada.id)
    assert site.show(text) is PassWord.UNKNOWN
    assert site.passes.issued() == []
    with pytest.raises(GalleryError, match="nobody of this id"):
        site.issue()


def test_time_decides_and_an_unknown_time_refuses(site: Site) -> None:
    _, text = site.issue(5)
    for now, expected in (
        (None, PassWord.CLOCK),
        (NOON - timedelta(seconds=1), PassWord.NOT_BEGUN),
        (LATER, PassWord.ENDED),
        (LATER - timedelta(seconds=1), PassWord.GOOD),
    ):
        assert site.show(text, now=now) is expected


def test_no_row_can_be_altered_moved_or_given_another_sponsor(site: Site) -> None:
    ben = site.gallery.add_subject("Ben", [a_reference(2)])
    told, text = site.issue(1)
    _, other = site.issue(1)
    rows = {row["id"]: row["sealed"] for row in site.gallery.store.rows("SELECT id, sealed FROM pass")}
    (other_id,) = set(rows) - {told.id}
    for sql, values in (
        ("UPDATE pass SET sealed = ? WHERE id = ?", [rows[other_id], told.id]),
        ("UPDATE pass SET sealed = ? WHERE id = ?", [b"\x01" + bytes(80), told.id]),
        ("UPDATE pass SET sponsor = ? WHERE id = ?", [ben.id, told.id]),
        ("UPDATE meta SET value = ? WHERE key = 'pass_key'", [b"\x01" + bytes(80)]),
    ):
        with site.gallery.store.transaction():
            site.gallery.store.execute(sql, values)
        with pytest.raises(TamperedError):
            site.show(text)
        with site.gallery.store.transaction():
            site.gallery.store.execute(
                "UPDATE pass SET sealed = ?, sponsor = ? WHERE id = ?", [rows[told.id], site.ada.id, told.id]
            )
    with pytest.raises(TamperedError):
        site.issue()
    assert other


def test_nothing_of_a_pass_is_in_clear(site: Site) -> None:
    _, text = site.issue(1, ("northgate",))
    site.gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    content = site.home.database.read_bytes()
    assert text.encode() not in content
    sealed = site.gallery.store.rows("SELECT sealed FROM pass")[0]["sealed"]
    assert b"northgate" not in sealed


def test_another_key_keeps_passes_and_sealing_everything_anew_ends_them(site: Site) -> None:
    told, text = site.issue(2)
    assert site.show(text) is PassWord.GOOD
    for everything, expected in ((False, PassWord.GOOD), (True, PassWord.FORGED)):
        rotation.rotate(site.gallery.store, site.home.keys, everything)
        with closing(open_gallery(site.home)) as again:
            assert site.of(again).use(text, "main", NOON).word is expected
            counts = [dict(one.used) for one in Passes(again).issued()]
            assert counts == ([] if everything else [{"main": 2}])
    assert told


def test_what_was_altered_is_gone_after_another_key(site: Site) -> None:
    site.issue(1)
    site.gallery.store.execute("UPDATE pass SET sealed = x'01'")
    site.gallery.store.execute("UPDATE meta SET value = x'01' WHERE key = 'pass_key'")
    site.gallery.store.commit()
    rotation.rotate(site.gallery.store, site.home.keys)
    with closing(open_gallery(site.home)) as again:
        assert Passes(again).issued() == []
        assert site.of(again).issue(site.ada.id, NOON, LATER, ("main",), 1)


def test_each_step_of_a_pass_is_in_the_log(site: Site) -> None:
    site.gallery.by = "uid 1000"
    told, text = site.issue(2)
    site.show(text)
    site.show(text, "back")
    site.passes.revoke(told.id)
    records = Audit(site.gallery.store).records(kinds=(AuditKind.VISIT,))
    assert [(r.outcome, r.subject_id, r.detail["pass_id"]) for r in records] == [
        (outcome, site.ada.id, told.id) for outcome in ("issued", "used", "revoked")
    ]
    assert (records[1].detail["door"], records[1].detail["use"]) == ("main", 1)
    assert text not in str(records)


def test_a_pass_that_cannot_be_is_not_issued(site: Site) -> None:
    for bad in (
        (LATER, NOON, ("main",), 1),
        (NOON, LATER, (), 1),
        (NOON, LATER, ("Main",), 1),
        (NOON, LATER, ("main",), 0),
    ):
        with pytest.raises(PassError):
            site.passes.issue(site.ada.id, *bad)
    assert site.passes.issued() == []


def test_passes_that_ended_long_ago_make_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes_module, "MOST", 3)
    old = [site.issue() for _ in range(3)]
    with pytest.raises(GalleryError, match="3 passes are kept already"):
        site.issue()
    site.now = LATER + KEPT + timedelta(minutes=1)
    new, _ = site.issue()
    assert [one.told for one in site.passes.issued()] == [new]
    assert site.show(old[0][1]) is PassWord.UNKNOWN


def test_the_list_begins_with_what_ends_first(site: Site) -> None:
    for hours in (3, 1, 2):
        site.passes.issue(site.ada.id, NOON, NOON + timedelta(hours=hours), ("main",), 1)
    ends = [one.told.ends for one in site.passes.issued()]
    assert all(one < other for one, other in pairwise(ends))


def test_seconds_are_cut_off(site: Site) -> None:
    told, text = site.passes.issue(
        site.ada.id, NOON + timedelta(seconds=59), LATER.astimezone(UTC) + timedelta(seconds=1), ("main",), 1
    )
    assert (told.begins, told.ends) == (NOON, LATER)
    assert read(text)[0] == told


def test_it_needs_an_enrolled_sponsor(site: Site) -> None:
    nobody = Subject("f" * 16, "Nobody", NOON)
    with pytest.raises(GalleryError, match="nobody of this id"):
        site.passes.issue(nobody.id, NOON, LATER, ("main",), 1)
