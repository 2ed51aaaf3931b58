"""Opens the vault of a gallery: finds its key, or makes it on first use, and tells a wrong key from altered rows."""

from __future__ import annotations

import secrets

from kiosk.domain.errors import GalleryError, VaultError
from kiosk.storage import taking_over
from kiosk.storage.database import Store
from kiosk.storage.keys import KeySource
from kiosk.storage.sealed import begin
from kiosk.storage.troubles import OLDER_TEXT
from kiosk.storage.vault import KEY_BYTES, Vault


def unlock(store: Store, source: KeySource) -> Vault:
    """Opens the vault of a gallery, and makes its key on first use.

    Raises VaultError when the key is missing although the gallery is filled, belongs to another gallery, can be read by
    other users, or is no key.
    """
    key = source.read()
    if key is None:
        if _filled(store):
            raise VaultError(f"{source.place}: the key is missing: put it back, or get it back: kiosk keys recover")
        if store.read_only:
            raise VaultError(f"{source.place}: there is no key yet: enrol somebody first")
        source.write(secrets.token_bytes(KEY_BYTES))
        key = source.read()
        if key is None:
            raise VaultError(f"{source.place}: the key was taken away while it was made: try again")
    vault = Vault(key)
    if not belongs(store, vault) and (adopted := _adopted(store, source)):
        vault = adopted
    if not belongs(store, vault):
        if _filled(store):
            raise VaultError(
                f"{source.place}: this key does not belong to the gallery {store.path}: put the right key back"
            )
        if not store.read_only:
            with store.transaction():
                bind(store, vault)
    if not store.read_only:
        taking_over.take_over(store, vault)
        taking_over.turn(store, vault)
    elif taking_over.pending(store) or taking_over.unturned(store, vault):
        raise GalleryError(f"{store.path}: {OLDER_TEXT}")
    return vault


def _adopted(store: Store, source: KeySource) -> Vault | None:
    """Ends a change of the key that was cut off after the gallery had been sealed with the new one (storage.rotation).
    None if there was none."""
    coming = source.coming()
    if coming is None or not belongs(store, Vault(coming)):
        return None
    if not store.read_only:
        source.adopt()
    return Vault(coming)


def bind(store: Store, vault: Vault) -> None:
    """Binds an empty gallery to this key: from now on it can only be opened with it. Call it inside a transaction."""
    if _filled(store):
        raise VaultError(f"{store.path}: the gallery's key was changed meanwhile: start again")
    store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('vault_check', ?)", [vault.make_check()])
    begin(store, vault)


def belongs(store: Store, vault: Vault) -> bool:
    """Whether the gallery is bound to the vault's key now. Raises GalleryError."""
    found = store.rows("SELECT value FROM meta WHERE key = 'vault_check'")
    return bool(found) and vault.recognises(found[0]["value"])


def _filled(store: Store) -> bool:
    """Whether somebody is enrolled."""
    return bool(store.rows("SELECT 1 FROM subject LIMIT 1")) or taking_over.pending(store)
