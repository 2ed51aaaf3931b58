"""Who may do what at the door: the whole product of roles and verbs, and of names and roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.door.roles import MAY, Role, Users, Verb

ROOT, OPERATOR, KIOSK, NOTIFY, STRANGER = 0, 10, 20, 30, 40
USERS = Users(frozenset({ROOT, OPERATOR}), frozenset({KIOSK}), frozenset({NOTIFY}))
TABLE = """
               root operator kiosk notify stranger
release        yes  yes      yes   -      -
extend         yes  yes      yes   -      -
hold_open      yes  yes      -     -      -
secure         yes  yes      -     -      -
lockdown       yes  yes      -     -      -
lockdown_end   yes  yes      -     -      -
simulate       yes  yes      -     -      -
status         yes  yes      yes   -      -
watch          yes  yes      yes   -      -
subscribe      yes  yes      yes   yes    -
witness        yes  yes      yes   -      -
forget_gallery yes  yes      -     -      -
"""
"""Written out once more: a change of the product's table is a change here as well."""
WHO = [ROOT, OPERATOR, KIOSK, NOTIFY, STRANGER]
ROWS = {words[0]: words[1:] for words in (line.split() for line in TABLE.strip().splitlines()[1:])}


def test_every_verb_and_every_role_is_in_the_table() -> None:
    assert set(ROWS) == set(Verb)
    assert set(MAY) == set(Role)


@pytest.mark.parametrize("verb", Verb)
def test_each_user_may_only_use_the_verbs_of_its_role(verb: Verb) -> None:
    assert [USERS.may(uid, verb) for uid in WHO] == [cell == "yes" for cell in ROWS[verb]]


uids = st.integers(0, 5)
sets = st.frozensets(uids)


@given(sets, sets, sets, uids)
def test_whatever_the_lists_a_user_may_what_one_of_its_roles_may(
    operators: frozenset[int], clients: frozenset[int], subscribers: frozenset[int], uid: int
) -> None:
    users = Users(operators, clients, subscribers)
    of = {Role.OPERATOR: operators, Role.CLIENT: clients, Role.SUBSCRIBER: subscribers}
    granted = frozenset[Verb]().union(*(MAY[role] for role, who in of.items() if uid in who))
    assert {verb for verb in Verb if users.may(uid, verb)} == granted
    assert (uid in users.listening) == bool(granted)
    assert (uid in users.commanding) == (uid in operators | clients)


@pytest.mark.parametrize(
    ("name", "who"),
    [("audit", [ROOT, OPERATOR, KIOSK]), ("notify", [ROOT, OPERATOR, NOTIFY]), ("monitor", WHO)],
)
def test_a_subscriber_name_of_a_role_is_only_for_that_role(name: str, who: list[int]) -> None:
    assert [uid for uid in WHO if USERS.may_be_called(uid, name)] == who
