"""Numbers, QR codes and cards: whom they mean, and what is kept of them."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind
from kiosk.domain.entry import LONGEST_CLAIM, Claim, Means
from kiosk.domain.errors import GalleryError, TamperedError
from kiosk.domain.number import USUAL, checked
from kiosk.domain.people import Subject
from kiosk.storage import claims, pins
from kiosk.storage.audit import Audit
from kiosk.storage.claims import Claims, card_text, digest
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.people import Record, Secrets, record_of
from tests.storage.conftest import a_reference

CARD = "0004815162342"


@pytest.fixture
def ada(gallery: Gallery) -> Subject:
    return gallery.add_subject("Ada", [a_reference(1)])


@pytest.fixture
def ben(gallery: Gallery) -> Subject:
    return gallery.add_subject("Ben", [a_reference(2)])


def test_each_means_finds_its_person_and_no_other_means_does(gallery: Gallery, ada: Subject, ben: Subject) -> None:
    code = claims.new_code()
    claims.set_number(gallery, ada.id, "4711")
    claims.set_code(gallery, ada.id, Means.QR, digest(code))
    claims.set_code(gallery, ben.id, Means.CARD, digest(CARD))
    found = Claims(gallery)
    known = {(Means.NUMBER, "4711"): ada.id, (Means.QR, code): ada.id, (Means.CARD, CARD): ben.id}
    for means in Means:
        for text in ("4711", code, CARD, "4712", code.lower(), f"{code} ", CARD[1:]):
            assert found.find(Claim(means, text)) == known.get((means, text))


def test_a_change_by_anybody_counts_with_the_next_claim(home: Home, gallery: Gallery, ada: Subject) -> None:
    found = Claims(gallery)
    assert found.find(Claim(Means.NUMBER, "4711")) is None
    with closing(open_gallery(home)) as other:
        claims.set_number(other, ada.id, "4711")
        assert found.find(Claim(Means.NUMBER, "4711")) == ada.id
        claims.set_number(other, ada.id, "4712")
        assert found.find(Claim(Means.NUMBER, "4711")) is None
        other.remove(ada.id)
    assert found.find(Claim(Means.NUMBER, "4712")) is None


def test_a_new_code_makes_the_old_one_void(gallery: Gallery, ada: Subject) -> None:
    found, old, new = Claims(gallery), claims.new_code(), claims.new_code()
    claims.set_code(gallery, ada.id, Means.QR, digest(old))
    assert found.find(Claim(Means.QR, old)) == ada.id
    claims.set_code(gallery, ada.id, Means.QR, digest(new))
    assert found.find(Claim(Means.QR, old)) is None
    claims.set_code(gallery, ada.id, Means.QR, None)
    assert found.find(Claim(Means.QR, new)) is None


def test_nothing_means_two_people(gallery: Gallery, ada: Subject, ben: Subject) -> None:
    claims.set_number(gallery, ada.id, "4711")
    claims.set_code(gallery, ada.id, Means.QR, digest("x" * 20))
    claims.set_code(gallery, ada.id, Means.CARD, digest(CARD))
    for take in (
        lambda: claims.set_number(gallery, ben.id, "4711"),
        lambda: claims.set_code(gallery, ben.id, Means.QR, digest("x" * 20)),
        lambda: claims.set_code(gallery, ben.id, Means.CARD, digest(CARD)),
        lambda: gallery.add_subject("Cleo", [a_reference(3)], number="4711"),
        lambda: gallery.add_subject("Cleo", [a_reference(3)], secrets=Secrets(card=digest(CARD))),
    ):
        with pytest.raises(GalleryError, match=f"is that of {ada.id}: clear it there first"):
            take()
    assert [record.subject.name for record in gallery.records()] == ["Ada", "Ben"]
    assert gallery.record(ben.id) == Record(ben, gallery.record(ben.id).references)  # type: ignore[union-attr]
    claims.set_number(gallery, ada.id, "4711")  # one's own


def test_all_of_it_can_come_with_the_enrolment(gallery: Gallery) -> None:
    held = Secrets(qr=digest("a code"), card=digest(CARD))
    cleo = gallery.add_subject("Cleo", [a_reference(3)], number="4711", secrets=held)
    found = Claims(gallery)
    for means, text in ((Means.NUMBER, "4711"), (Means.QR, "a code"), (Means.CARD, CARD)):
        assert found.find(Claim(means, text)) == cleo.id


def test_a_code_can_be_read_nowhere_not_even_with_the_key(home: Home, gallery: Gallery, ada: Subject) -> None:
    code = claims.new_code()
    claims.set_code(gallery, ada.id, Means.QR, digest(code))
    claims.set_code(gallery, ada.id, Means.CARD, digest(CARD))
    claims.set_number(gallery, ada.id, "47114711")
    for path in home.folder.iterdir():
        content = path.read_bytes()
        for text in (code, CARD, "47114711", digest(code), digest(CARD)):
            assert text.encode() not in content
    opened = repr(gallery.record(ada.id)) + str(Audit(gallery.store).records())
    for text in (code, CARD, "47114711", digest(code)):
        assert text not in opened


def test_each_change_is_recorded_without_its_text(gallery: Gallery, ada: Subject) -> None:
    gallery.by = "uid 1000"
    for number in ("4711", None):
        claims.set_number(gallery, ada.id, number)
    for means in (Means.QR, Means.CARD):
        for kept in (digest("some text"), None):
            claims.set_code(gallery, ada.id, means, kept)
    for on in (True, False):
        claims.set_verify(gallery, ada.id, on)
        claims.set_extended(gallery, ada.id, on)
    records = Audit(gallery.store).records(kinds=(AuditKind.SUBJECT,))
    assert [r.outcome for r in records] == [
        "number_set", "number_cleared", "qr_set", "qr_cleared", "card_set", "card_cleared",
        "verify_on", "extended_on", "verify_off", "extended_off",
    ]  # fmt: skip
    assert all((r.subject_id, r.detail) == (ada.id, {"by": "uid 1000"}) for r in records)


def test_what_a_person_needs_is_kept(home: Home, gallery: Gallery, ada: Subject) -> None:
    claims.set_verify(gallery, ada.id, True)
    claims.set_extended(gallery, ada.id, True)
    claims.set_number(gallery, ada.id, "4711")
    with closing(open_gallery(home)) as again:
        kept = again.subject(ada.id)
    assert kept is not None
    assert (kept.number, kept.verify, kept.extended) == ("4711", True, True)


def test_a_record_of_before_has_no_other_way_in(gallery: Gallery, ada: Subject) -> None:
    own, wrapped = gallery.vault.new_key(ada.id)
    record = gallery.record(ada.id)
    assert record is not None
    value = json.loads(own.unwrap(record.seal(own, 3), "subject", ada.id, "version", "3"))
    for new in ("number", "verify", "extended", "duress", "qr", "card"):
        del value[new]
    sealed = own.wrap(json.dumps(value).encode(), "subject", ada.id, "version", "3")
    assert record_of({"id": ada.id, "key": wrapped, "sealed": sealed}, 3, own) == record


def test_a_chosen_number_is_free_and_of_six_digits(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = set()
    for seed in range(5):
        who = gallery.add_subject(f"Person {seed}", [a_reference(seed)]).id
        numbers.add(claims.choose_number(gallery, who))
        assert gallery.subject(who).number in numbers  # type: ignore[union-attr]
    assert len(numbers) == 5
    assert all(len(checked(number)) == USUAL for number in numbers)
    monkeypatch.setattr(claims.secrets, "randbelow", lambda _most: int(min(numbers)) - 10 ** (USUAL - 1))
    with pytest.raises(GalleryError, match="choose a longer one"):
        claims.free_number(gallery)


@pytest.mark.parametrize("number", ["", "123", "123456789", "12a4", "²345"])
def test_an_impossible_number_is_refused(gallery: Gallery, ada: Subject, number: str) -> None:
    with pytest.raises(GalleryError, match="4 to 8 digits"):
        claims.set_number(gallery, ada.id, number)
    with pytest.raises(GalleryError, match="4 to 8 digits"):
        gallery.add_subject("Cleo", [a_reference(3)], number=number)


def test_a_number_tells_staff_nobodys_pin(gallery: Gallery, ada: Subject) -> None:
    pins.set_pin(gallery, ada.id, "271828")
    claims.set_number(gallery, ada.id, "271828")  # taken like any other
    with pytest.raises(GalleryError, match="not the personal number"):
        pins.set_pin(gallery, ada.id, "271828")


@pytest.mark.parametrize("typed", ["", "123", "a" * (LONGEST_CLAIM + 1), "12\x1b34", "12\n345", "\t\t\t\t\t"])
def test_what_no_reader_types_is_no_card(typed: str) -> None:
    with pytest.raises(GalleryError, match="no card's text"):
        card_text(typed)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_readers_line_end_is_not_part_of_the_card(end: str) -> None:
    assert card_text(CARD + end) == CARD


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(means=st.sampled_from(Means), text=st.text(st.characters(exclude_categories=()), min_size=1, max_size=200))
def test_any_other_text_means_nobody(gallery: Gallery, means: Means, text: str) -> None:
    if not gallery.subjects():
        gallery.add_subject("Ada", [a_reference(1)], number="4711", secrets=Secrets(qr=digest("q"), card=digest("c")))
    if text in ("4711", "q", "c"):
        return
    assert Claims(gallery).find(Claim(means, text)) is None


def test_a_gallery_that_cannot_be_believed_means_nobody(gallery: Gallery, ada: Subject) -> None:
    claims.set_number(gallery, ada.id, "4711")
    found = Claims(gallery)
    assert found.find(Claim(Means.NUMBER, "4711")) == ada.id
    gallery.store.execute("UPDATE subject SET sealed = zeroblob(length(sealed))")
    gallery.store.execute("UPDATE meta SET value = value + 1 WHERE key = 'gallery_version'")
    gallery.store.commit()
    for _ in range(2):
        with pytest.raises(TamperedError):
            found.find(Claim(Means.NUMBER, "4711"))
