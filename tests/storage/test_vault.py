from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kiosk.domain.errors import TamperedError
from kiosk.storage.vault import Vault, template_bytes

VAULT = Vault(bytes(range(32)))
ids = st.text(st.characters(codec="utf-8"), max_size=20)
bounds = st.lists(ids, max_size=4)


@given(st.binary(max_size=300), bounds)
def test_what_was_sealed_opens_for_the_same_ids(data: bytes, bound: list[str]) -> None:
    sealed = VAULT.wrap(data, *bound)
    assert VAULT.unwrap(sealed, *bound) == data
    assert len(sealed) == len(data) + 29
    assert len(data) < 8 or data not in sealed


@given(bounds, bounds)
def test_it_opens_for_no_other_ids(sealed_for: list[str], opened_for: list[str]) -> None:
    assume(sealed_for != opened_for)
    with pytest.raises(TamperedError, match="damaged or altered"):
        VAULT.unwrap(VAULT.wrap(b"data", *sealed_for), *opened_for)


def test_the_boundaries_between_ids_count() -> None:
    with pytest.raises(TamperedError):
        VAULT.unwrap(VAULT.wrap(b"data", "r", "ab", "c"), "r", "a", "bc")


@pytest.mark.parametrize("place", range(33))
def test_a_changed_byte_anywhere_does_not_open(place: int) -> None:
    sealed = bytearray(VAULT.wrap(b"data", "subject", "s"))
    assert len(sealed) == 33
    sealed[place] ^= 1 << place % 8
    with pytest.raises(TamperedError, match="subject s was damaged"):
        VAULT.unwrap(bytes(sealed), "subject", "s")


def test_what_is_no_sealed_value_does_not_open() -> None:
    for blob in [*(VAULT.wrap(b"data")[:n] for n in range(33)), None, "text", 7]:
        with pytest.raises(TamperedError):
            VAULT.unwrap(blob)


def test_a_nonce_is_never_used_twice() -> None:
    sealed = [VAULT.wrap(b"data") for _ in range(1000)]
    assert len({blob[1:13] for blob in sealed}) == 1000


def test_another_key_does_not_open() -> None:
    with pytest.raises(TamperedError):
        Vault(bytes(32)).unwrap(VAULT.wrap(b"data"))


def test_each_subject_has_a_key_of_its_own_that_only_opens_for_it() -> None:
    own, wrapped = VAULT.new_key("ada")
    sealed = own.wrap(b"data")
    assert VAULT.of_subject(wrapped, "ada").unwrap(sealed) == b"data"
    other, _ = VAULT.new_key("ada")
    with pytest.raises(TamperedError):
        other.unwrap(sealed)
    with pytest.raises(TamperedError, match="the key of subject eve"):
        VAULT.of_subject(wrapped, "eve")
    with pytest.raises(TamperedError):
        VAULT.unwrap(sealed)


def test_a_new_master_key_opens_the_same_subject_s_key() -> None:
    own, wrapped = VAULT.new_key("ada")
    new = Vault(bytes(32))
    again = VAULT.rewrap(wrapped, "ada", new)
    assert new.of_subject(again, "ada").unwrap(own.wrap(b"data")) == b"data"
    with pytest.raises(TamperedError):
        VAULT.of_subject(again, "ada")


@pytest.mark.parametrize("wrong", [np.zeros(128, np.float32), np.zeros(127, np.int8), np.zeros((1, 128), np.int8)])
def test_only_a_template_is_stored_as_one(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="128 signed bytes"):
        template_bytes(wrong)


def test_the_check_value_knows_its_key() -> None:
    check = VAULT.make_check()
    assert VAULT.recognises(check)
    assert not Vault(bytes(32)).recognises(check)
    assert not VAULT.recognises(VAULT.wrap(b"", "another"))
    assert not VAULT.recognises(b"")
