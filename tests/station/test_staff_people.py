"""Staff mode's pages about people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditOutcome, AuditReason
from kiosk.domain.people import Subject
from kiosk.domain.rights import Role
from kiosk.domain.staff_views import MOST_SHOWN, Erased, People, Person, Problem
from kiosk.domain.staffing import Choose, Remove, Search, SetDisabled, SetUntil, SetVerify
from tests.station.staff_site import Site, now, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "home") as made:
        made.signed_in()
        yield made


@pytest.fixture
def ada(here: Site) -> Subject:
    return here.person("Ada Lovelace", 1, number="7711", pin="739182")


def test_people_are_found_by_name_number_and_id(here: Site, ada: Subject) -> None:
    for text in ("lovel", "7711", ada.id[:8], " ADA "):
        shown = here.ask(Search(text))
        assert isinstance(shown, People)
        assert [row.name for row in shown.rows] == ["Ada Lovelace"], text
    shown = here.ask(Search(""))
    assert isinstance(shown, People)
    assert [row.name for row in shown.rows] == ["Ada Lovelace", "Grace Hopper"]
    assert here.ask(Search("nobody")) == People("nobody", (), 0)
    assert shown.found <= MOST_SHOWN


def test_somebody_is_disabled_given_an_end_and_made_to_say_who_they_are(here: Site, ada: Subject) -> None:
    until = now().replace(microsecond=0) + timedelta(days=3)
    for request, outcome in (
        (SetDisabled(ada.id, True), AuditOutcome.DISABLED),
        (SetUntil(ada.id, until), AuditOutcome.VALIDITY_CHANGED),
        (SetVerify(ada.id, True), AuditOutcome.VERIFY_ON),
    ):
        here.ask(request)
        record = here.records()[-1]
        assert (record.outcome, record.subject_id) == (outcome, ada.id)
        assert str(record.detail["by"]).startswith("subject ")
    changed = here.gallery.find(ada.id)
    assert (changed.disabled, changed.valid_until, changed.verify) == (True, until, True)
    assert here.last(Person).row.until == until


def test_an_end_before_the_beginning_is_said(here: Site, ada: Subject) -> None:
    here.gallery.set_validity(ada.id, now() + timedelta(days=9), None)
    here.ask(SetUntil(ada.id, now()))
    assert here.last(Person).problem is Problem.VALIDITY


def test_who_is_erased_has_a_certificate(here: Site, ada: Subject) -> None:
    shown = here.ask(Remove(ada.id, withdrawn=True))
    assert isinstance(shown, Erased)
    assert (shown.subject_id, shown.references) == (ada.id, 1)
    assert shown.remains
    assert here.gallery.subject(ada.id) is None
    assert ada.id in here.gallery.erased()
    assert any(r.reason == AuditReason.WITHDRAWN for r in here.records())


def test_staff_change_neither_themselves_nor_who_has_a_role(here: Site, ada: Subject) -> None:
    from kiosk.storage.pins import set_role

    set_role(here.gallery, ada.id, Role.ADMIN)
    before = here.gallery.subjects()
    for who in (ada.id, here.gallery.find("Grace Hopper").id):
        for request in (SetDisabled(who, True), Remove(who), SetVerify(who, True), SetUntil(who, None)):
            here.ask(request)
            shown = here.last(Person)
            assert (shown.problem, shown.may_switch, shown.may_erase, shown.may_renew) == (
                Problem.NOT_ALLOWED,
                False,
                False,
                False,
            )
    assert here.gallery.subjects() == before


def test_an_admin_may_change_staff(tmp_path: Path) -> None:
    with site(tmp_path / "home", Role.ADMIN) as here:
        here.signed_in()
        ada = here.person("Ada", 1, Role.STAFF, number="7711", pin="739182")
        here.ask(Choose(ada.id))
        assert here.last(Person).may_erase
        here.ask(SetDisabled(ada.id, True))
        assert here.gallery.find(ada.id).disabled
