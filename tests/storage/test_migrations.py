"""A log of each earlier schema gets its chain, and loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.errors import GalleryError
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import open_signer
from kiosk.storage.database import Store, open_database
from kiosk.storage.home import Home
from kiosk.storage.migrations import AUDIT_GUARDS, MIGRATIONS
from kiosk.storage.verification import verify
from tests.storage.chains import VAULT, sign, unguarded
from tests.storage.conftest import NOON, a_decision

EARLIER = ("m0002_badge", "m0003_record_id", "m0005_sealed", "m0006_audit_chain")
"""The first step that an earlier kiosk did not have."""


def an_old_log(home: Home, first_missing: str, records: int = 5) -> None:
    """As that kiosk left it."""
    home.prepare()
    with closing(sqlite3.connect(home.database)) as connection:
        MIGRATIONS.apply(Store(connection, home.database), stop_before=first_missing)
        for number in range(records):
            connection.execute(
                "INSERT INTO audit (kind, wall_at, grant_id, outcome, detail) VALUES ('decision', ?, ?, 'granted', ?)",
                [f"2026-03-01T12:00:{number:02}.000000+00:00", f"g{number}", f'{{"score":0.{number},"who":"Zoë"}}'],
            )
        connection.commit()


@pytest.mark.parametrize("first_missing", EARLIER)
def test_an_older_log_is_hashed_as_it_lies_and_goes_on(home: Home, first_missing: str) -> None:
    an_old_log(home, first_missing)
    with closing(open_database(home.database)) as store:
        audit = Audit(store)
        assert not MIGRATIONS.pending(store)
        audit.append([a_decision("new")])
        signer = open_signer(store, VAULT)
        checkpoint = sign(store, signer)
        records = audit.records()
        assert [r.grant_id for r in records] == ["g0", "g1", "g2", "g3", "g4", None, "new", None, None]
        assert [r.hash is None for r in records] == [True] * 5 + [False] * 4
        assert (records[5].kind, records[5].outcome, records[5].detail) == (AuditKind.CHAIN, "begun", {"older": 5})
        assert records[1].detail == {"score": 0.1, "who": "Zoë"}
        assert verify(store, [checkpoint], [signer.public]).faults == []
        for change in (
            "UPDATE audit SET detail = '{}' WHERE id = 3",
            "DELETE FROM audit WHERE id = 3",
            "UPDATE audit SET grant_id = 'g9' WHERE id = 1",
        ):
            store.execute("SAVEPOINT attack")
            with unguarded(store):
                store.execute(change)
            assert not verify(store).good
            store.execute("ROLLBACK TO attack")
        assert verify(store).good


@pytest.mark.parametrize("first_missing", EARLIER)
def test_an_empty_older_log_has_nothing_to_cover(home: Home, first_missing: str) -> None:
    an_old_log(home, first_missing, 0)
    with closing(open_database(home.database)) as store:
        Audit(store).append([AuditRecord(AuditKind.START, NOON)])
        assert [r.id for r in Audit(store).records()] == [1]
        assert verify(store).good


def test_it_can_be_looked_at_before_that_but_not_verified(home: Home) -> None:
    an_old_log(home, "m0006_audit_chain")
    with closing(open_database(home.database, read_only=True)) as store:
        assert len(Audit(store).records()) == 5
        with pytest.raises(GalleryError, match="has no chain yet: start the kiosk of this version once"):
            verify(store)


def test_the_guards_are_as_sqlite_shows_them(home: Home) -> None:
    an_old_log(home, "m0002_badge")
    with closing(open_database(home.database)) as store:
        rows = store.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    assert {row["name"]: row["sql"] for row in rows} == AUDIT_GUARDS


def test_nothing_is_recorded_past_the_chain(home: Home) -> None:
    an_old_log(home, "m0006_audit_chain")
    with closing(open_database(home.database)) as store:
        for number, link in ((7, None), (8, bytes(32)), (6, bytes(32)), (None, bytes(32))):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                store.execute(
                    "INSERT INTO audit (id, kind, wall_at, detail, hash) VALUES (?, 'start', 'now', '{}', ?)",
                    [number, link],
                )
