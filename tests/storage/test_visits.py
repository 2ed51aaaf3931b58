"""Visits that are kept: sealed, bounded, of whom it was agreed with, and gone when they must be."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditReason, AuditRecord
from kiosk.domain.decision import Proof
from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Consent, Subject
from kiosk.storage import backups, recovery, visits
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import opened
from kiosk.storage.erasure import ASKED, Keeping, erase
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.kept import kept_of
from kiosk.storage.rotation import renew_templates, rotate
from kiosk.storage.visits import FILE, MOST_EACH, Visits
from tests.storage.conftest import MODEL, a_reference, a_vector, turned

NOW = datetime.now(UTC)
AGREED = Consent("visits-1", "en", NOW, "somebody", "a badge")


@pytest.fixture
def ada(gallery: Gallery) -> Subject:
    return gallery.add_subject("Ada", [a_reference(1)], consent=AGREED)


@pytest.fixture
def ben(gallery: Gallery) -> Subject:
    return gallery.add_subject("Ben", [a_reference(2)])


@pytest.fixture
def study(gallery: Gallery, ada: Subject, ben: Subject) -> Visits:
    del ada, ben
    kept = Visits(gallery)
    kept.begin(7, None)
    return kept


def keep(kept: Visits, who: Subject, seed: int = 7, proof: Proof = Proof.VERIFICATION, granted: bool = True) -> bool:
    return kept.keep(who.id, a_vector(seed), NOW, MODEL, proof, granted)


def outcomes(gallery: Gallery) -> list[tuple[str | None, str | None]]:
    records = Audit(gallery.store).records(kinds=(AuditKind.STUDY,))
    return [(str(r.outcome), None if r.reason is None else str(r.reason)) for r in records]


def every_byte(home: Home) -> bytes:
    return b"".join(path.read_bytes() for path in home.folder.rglob("*") if path.is_file())


def sealed(home: Home) -> list[bytes]:
    with closing(sqlite3.connect(home.folder / FILE)) as db:
        return [row[0] for row in db.execute("SELECT sealed FROM visit")]


def test_what_is_kept_is_the_turned_template_sealed(study: Visits, gallery: Gallery, home: Home, ada: Subject) -> None:
    assert keep(study, ada, 7, Proof.PIN, granted=False)
    (visit,) = study.kept()
    assert (visit.subject_id, visit.at, visit.model_id, visit.proof, visit.granted) == (
        ada.id, NOW, MODEL, Proof.PIN, False,
    )  # fmt: skip
    (made,) = turned(gallery, 7)
    assert visit.template.tobytes() == made
    content = every_byte(home)
    assert made not in content
    assert a_vector(7).tobytes() not in content
    assert (home.folder / FILE).stat().st_mode & 0o777 == 0o600


def test_without_a_study_nothing_is_kept_and_no_file_made(gallery: Gallery, home: Home, ada: Subject) -> None:
    kept = Visits(gallery)
    assert not keep(kept, ada)
    assert kept.end(AuditReason.ASKED) == kept.count() == kept.counted() == 0
    kept.end_if_over()
    assert (kept.study(), kept.kept(), kept.forget([ada.id])) == (None, [], {ada.id: 0})
    assert not (home.folder / FILE).exists()
    assert outcomes(gallery) == []


def test_only_who_has_agreed_to_the_text_is_kept(gallery: Gallery, ada: Subject, ben: Subject) -> None:
    kept = Visits(gallery)
    kept.begin(7, "visits-1")
    assert [keep(kept, who) for who in (ada, ben)] == [True, False]
    assert not kept.keep("0123456789abcdef", a_vector(1), NOW, MODEL, Proof.PIN, True)
    gallery.set_consent(ada.id, Consent("1", "en", NOW, "somebody", "a badge"))
    kept.end_if_over()
    assert kept.count() == 0, "who has agreed to another text since"


def test_there_is_one_study_at_a_time_and_not_for_ever(study: Visits) -> None:
    with pytest.raises(GalleryError, match="visits are kept already"):
        study.begin(7, None)
    study.end(AuditReason.ASKED)
    for days in (0, 91):
        with pytest.raises(GalleryError, match="1 to 90 days"):
            study.begin(days, None)


def test_it_is_bounded_for_each_person_and_for_all(
    study: Visits, ada: Subject, ben: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [keep(study, ada, n) for n in range(MOST_EACH + 2)] == [True] * MOST_EACH + [False] * 2
    monkeypatch.setattr(visits, "MOST", MOST_EACH + 1)
    assert [keep(study, ben, n) for n in range(3)] == [True, False, False]


def test_stopping_leaves_no_byte_and_is_recorded(study: Visits, gallery: Gallery, home: Home, ada: Subject) -> None:
    keep(study, ada)
    study.unproven()
    assert study.counted() == 1
    (row,) = sealed(home)
    assert row in every_byte(home), "this test would find nothing"
    assert study.end(AuditReason.ASKED) == 1
    assert row not in every_byte(home)
    assert (study.study(), study.count(), study.counted(), sealed(home)) == (None, 0, 0, [])
    assert not keep(study, ada)
    assert outcomes(gallery) == [("study_begun", None), ("study_ended", "asked")]


def at(gallery: Gallery, **later: int) -> Visits:
    return Visits(gallery, lambda: datetime.now(UTC) + timedelta(**later))


def test_when_its_time_is_over_all_goes(study: Visits, gallery: Gallery, home: Home, ada: Subject) -> None:
    keep(study, ada)
    at(gallery, days=6).end_if_over()
    assert study.count() == 1
    over = at(gallery, days=7, seconds=1)
    assert not keep(over, ada), "also before anybody has looked"
    over.end_if_over()
    assert (over.study(), sealed(home)) == (None, [])
    assert outcomes(gallery)[-1] == ("study_ended", "expired")


def test_a_clock_that_was_set_back_keeps_nothing_for_longer(study: Visits, gallery: Gallery, ada: Subject) -> None:
    keep(study, ada)
    Audit(gallery.store).append([AuditRecord(AuditKind.STOP, datetime.now(UTC) + timedelta(days=8))])
    assert not keep(at(gallery, days=-30), ada)
    at(gallery, days=-30).end_if_over()
    assert study.count() == 0


def test_a_study_of_a_future_that_was_taken_back_is_over(gallery: Gallery, home: Home, ada: Subject) -> None:
    """The clock was a year ahead when it began; its end would be a year away."""
    at(gallery, days=365).begin(7, None)
    kept = Visits(gallery)
    assert keep(kept, ada), "as long as the log says so, the study lasts"
    Audit(gallery.store).append([AuditRecord(AuditKind.CLOCK, datetime.now(UTC))])  # kiosk clock accept
    assert not keep(kept, ada)
    kept.end_if_over()
    assert (kept.study(), sealed(home)) == (None, [])


def test_an_erased_person_takes_the_visits_along(
    study: Visits, gallery: Gallery, home: Home, ada: Subject, ben: Subject
) -> None:
    keep(study, ada, 7)
    keep(study, ada, 8)
    keep(study, ben, 9)
    rows = sealed(home)
    (done,) = erase(home, gallery, [ada.id], ASKED, Keeping())
    assert done.visits == 2
    assert [row in every_byte(home) for row in rows].count(True) == 1
    assert [visit.subject_id for visit in study.kept()] == [ben.id]


def test_an_erasure_that_was_cut_off_before_the_visits_is_ended_by_the_next_look(
    study: Visits, gallery: Gallery, ada: Subject
) -> None:
    keep(study, ada)
    gallery.remove(ada.id)
    assert (study.count(), study.kept()) == (1, []), "nothing opens it any more"
    study.end_if_over()
    assert study.count() == 0


@pytest.mark.parametrize("how", ["another matrix", "another key", "everything anew"])
def test_another_matrix_or_key_ends_a_study(
    study: Visits, home: Home, ada: Subject, gallery: Gallery, how: str
) -> None:
    keep(study, ada)
    if how == "another matrix":
        renew_templates(gallery.store, gallery.vault)
    else:
        rotate(gallery.store, home.keys, everything=how != "another key")
    with closing(open_gallery(home)) as again:
        kept = Visits(again)
        assert (kept.study(), kept.kept(), keep(kept, ada)) == (None, [], False)
        kept.end_if_over()
        assert sealed(home) == []


def test_rows_of_another_person_or_from_elsewhere_are_not_believed(
    study: Visits, home: Home, ada: Subject, ben: Subject
) -> None:
    keep(study, ada)
    with closing(sqlite3.connect(home.folder / FILE)) as db, db:
        db.execute("UPDATE visit SET subject_id = ?", [ben.id])
    with pytest.raises(GalleryError, match="damaged or altered"):
        study.kept()


def test_no_backup_takes_visits_along(
    study: Visits, gallery: Gallery, home: Home, ada: Subject, tmp_path: Path
) -> None:
    recovery.make(gallery.store, home.keys.read() or b"")
    keep(study, ada)
    (row,) = sealed(home)
    backups.to_file(home, gallery, tmp_path / "away.backup")
    with opened(tmp_path / "away.backup") as backup:
        key = backups.opens_with(home, gallery.vault, backup.header)
        assert key is not None
        assert row not in b"".join(backup.pieces(key))


def test_a_person_is_told_which_visits_are_kept(study: Visits, gallery: Gallery, ada: Subject, ben: Subject) -> None:
    keep(study, ada)
    assert [kept_of(gallery, who).visits for who in (ada, ben)] == [(NOW,), ()]


def test_a_file_that_is_damaged_is_told_and_can_be_stopped(study: Visits, home: Home, ada: Subject) -> None:
    (home.folder / FILE).write_bytes(b"no database at all" * 400)
    with pytest.raises(GalleryError, match="kiosk calibrate faces stop"):
        keep(study, ada)
    study.end(AuditReason.ASKED)
    assert not (home.folder / FILE).exists()
    study.begin(3, None)
    assert keep(study, ada)


def test_a_damaged_file_has_no_end_and_goes_at_the_next_look(study: Visits, home: Home, gallery: Gallery) -> None:
    (home.folder / FILE).write_bytes(b"no database at all" * 400)
    study.end_if_over()
    assert not (home.folder / FILE).exists()
    assert outcomes(gallery)[-1] == ("study_ended", "broken_off")


def test_a_file_that_is_busy_is_not_taken_for_damaged(
    study: Visits, home: Home, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(study, ada)
    monkeypatch.setattr(visits, "BUSY_SECONDS", 0)
    with closing(sqlite3.connect(home.folder / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GalleryError, match="locked"):
            study.end_if_over()
    assert study.count() == 1


def test_a_damaged_file_hinders_no_erasure(study: Visits, gallery: Gallery, home: Home, ada: Subject) -> None:
    del study
    (home.folder / FILE).write_bytes(b"no database at all" * 400)
    (done,) = erase(home, gallery, [ada.id], ASKED, Keeping())
    assert done.visits == 0
    assert not (home.folder / FILE).exists()


def test_a_full_card_keeps_nothing_half(
    study: Visits, home: Home, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(study, ada)
    pages = (home.folder / FILE).stat().st_size // 4096
    monkeypatch.setattr(visits, "_PRAGMAS", (*visits._PRAGMAS, f"max_page_count={pages}"))
    kept = 1

    def fill() -> None:
        nonlocal kept
        while keep(study, ada, kept):
            kept += 1

    with pytest.raises(GalleryError, match="full"):
        fill()
    assert study.count() == kept
    assert len(study.kept()) == kept
    assert study.end(AuditReason.ASKED) == kept


def test_a_study_that_could_not_begin_is_none(gallery: Gallery, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "_PRAGMAS", (*visits._PRAGMAS, "max_page_count=1"))
    with pytest.raises(GalleryError, match="full"):
        Visits(gallery).begin(3, None)
    assert outcomes(gallery) == [("study_begun", None), ("study_ended", "broken_off")]
    monkeypatch.undo()
    assert Visits(gallery).study() is None
    Visits(gallery).begin(3, None)


@pytest.mark.parametrize("at_change", range(1, 4))
def test_a_kill_in_the_middle_leaves_nothing_half(
    study: Visits, gallery: Gallery, home: Home, ada: Subject, at_change: int
) -> None:
    """The child is killed within its transaction: in the first, second, or third statement of it."""
    keep(study, ada)
    child = os.fork()
    if child == 0:
        count = 0

        def dying(*_: object) -> int:
            nonlocal count
            count += 1
            if count == at_change:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        made = visits._opened

        def opened_for_death(path: Path) -> sqlite3.Connection:
            db = made(path)
            db.set_trace_callback(lambda text: dying() if text.startswith(("INSERT", "DELETE", "COMMIT")) else None)
            return db

        visits._opened = opened_for_death
        study._erase_all()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert study.study() is not None
    assert [visit.subject_id for visit in study.kept()] == [ada.id]
    assert study.end(AuditReason.ASKED) == 1
    assert {path.name for path in home.folder.iterdir() if path.name.startswith(FILE)} == {FILE}
