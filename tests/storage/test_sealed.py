"""What somebody can do who can write into the gallery's file, but has not its key: each attack has a named refusal."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from kiosk.domain.errors import GalleryError, TamperedError
from kiosk.domain.people import Subject
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.rotation import renew_templates
from tests.storage.conftest import MODEL, NOON, a_reference

Rows = list[tuple[object, ...]]
TABLES = ("subject", "reference")


def written(home: Home, *statements: str, rows: dict[str, Rows] | None = None) -> None:
    """Writes into the file as another program would, without triggers, keys and checks."""
    with closing(sqlite3.connect(home.database)) as other, other:
        for statement in statements:
            other.execute(statement)
        for table, found in (rows or {}).items():
            for row in found:
                other.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def copied(home: Home, *tables: str) -> dict[str, Rows]:
    """All rows of these tables, as another program reads them."""
    with closing(sqlite3.connect(home.database)) as other:
        return {table: other.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def refused(home: Home, gallery: Gallery, message: str) -> None:
    """Neither the kiosk that runs nor one that starts believes the gallery."""
    with pytest.raises(TamperedError, match=message) as caught:
        gallery.references(MODEL)
    assert "nobody is let in" in str(caught.value)
    with closing(open_gallery(home)) as again, pytest.raises(TamperedError, match=message):
        again.references(MODEL)


def test_a_removed_subject_cannot_be_put_back(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    eve = gallery.add_subject("Eve", [a_reference(2)])
    old = copied(home, *TABLES)
    gallery.remove(eve.id)
    written(home, rows=old)
    refused(home, gallery, f"subject {eve.id} was put there by something else")
    with pytest.raises(TamperedError, match=eve.id):
        gallery.subject(eve.id)
    with pytest.raises(TamperedError, match=eve.id):
        gallery.subjects()


@pytest.mark.parametrize(
    "change",
    [
        lambda gallery, eve: gallery.set_disabled(eve.id, True),
        lambda gallery, eve: gallery.set_validity(eve.id, None, NOON),
        lambda gallery, eve: gallery.set_badge(eve.id, None),
        lambda gallery, eve: gallery.renew(eve.id, [a_reference(5)]),
    ],
)
def test_an_older_record_cannot_be_put_back(
    home: Home, gallery: Gallery, change: Callable[[Gallery, Subject], None]
) -> None:
    eve = gallery.add_subject("Eve", [a_reference(2)], badge=7)
    old = copied(home, "subject")
    change(gallery, eve)
    written(home, rows=old)
    refused(home, gallery, f"subject {eve.id} version 3 was damaged or altered")
    with pytest.raises(TamperedError, match=eve.id):
        gallery.subject(eve.id)


def test_an_older_reference_cannot_be_put_back(home: Home, gallery: Gallery) -> None:
    eve = gallery.add_subject("Eve", [a_reference(2)])
    old = copied(home, "reference")
    gallery.renew(eve.id, [a_reference(3)])
    written(home, rows=old)
    refused(home, gallery, f"reference {old['reference'][0][0]} was put there by something else")


@pytest.mark.parametrize("what", ["meta", "reference"])
def test_neither_matrix_nor_reference_of_before_a_renewal_can_be_put_back(
    home: Home, gallery: Gallery, what: str
) -> None:
    """To make a stolen template fit again."""
    gallery.add_subject("Eve", [a_reference(2)])
    old = copied(home, what)
    renew_templates(gallery.store, gallery.vault)
    written(home, rows={what: [row for row in old[what] if what == "reference" or row[0] == "turning"]})
    for opened in (gallery, open_gallery(home)):
        with closing(opened), pytest.raises(TamperedError, match=r"turned by 3|matrix of the templates version 3"):
            opened.enrolled(MODEL)


def test_a_matrix_cannot_be_taken_away(home: Home, gallery: Gallery) -> None:
    """To have the templates taken for ones that were never turned."""
    gallery.add_subject("Eve", [a_reference(2)])
    written(home, "DELETE FROM meta WHERE key = 'turning'")
    with pytest.raises(TamperedError, match="the matrix of the templates is missing"):
        gallery.enrolled(MODEL)
    for read_only in (True, False):
        with pytest.raises(TamperedError, match="the matrix of the templates is missing"):
            open_gallery(home, read_only=read_only)


def test_references_cannot_be_exchanged_between_people(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    eve = gallery.add_subject("Eve", [a_reference(2)])
    written(
        home,
        f"UPDATE reference SET subject_id = CASE subject_id WHEN '{ada.id}' THEN '{eve.id}' ELSE '{ada.id}' END",
    )
    refused(home, gallery, "reference .* was damaged or altered")


def test_records_and_keys_cannot_be_exchanged_between_people(home: Home, gallery: Gallery) -> None:
    """To take over somebody's badge, or a validity."""
    ada = gallery.add_subject("Ada", [a_reference(1)], badge=1)
    eve = gallery.add_subject("Eve", [a_reference(2)], badge=2)
    rows = {row[0]: row for row in copied(home, "subject")["subject"]}
    for columns in ((rows[ada.id][1], rows[eve.id][2]), (rows[eve.id][1], rows[ada.id][2]), rows[eve.id][1:]):
        written(home, rows={"subject": [(ada.id, *columns)]})
        refused(home, gallery, f"subject {ada.id}")


def test_a_reference_passed_off_as_another_model_is_refused(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    written(home, "UPDATE reference SET model_id = 'model-b'")
    with pytest.raises(TamperedError, match="of model model-b turned by 1 was damaged or altered"):
        gallery.references("model-b")


@pytest.mark.parametrize("table", TABLES)
def test_a_row_cannot_be_taken_away(home: Home, gallery: Gallery, table: str) -> None:
    """To let somebody be enrolled a second time under another name."""
    for seed in range(3):
        gallery.add_subject(str(seed), [a_reference(seed)])
    written(home, f"DELETE FROM {table} WHERE rowid = 2")
    refused(home, gallery, f"{table} .* is missing")


def test_an_older_roster_does_not_fit(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    eve = gallery.add_subject("Eve", [a_reference(2)])
    old = copied(home, "meta", *TABLES)
    gallery.remove(eve.id)
    assert len(gallery.subjects()) == 1
    old["meta"] = [row for row in old["meta"] if row[0] == "roster"]
    written(home, rows=old)
    with closing(open_gallery(home)) as again, pytest.raises(TamperedError, match="the roster is of change 3, but"):
        again.references(MODEL)
    # A kiosk that runs has the newer roster in memory.
    with pytest.raises(TamperedError, match=eve.id):
        gallery.subjects()


def test_a_roster_cannot_be_taken_away_or_emptied(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    kept = copied(home, "meta")
    written(home, "DELETE FROM meta WHERE key = 'roster'")
    with closing(open_gallery(home)) as again, pytest.raises(TamperedError, match="the roster is missing"):
        again.subjects()
    written(home, "INSERT INTO meta VALUES ('roster', x'00')")
    with closing(open_gallery(home)) as again, pytest.raises(TamperedError, match="the roster was damaged"):
        again.subjects()
    written(home, rows=kept)
    assert [s.name for s in gallery.subjects()] == ["Ada"]


def test_the_mark_of_the_demonstration_cannot_be_taken_away(home: Home, gallery: Gallery) -> None:
    unmarked = copied(home, "meta")
    gallery.mark_demonstration()
    assert gallery.demonstration
    written(home, rows={"meta": [row for row in unmarked["meta"] if row[0] == "roster"]})
    with closing(open_gallery(home)) as again, pytest.raises(TamperedError):
        assert not again.demonstration


def test_a_version_that_is_no_number_is_refused(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    written(home, "UPDATE meta SET value = 'many' WHERE key = 'gallery_version'")
    with pytest.raises(GalleryError, match="the number of the last change is missing"):
        gallery.data_version()


def test_a_change_of_an_altered_gallery_is_refused_and_leaves_it_as_it_is(home: Home, gallery: Gallery) -> None:
    eve = gallery.add_subject("Eve", [a_reference(1)])
    old = copied(home, *TABLES)
    gallery.remove(eve.id)
    written(home, rows=old)
    before = copied(home, "meta", *TABLES)
    with pytest.raises(TamperedError):
        gallery.set_disabled(eve.id, False)
    with pytest.raises(TamperedError):
        gallery.add_subject("Zed", [a_reference(2)], badge=1)
    assert copied(home, "meta", *TABLES) == before
