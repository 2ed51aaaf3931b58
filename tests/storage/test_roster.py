from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import TamperedError
from kiosk.storage.roster import Roster, unsealed
from kiosk.storage.vault import Vault

VAULT = Vault(bytes(range(32)))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=20))
def test_a_version_never_comes_again(changes: list[tuple[str, bool]]) -> None:
    roster = Roster("epoch")
    seen: set[int] = set()
    for subject, there in changes:
        before = roster
        roster = roster.with_subject(subject) if there else roster.without(subject, "now")
        assert roster.generation == before.generation + 1
        assert (subject in roster.versions) is there
        assert there or roster.erased[subject] == "now"
        if there:
            assert roster.versions[subject] not in seen
            seen.add(roster.versions[subject])
        assert unsealed(roster.seal(VAULT), VAULT) == roster


def test_a_roster_of_another_key_is_none() -> None:
    with pytest.raises(TamperedError, match="the roster was damaged or altered"):
        unsealed(Roster("epoch").seal(VAULT), Vault(bytes(32)))
