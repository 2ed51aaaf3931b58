"""The matrix that turns a gallery's templates (domain.renewal), as it lies in the gallery: sealed with the master key.

It is bound to its version, which the roster names, and each reference is bound to that version too. So an earlier
matrix cannot be put back beside later references, nor an earlier reference beside a later matrix.
"""

from __future__ import annotations

import secrets

from kiosk.domain.errors import TamperedError
from kiosk.domain.renewal import Turning, randomness
from kiosk.storage.database import Store
from kiosk.storage.vault import TEMPLATE_BYTES, Vault

_NAME = "turning"
_BOUND = "the matrix of the templates"


def new_turning() -> Turning:
    """A new secret matrix."""
    return Turning.made(secrets.token_bytes(randomness(TEMPLATE_BYTES)), TEMPLATE_BYTES)


def write_turning(store: Store, vault: Vault, turning: Turning, version: int) -> None:
    """Stores a matrix in place of the one before. Call it inside a transaction."""
    sealed = vault.wrap(turning.to_bytes(), _BOUND, "version", str(version))
    store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [_NAME, sealed])


def read_turning(store: Store, vault: Vault, version: int) -> Turning:
    """The matrix of this version. Raises TamperedError for any other."""
    found = store.rows("SELECT value FROM meta WHERE key = ?", [_NAME])
    if not found:
        raise TamperedError(f"{_BOUND} is missing")
    try:
        return Turning.of_bytes(vault.unwrap(found[0]["value"], _BOUND, "version", str(version)))
    except ValueError as error:
        raise TamperedError(f"{_BOUND} was damaged or altered") from error


def has_turning(store: Store) -> bool:
    """Whether a matrix is stored."""
    return bool(store.rows("SELECT 1 FROM meta WHERE key = ?", [_NAME]))
