from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.domain.audit import AuditKind
from kiosk.domain.errors import GalleryError
from kiosk.domain.naming import cleaned
from kiosk.domain.people import NewReference
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.migrations import MIGRATIONS
from tests.storage.conftest import MODEL, NOON, a_decision, a_reference, a_template, turned


def test_an_enrolment_is_there_for_whoever_opens_the_gallery_next(home: Home, gallery: Gallery) -> None:
    begin = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    subject = gallery.add_subject(" Ada L. ", [a_reference(1), a_reference(2)], valid_from=begin, valid_until=NOON)
    gallery.close()
    again = open_gallery(home, read_only=True)
    assert again.subjects() == [subject]
    assert again.subject(subject.id) == subject
    assert subject.name == "Ada L."
    assert subject.valid_from == begin
    references = again.references(MODEL)
    assert [r.subject_id for r in references] == [subject.id] * 2
    assert references[1].template.tobytes() == turned(again, 2)[0]
    assert (references[0].quality, references[0].model_id) == (0.75, MODEL)
    assert references[0].created_at == subject.created_at
    again.close()


def test_references_of_another_model_stay_apart(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    ben = gallery.add_subject("Ben", [a_reference(2, "model-b")])
    assert [r.subject_id for r in gallery.references("model-b")] == [ben.id]
    assert [r.subject_id for r in gallery.references(MODEL)] == [ada.id]
    assert [gallery.enrolled_with(model) for model in (MODEL, "model-b", "model-c")] == [{ada.id}, {ben.id}, set()]
    assert gallery.references("model-c") == []
    assert gallery.counts() == {MODEL: 1, "model-b": 1}
    assert [gallery.unusable(model) for model in (MODEL, "model-b", "model-c")] == [1, 1, 2]


def test_somebody_enrolled_again_keeps_all_but_the_references(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1), a_reference(2, "model-b")], valid_until=NOON, badge=7)
    version = gallery.data_version()
    gallery.renew(ada.id, [a_reference(3, "model-b")])
    assert gallery.subjects() == [ada]
    assert gallery.counts() == {"model-b": 1}
    assert gallery.references("model-b")[0].template.tobytes() == turned(gallery, 3)[0]
    assert gallery.data_version() > version


def test_a_failed_renewal_leaves_the_old_references(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    records = Audit(gallery.store).records()
    with pytest.raises(ValueError, match="128"):
        gallery.renew(ada.id, [a_reference(2), NewReference(np.zeros(5, np.float32), MODEL, 0.5)])
    with pytest.raises(ValueError, match="without references"):
        gallery.renew(ada.id, [])
    assert [r.template.tobytes() for r in gallery.references(MODEL)] == turned(gallery, 1)
    assert Audit(gallery.store).records() == records


def test_a_failed_enrolment_leaves_nothing(gallery: Gallery) -> None:
    bad = NewReference(np.zeros(5, np.float32), MODEL, 0.5)
    version = gallery.data_version()
    with pytest.raises(ValueError, match="128"):
        gallery.add_subject("Ada", [a_reference(1), bad])
    assert gallery.subjects() == []
    assert gallery.counts() == {}
    assert gallery.unusable(MODEL) == 0
    assert gallery.data_version() == version
    assert Audit(gallery.store).records() == []
    gallery.add_subject("Ada", [a_reference(1)])


def test_every_change_is_in_the_audit_log_by_id_and_never_by_name(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada Lovelace", [a_reference(1)])
    gallery.renew(ada.id, [a_reference(2)])
    gallery.set_disabled(ada.id, True)
    gallery.set_disabled(ada.id, False)
    gallery.set_validity(ada.id, None, NOON)
    gallery.remove(ada.id)
    records = Audit(gallery.store).records()
    assert [(r.kind, r.outcome) for r in records] == [
        ("enrolment", "enrolled"),
        ("enrolment", "enrolled_again"),
        ("subject", "disabled"),
        ("subject", "enabled"),
        ("subject", "validity_changed"),
        ("subject", "removed"),
    ]
    assert {r.subject_id for r in records} == {ada.id}
    assert records[4].detail == {"valid_from": None, "valid_until": "2026-03-01T12:00:00.000000+00:00"}
    assert "Ada" not in repr(records)


def test_a_change_whose_audit_record_fails_does_not_happen(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    gallery.store.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more records'); END"
    )
    with pytest.raises(GalleryError, match="no more records"):
        gallery.set_disabled(ada.id, True)
    with pytest.raises(GalleryError):
        gallery.add_subject("Bob", [a_reference(2)])
    with pytest.raises(GalleryError):
        gallery.remove(ada.id)
    assert gallery.subjects() == [ada]


def test_a_removed_subject_leaves_no_byte_of_name_or_template(home: Home, gallery: Gallery) -> None:
    kept = gallery.add_subject("Grace", [a_reference(1)])
    gone = gallery.add_subject("Zwicky-Unmistakable", [a_reference(2), a_reference(3)])
    sealed = [row["sealed"] for row in gallery.store.rows("SELECT * FROM reference WHERE subject_id = ?", [gone.id])]
    assert any(blob in _raw(home) for blob in sealed)
    gallery.remove(gone.id)
    raw = _raw(home)
    assert not any(blob[1:40] in raw for blob in sealed)
    assert b"Unmistakable" not in raw
    assert gone.id.encode() in raw
    assert gallery.subjects() == [kept]
    assert gallery.subject(gone.id) is None
    assert [r.subject_id for r in gallery.references(MODEL)] == [kept.id]


def test_no_template_and_no_name_is_in_clear_in_any_file(home: Home, gallery: Gallery) -> None:
    for seed in range(20):
        gallery.add_subject(f"Subject {seed}", [a_reference(seed)])
    raw = _raw(home)
    assert b"Subject" not in raw
    for seed in range(20):
        for clear in (a_template(seed).tobytes(), *turned(gallery, seed)):
            assert not any(clear[i : i + 8] in raw for i in range(0, 128, 8))
    matrix = gallery.enrolled(MODEL).turning.to_bytes()
    assert not any(matrix[i : i + 16] in raw for i in range(0, len(matrix), 16))
    assert home.key.read_bytes() not in raw


def test_all_files_are_for_their_owner_alone(home: Home, gallery: Gallery) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    modes = {p.name: p.stat().st_mode & 0o777 for p in home.folder.iterdir()}
    assert modes == dict.fromkeys(("gallery.db", "gallery.db-wal", "gallery.db-shm", "gallery.key"), 0o600)


def test_disabled_and_validity_are_stored(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    gallery.set_disabled(ada.id, True)
    gallery.set_validity(ada.id, NOON, NOON + timedelta(days=1))
    now = gallery.subject(ada.id)
    assert now is not None
    assert (now.disabled, now.valid_from, now.valid_until) == (True, NOON, NOON + timedelta(days=1))
    gallery.set_disabled(ada.id, False)
    gallery.set_validity(ada.id, None, None)
    assert gallery.subject(ada.id) == ada


def test_a_validity_that_cannot_be_is_refused(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    with pytest.raises(GalleryError, match="ends before it begins"):
        gallery.set_validity(ada.id, NOON, NOON)
    with pytest.raises(GalleryError, match="ends before it begins"):
        gallery.add_subject("Bob", [a_reference(2)], NOON, NOON - timedelta(1))
    with pytest.raises(ValueError, match="time zone"):
        gallery.set_validity(ada.id, datetime(2026, 1, 1), None)  # noqa: DTZ001 - what must be refused
    assert gallery.subjects() == [ada]


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "bell\a", "x" * 101, "\udc80"])
def test_a_name_that_cannot_be_shown_is_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(GalleryError, match="printable characters") as caught:
        gallery.add_subject(name, [a_reference(1)])
    assert "\n" not in str(caught.value)


def test_an_enrolment_needs_a_reference(gallery: Gallery) -> None:
    with pytest.raises(ValueError, match="without references"):
        gallery.add_subject("Ada", [])


def test_somebody_is_found_by_id_name_or_the_beginning_of_the_id(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)])
    twin = gallery.add_subject("Bob", [a_reference(2)])
    gallery.add_subject("Bob", [a_reference(3)])
    named_like_an_id = gallery.add_subject(ada.id[:6], [a_reference(4)])
    assert gallery.find(ada.id) == ada
    assert gallery.find(" Ada ") == ada
    assert gallery.find(twin.id[:10].upper()) == twin
    assert gallery.find(ada.id[:6]) == named_like_an_id
    with pytest.raises(GalleryError, match="2 subjects fit"):
        gallery.find("Bob")
    for nobody in ("Carol", "ada", "", ada.id[:3], "%", "____"):
        with pytest.raises(GalleryError, match="nobody of this name or id"):
            gallery.find(nobody)


def test_changes_of_nobody_are_refused(gallery: Gallery) -> None:
    for change in (
        lambda: gallery.remove("nobody"),
        lambda: gallery.set_disabled("nobody", True),
        lambda: gallery.set_validity("nobody", None, None),
        lambda: gallery.renew("nobody", [a_reference(1)]),
    ):
        with pytest.raises(GalleryError, match="nobody of this id"):
            change()
    assert Audit(gallery.store).records() == []


def test_another_connection_s_changes_move_the_version_and_audit_records_do_not(home: Home, gallery: Gallery) -> None:
    other = open_gallery(home)
    seen = [gallery.data_version()]
    ada = other.add_subject("Ada", [a_reference(1)])
    seen.append(gallery.data_version())
    other.set_disabled(ada.id, True)
    seen.append(gallery.data_version())
    Audit(other.store).append([a_decision("g1")])
    assert gallery.data_version() == seen[-1]
    other.remove(ada.id)
    seen.append(gallery.data_version())
    assert seen == sorted(set(seen))
    assert len(seen) == 4
    other.close()


def test_the_demonstration_s_gallery_says_so_for_good(home: Home, gallery: Gallery) -> None:
    assert gallery.demonstration is False
    gallery.mark_demonstration()
    gallery.close()
    again = open_gallery(home, read_only=True)
    assert again.demonstration is True
    again.close()


def test_a_reference_cannot_stand_without_its_subject(gallery: Gallery) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        gallery.store.execute("INSERT INTO reference VALUES ('r', 'nobody', 'm', x'00')")


def _taken(name: str) -> bool:
    """Whether it is a name as it stands: tests/domain/test_naming.py tells which are."""
    try:
        return cleaned(name) == name
    except ValueError:
        return False


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(_taken),
    moment=st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2900, 1, 1)),  # noqa: DTZ001
)
def test_any_name_and_time_comes_back(gallery: Gallery, name: str, moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    subject = gallery.add_subject(name, [a_reference(1)], valid_until=moment)
    assert gallery.subject(subject.id) == subject
    assert subject.valid_until == moment


def _raw(home: Home) -> bytes:
    # By another process: to close a file that this one has open would drop SQLite's locks on it.
    return subprocess.run(["cat", *home.folder.glob("gallery.db*")], check=True, capture_output=True).stdout


def test_a_badge_number_is_one_subjects_and_in_no_record(home: Home, gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1)], badge=160316)
    ben = gallery.add_subject("Ben", [a_reference(2)])
    assert [subject.badge for subject in gallery.subjects()] == [160316, None]
    for add in (
        lambda: gallery.set_badge(ben.id, 160316),
        lambda: gallery.add_subject("Cyd", [a_reference(3)], badge=160316),
    ):
        with pytest.raises(GalleryError, match=f"badge 160316 is that of {ada.id}: clear it there first"):
            add()
    with pytest.raises(GalleryError, match="1 or more"):
        gallery.set_badge(ben.id, 0)
    assert len(gallery.subjects()) == 2
    version = gallery.data_version()
    gallery.set_badge(ada.id, 160316)
    gallery.set_badge(ada.id, None)
    gallery.set_badge(ben.id, 160316)
    assert gallery.data_version() == version + 3
    assert [subject.badge for subject in gallery.subjects()] == [None, 160316]
    records = Audit(gallery.store).records(kinds=(AuditKind.SUBJECT,))
    assert [(r.subject_id, r.outcome) for r in records] == [
        (ada.id, "badge_set"),
        (ada.id, "badge_cleared"),
        (ben.id, "badge_set"),
    ]
    assert "160316" not in repr(Audit(gallery.store).records())


def test_a_gallery_from_before_record_ids_can_be_looked_at_and_goes_on(home: Home) -> None:
    with closing(open_gallery(home)) as gallery:
        ada = gallery.add_subject("Ada", [a_reference(1)])
    with closing(sqlite3.connect(home.database)) as old, old:
        old.execute("DROP INDEX audit_record_id")
        old.execute("ALTER TABLE audit DROP COLUMN record_id")
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0003_record_id'")
    with closing(open_gallery(home, read_only=True)) as gallery:
        assert MIGRATIONS.pending(gallery.store)
        assert gallery.subjects() == [ada]
        assert [r.outcome for r in Audit(gallery.store).records()] == ["enrolled"]
    with closing(open_gallery(home)) as gallery:
        assert not MIGRATIONS.pending(gallery.store)
        audit = Audit(gallery.store)
        audit.append([a_decision("g1")] * 2)
        assert [r.kind for r in audit.records()] == ["enrolment", "decision"]
        assert audit.story("g1") is not None
