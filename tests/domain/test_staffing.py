"""Who may ask for what in staff mode."""

from __future__ import annotations

from typing import get_args

import pytest

from kiosk.domain.rights import Right, Role
from kiosk.domain.staffing import (
    NEEDED,
    NEEDS,
    About,
    Answered,
    Choose,
    Finish,
    Open,
    Place,
    Remove,
    Renew,
    SetDisabled,
    SignIn,
    SignOut,
    StaffRequest,
    Touched,
    may,
    pages,
)

FREE = {SignIn, SignOut, Touched}


def test_each_request_and_page_has_its_right() -> None:
    assert set(NEEDED) | FREE | {Open} == set(get_args(StaffRequest))
    assert not set(NEEDED) & FREE
    assert set(NEEDS) == set(Place)


@pytest.mark.parametrize("request_", [SignIn("1234", "482915"), SignOut(), Touched()])
def test_anybody_may_sign_in_and_out(request_: StaffRequest) -> None:
    assert may(None, request_)


@pytest.mark.parametrize(
    ("request_", "who"),
    [
        (Open(Place.PEOPLE), {Role.AUDITOR, Role.STAFF, Role.ADMIN}),
        (Open(Place.EVENTS), {Role.AUDITOR, Role.STAFF, Role.ADMIN}),
        (Choose("x"), {Role.AUDITOR, Role.STAFF, Role.ADMIN}),
        (Open(Place.ENROL), {Role.STAFF, Role.ADMIN}),
        (Answered(True), {Role.STAFF, Role.ADMIN}),
        (About("Ada"), {Role.STAFF, Role.ADMIN}),
        (Finish(), {Role.STAFF, Role.ADMIN}),
        (SetDisabled("x", True), {Role.STAFF, Role.ADMIN}),
        (Remove("x"), {Role.STAFF, Role.ADMIN}),
        (Renew("x"), {Role.STAFF, Role.ADMIN}),
    ],
)
def test_what_changes_something_is_for_staff(request_: StaffRequest, who: set[Role]) -> None:
    assert {role for role in Role if may(role, request_)} == who
    assert not may(None, request_)


def test_the_first_page_offers_what_one_may_see() -> None:
    assert pages(Role.AUDITOR) == (Place.PEOPLE, Place.EVENTS, Place.WHY, Place.DOOR)
    assert pages(Role.STAFF) == (Place.ENROL, Place.PEOPLE, Place.EVENTS, Place.WHY, Place.DOOR)
    assert pages(Role.ADMIN) == (*pages(Role.STAFF), Place.SETTINGS)
    assert Place.HOME not in pages(Role.ADMIN)
    assert Right.ENROL is NEEDS[Place.ENROL]


def test_a_secret_is_not_shown_where_a_request_is_printed() -> None:
    assert "482915" not in repr(SignIn("1234", "482915"))
    assert "1234" not in repr(SignIn("1234", "482915"))
    assert "739182" not in repr(Finish("739182"))
