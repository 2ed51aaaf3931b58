"""Who may do what with the gallery."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.rights import MAY, Right, Role, Users

numbers = st.frozensets(st.integers(0, 5))


@given(numbers, numbers, numbers, st.integers(0, 6))
def test_a_user_has_the_role_that_may_do_most(
    admins: frozenset[int], staff: frozenset[int], auditors: frozenset[int], uid: int
) -> None:
    users = Users(admins, staff, auditors)
    roles = {role for role, group in zip(Role, (admins, staff, auditors), strict=True) if uid in group}
    for right in Right:
        assert users.may(uid, right) == any(right in MAY[role] for role in roles)
    assert (users.role(uid) is None) == (not roles) == (uid not in users.all)


def test_the_table_is_the_one_that_was_decided() -> None:
    assert MAY[Role.ADMIN] == set(Right)
    assert MAY[Role.AUDITOR] == {Right.LIST}
    others = {Right.APPOINT, Right.KEEP, Right.EXPORT, Right.SETTINGS, Right.STUDY, Right.UNLOCK}
    assert MAY[Role.STAFF] == set(Right) - others


def test_what_is_stored_never_changes() -> None:
    assert [role.value for role in Role] == ["admin", "staff", "auditor"]
