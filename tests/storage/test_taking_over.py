"""Galleries of earlier kiosks: everything in them is still there, and nothing of it is in clear."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.errors import GalleryError, TamperedError, VaultError
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.migrations import MIGRATIONS
from tests.storage import old_galleries
from tests.storage.conftest import MODEL, a_reference, a_template, turned
from tests.storage.old_galleries import ADA, BEN, STEPS

FORMS = [STEPS[:n] for n in range(1, len(STEPS) + 1)]


@pytest.mark.parametrize("steps", FORMS, ids=lambda steps: steps[-1])
def test_everybody_is_still_there_after_the_update(home: Home, steps: list[str]) -> None:
    old_galleries.make(home, steps)
    with closing(open_gallery(home)) as gallery:
        ben, ada = gallery.subjects()
        assert (ada.id, ada.name, ada.disabled, ada.badge) == (ADA, "Ada Zwicky", False, None)
        assert ada.valid_until == datetime(2099, 1, 1, 8, tzinfo=UTC)
        assert (ben.id, ben.disabled, ben.badge) == (BEN, True, 7 if "m0002_badge" in steps else None)
        found = gallery.references(MODEL)
        assert sorted(r.subject_id for r in found) == [ADA, ADA, BEN]
        for subject, seeds in ((ADA, (1, 2)), (BEN, (3,))):
            own = [r.template.tobytes() for r in found if r.subject_id == subject]
            assert own == turned(gallery, *seeds)
        assert [r.outcome for r in Audit(gallery.store).records()][:1] == ["enrolled"]
        assert not MIGRATIONS.pending(gallery.store)
        assert not gallery.demonstration
    with closing(open_gallery(home, read_only=True)) as gallery:
        assert gallery.subjects() == [ben, ada]
    raw = subprocess.run(["cat", *home.folder.glob("gallery.db*")], check=True, capture_output=True).stdout
    assert b"Zwicky" not in raw
    assert a_template(1).tobytes() not in raw


@pytest.mark.parametrize("steps", FORMS, ids=lambda steps: steps[-1])
def test_a_look_says_that_the_kiosk_must_be_started_once(home: Home, steps: list[str]) -> None:
    old_galleries.make(home, steps)
    with pytest.raises(GalleryError, match="of an older kiosk: start this one once"):
        open_gallery(home, read_only=True)
    open_database(home.database).close()  # the new tables are there, but nobody had the key
    with pytest.raises(GalleryError, match="of an older kiosk: start this one once"):
        open_gallery(home, read_only=True)
    with closing(open_gallery(home)) as gallery:
        assert len(gallery.subjects()) == 2


def test_the_mark_of_the_demonstration_stays(home: Home) -> None:
    old_galleries.make(home, demonstration=True)
    with closing(open_gallery(home)) as gallery:
        assert gallery.demonstration


def test_an_old_gallery_needs_its_own_key(home: Home) -> None:
    old_galleries.make(home)
    home.key.rename(home.folder / "kept")
    with pytest.raises(VaultError, match="the key is missing"):
        open_gallery(home)
    home.key.write_bytes(bytes(32))
    home.key.chmod(0o600)
    with pytest.raises(VaultError, match="does not belong"):
        open_gallery(home)
    (home.folder / "kept").rename(home.key)
    with closing(open_gallery(home)) as gallery:
        assert len(gallery.subjects()) == 2


def test_an_altered_old_reference_is_named_and_nothing_is_changed(home: Home) -> None:
    old_galleries.make(home)
    with closing(open_database(home.database)) as store:
        store.execute("UPDATE reference_v1 SET template = zeroblob(157) WHERE id = 'r1'")
        store.conn.commit()
    for _ in range(2):
        with pytest.raises(TamperedError, match="template r1"):
            open_gallery(home)
    with closing(open_database(home.database)) as store:
        assert len(store.rows("SELECT * FROM reference_v1")) == 3


def test_rows_of_before_put_into_a_sealed_gallery_are_refused(home: Home, tmp_path: Path) -> None:
    """Somebody kept the gallery of before, in which Ada was not removed yet, and may write into the folder."""
    old_galleries.make(home, STEPS)
    open_database(home.database).close()
    kept = tmp_path / "kept.db"
    shutil.copyfile(home.database, kept)
    with closing(open_gallery(home)) as gallery:
        gallery.remove(ADA)
        gallery.remove(BEN)
    with closing(sqlite3.connect(home.database)) as attacker:
        attacker.execute("ATTACH ? AS kept", [str(kept)])
        for table in ("subject_v1", "reference_v1"):
            attacker.execute(f"CREATE TABLE {table} AS SELECT * FROM kept.{table}")
        attacker.commit()
    with pytest.raises(TamperedError, match="rows of an older kiosk were put into the sealed gallery"):
        open_gallery(home)
    with pytest.raises(GalleryError):
        open_gallery(home, read_only=True)


@pytest.mark.parametrize("steps", [[*STEPS, "m0005_sealed"], [*STEPS, "m0005_sealed", "m0006_audit_chain"]])
def test_the_templates_of_a_sealed_gallery_of_before_are_turned(home: Home, steps: list[str]) -> None:
    old_galleries.make_sealed(home, steps)
    with closing(open_database(home.database, read_only=True)) as store:
        sealed = [row["sealed"] for row in store.rows("SELECT sealed FROM reference")]
    for _ in range(2):  # before and after another command has opened it, without the key
        with pytest.raises(GalleryError, match="of an older kiosk: start this one once"):
            open_gallery(home, read_only=True)
        open_database(home.database).close()
    with closing(open_gallery(home)) as gallery:
        ada, ben = gallery.subjects()
        assert (ada.id, ada.name, ben.id, ben.badge) == (ADA, "Ada Zwicky", BEN, 7)
        found = gallery.references(MODEL)
        assert [(r.subject_id, r.quality) for r in found] == [(ADA, 0.5), (ADA, 0.5), (BEN, 0.5)]
        assert [r.template.tobytes() for r in found] == turned(gallery, 1, 2, 3)
        assert not MIGRATIONS.pending(gallery.store)
        assert gallery.demonstration
    raw = subprocess.run(["cat", *home.folder.glob("gallery.db*")], check=True, capture_output=True).stdout
    assert not any(blob[1:40] in raw for blob in sealed)
    with closing(open_gallery(home, read_only=True)) as gallery:
        assert gallery.subjects() == [ada, ben]


def test_an_altered_reference_of_a_sealed_gallery_of_before_is_named_and_nothing_is_changed(home: Home) -> None:
    old_galleries.make_sealed(home)
    with closing(sqlite3.connect(home.database)) as other, other:
        other.execute("UPDATE reference SET sealed = zeroblob(157) WHERE id = 'r1'")
    for _ in range(2):
        with pytest.raises(TamperedError, match="reference r1"):
            open_gallery(home)
    with closing(sqlite3.connect(home.database)) as other:
        assert other.execute("SELECT count(*) FROM meta WHERE key = 'turning'").fetchone() == (0,)


def test_an_empty_sealed_gallery_of_before_gets_its_matrix(home: Home) -> None:
    old_galleries.make_sealed(home, people=False)
    with closing(open_gallery(home)) as gallery:
        gallery.add_subject("Cleo", [a_reference(4)])
        assert [r.template.tobytes() for r in gallery.references(MODEL)] == turned(gallery, 4)
