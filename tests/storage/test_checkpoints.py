"""The signing key of the log: made once, sealed, and its signatures."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from kiosk.domain.checkpoint import CUT
from kiosk.domain.errors import GalleryError
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import genuine, newest_checkpoint, open_signer, public_key, recorded, tail
from kiosk.storage.database import in_memory
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.vault import KEY_BYTES, Vault
from tests.storage.chains import VAULT, a_real_log, sign
from tests.storage.conftest import NOON, a_decision

OTHER_VAULT = Vault(bytes([9] * KEY_BYTES))


def test_the_key_is_made_once_and_the_log_says_so() -> None:
    store = in_memory()
    assert public_key(store) is None
    made = open_signer(store, VAULT)
    assert open_signer(store, VAULT).public == made.public == public_key(store)
    assert [(r.kind, r.outcome, r.detail) for r in Audit(store).records()] == [
        ("chain", "key_made", {"key": made.public})
    ]


def test_it_is_sealed_in_the_file_and_stays_over_a_restart(home: Home, gallery: Gallery) -> None:
    signer = open_signer(gallery.store, gallery.vault)
    gallery.close()
    raw = subprocess.run(["cat", *home.folder.glob("gallery.db*")], check=True, capture_output=True).stdout
    assert signer.key.private_bytes_raw() not in raw
    assert signer.public.encode() in raw
    again = open_gallery(home)
    assert open_signer(again.store, again.vault).public == signer.public
    again.close()


@pytest.mark.parametrize("altered", [False, True])
def test_a_key_that_cannot_be_opened_is_replaced_and_the_log_says_so(altered: bool) -> None:
    store = in_memory()
    made = open_signer(store, VAULT)
    if altered:
        store.execute("UPDATE meta SET value = zeroblob(60) WHERE key = 'audit_key'")
    other = open_signer(store, VAULT if altered else OTHER_VAULT)
    assert other.public != made.public
    assert public_key(store) == other.public
    last = Audit(store).records()[-1]
    assert (last.outcome, last.detail) == ("key_replaced", {"key": other.public})


def test_only_what_was_signed_is_genuine() -> None:
    signer = open_signer(in_memory(), VAULT)
    signed = signer.sign(7, bytes(32), NOON)
    assert genuine(signed)
    assert not genuine(signed, CUT)
    assert genuine(signer.sign(7, bytes(32), NOON, CUT), CUT)
    for changed in (
        replace(signed, number=8),
        replace(signed, hash="11" * 32),
        replace(signed, at="2027-03-01T12:00:00.000000+00:00"),
        replace(signed, boot="00000000"),
        replace(signed, key=open_signer(in_memory(), OTHER_VAULT).public),
        replace(signed, key="ff" * 32),
        replace(signed, signature="00" * 64),
    ):
        assert not genuine(changed)


def test_the_newest_checkpoint_and_the_end_are_found() -> None:
    empty = in_memory()
    assert (newest_checkpoint(empty), tail(empty)) == (None, (0, bytes(32)))
    store, signer, checkpoints = a_real_log()
    assert newest_checkpoint(store) == checkpoints[-1]
    made = sign(store, signer)
    assert (newest_checkpoint(store), made.number) == (made, 25)
    Audit(store).append([a_decision("g")])
    newest = Audit(store).records(limit=1)[0]
    assert tail(store) == (27, bytes.fromhex(str(newest.hash)))


@pytest.mark.parametrize("detail", ["", "[]", "{}", "7", "[" * 5000, '{"number":7}'])
def test_a_record_without_a_checkpoint_is_an_error(detail: str) -> None:
    with pytest.raises(GalleryError, match="holds no checkpoint"):
        recorded(detail)
