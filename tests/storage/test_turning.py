from __future__ import annotations

import pytest

from kiosk.domain.errors import TamperedError
from kiosk.storage.database import in_memory
from kiosk.storage.turning import has_turning, new_turning, read_turning, write_turning
from kiosk.storage.vault import Vault
from tests.storage.conftest import a_vector

VAULT = Vault(bytes(32))


def test_a_matrix_is_read_as_it_was_written() -> None:
    store = in_memory()
    assert not has_turning(store)
    with pytest.raises(TamperedError, match="is missing"):
        read_turning(store, VAULT, 3)
    made = new_turning()
    write_turning(store, VAULT, made, 3)
    assert has_turning(store)
    again = read_turning(store, VAULT, 3)
    assert again.to_bytes() == made.to_bytes()
    assert again.template(a_vector(1)).tobytes() == made.template(a_vector(1)).tobytes()


def test_only_the_matrix_of_that_version_and_key_counts() -> None:
    store = in_memory()
    write_turning(store, VAULT, new_turning(), 3)
    for vault, version in ((VAULT, 2), (Vault(b"1" * 32), 3)):
        with pytest.raises(TamperedError, match="the matrix of the templates"):
            read_turning(store, vault, version)


def test_each_gallery_gets_another_one() -> None:
    assert new_turning().to_bytes() != new_turning().to_bytes()


@pytest.mark.parametrize("content", [b"", bytes(4 * 128 * 128), bytes(4 * 127), b"1" * 7])
def test_what_is_no_matrix_is_refused(content: bytes) -> None:
    store = in_memory()
    sealed = VAULT.wrap(content, "the matrix of the templates", "version", "3")
    store.execute("INSERT INTO meta (key, value) VALUES ('turning', ?)", [sealed])
    with pytest.raises(TamperedError, match="damaged or altered"):
        read_turning(store, VAULT, 3)
