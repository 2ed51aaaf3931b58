"""An enrolment from the camera is written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.domain.audit import AuditKind, AuditOutcome, AuditRecord
from kiosk.domain.errors import GalleryError, SampleError
from kiosk.domain.people import NewReference
from kiosk.storage import enrolling
from kiosk.storage.audit import Audit
from kiosk.storage.enrolling import Newcomer
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.people import NO_SECRETS
from kiosk.storage.pins import made_both
from kiosk.storage.verification import verify
from tests.station.staff_killed import STEPS
from tests.station.staff_site import site
from tests.storage.conftest import MODEL, NOON, a_reference

ADA = Newcomer("Ada Lovelace", "482915", verify=True)


def write(gallery: Gallery, who: Newcomer = ADA) -> str:
    secrets = made_both("739182")
    return enrolling.enrol(gallery, who, [a_reference(1), a_reference(2)], secrets, {"poses": 2}, lambda: None).id


def test_all_of_somebody_is_written_at_once(gallery: Gallery) -> None:
    gallery.by = "subject abc"
    ada = gallery.find(write(gallery))
    assert (ada.name, ada.number, ada.verify) == ("Ada Lovelace", "482915", True)
    assert gallery.pin_of(ada.id) is not None
    (record,) = [r for r in Audit(gallery.store).records() if r.kind is AuditKind.ENROLMENT]
    assert record.outcome == AuditOutcome.ENROLLED
    assert record.detail == {
        "references": 2,
        "source": "camera",
        "pin": True,
        "qr": False,
        "verify": True,
        "poses": 2,
        "by": "subject abc",
    }


@pytest.mark.parametrize("who", [replace(ADA, name=" "), replace(ADA, number="1"), replace(ADA, name="x" * 200)])
def test_what_cannot_be_is_refused_and_nothing_is_written(gallery: Gallery, who: Newcomer) -> None:
    with pytest.raises(GalleryError):
        write(gallery, who)
    assert (gallery.subjects(), gallery.counts()) == ([], {})


def test_a_number_that_somebody_has_is_refused(gallery: Gallery) -> None:
    write(gallery)
    with pytest.raises(GalleryError):
        write(gallery, replace(ADA, name="Eve"))
    assert [s.name for s in gallery.subjects()] == ["Ada Lovelace"]


def test_a_check_that_refuses_inside_leaves_nothing(gallery: Gallery) -> None:
    def refuse() -> None:
        assert gallery.store.conn.in_transaction
        raise SampleError("a twin")

    with pytest.raises(SampleError):
        enrolling.enrol(gallery, ADA, [a_reference(1)], NO_SECRETS, {}, refuse)
    ada = write(gallery)
    before = gallery.counts(), len(Audit(gallery.store).records())
    with pytest.raises(SampleError):
        enrolling.renew(gallery, ada, [a_reference(3)], None, {}, refuse)
    assert (gallery.counts(), len(Audit(gallery.store).records())) == before


def test_new_pictures_take_the_place_of_the_old(gallery: Gallery) -> None:
    ada = write(gallery)
    before = {r.id for r in gallery.references("model-a")}
    enrolling.renew(gallery, ada, [a_reference(3)], None, {"poses": 1}, lambda: None)
    (new,) = gallery.references("model-a")
    assert new.id not in before
    record = Audit(gallery.store).records()[-1]
    assert (record.outcome, record.detail["source"], record.detail["poses"]) == ("enrolled_again", "camera", 1)


def test_a_note_says_who_is_signed_in(gallery: Gallery) -> None:
    gallery.by = "subject abc"
    enrolling.note(gallery, AuditRecord(AuditKind.STAFF, NOON, outcome=AuditOutcome.SIGNED_IN))
    record = Audit(gallery.store).records()[-1]
    assert (record.kind, record.detail) == (AuditKind.STAFF, {"by": "subject abc"})


def die_at(folder: Path, point: str) -> bool:
    """Whether the process was killed there; it has ended its work otherwise."""
    command = [sys.executable, "-m", "tests.station.staff_killed", str(folder), point]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, env=dict(os.environ))
    assert done.returncode in {0, -9}, done.stderr.decode()
    return done.returncode == -9


def whole(folder: Path) -> bool:
    """Whether Ada is enrolled, with everything; False if there is nothing of her. Anything between fails."""
    with closing(open_gallery(Home(folder))) as gallery:
        names = [s.name for s in gallery.subjects()]
        records = Audit(gallery.store).records()
        enrolled = [r for r in records if r.outcome == AuditOutcome.ENROLLED and r.detail.get("source") == "camera"]
        assert verify(gallery.store).fault_count == 0
        if names == ["Grace Hopper"]:
            assert (gallery.counts(), enrolled) == ({"m": 1}, [])
            return False
        ada = gallery.find("Ada")
        assert gallery.counts() == {"m": 6}
        assert gallery.pin_of(ada.id) is not None
        assert ada.number is not None
        assert [r.subject_id for r in enrolled] == [ada.id]
        return True


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A home in which Grace is of the staff."""
    with site(tmp_path / "prepared"):
        pass
    return tmp_path / "prepared"


@pytest.mark.prove
@pytest.mark.parametrize("step", STEPS)
def test_kill_9_at_a_step_leaves_the_gallery_as_it_was(prepared: Path, step: str) -> None:
    assert die_at(prepared, step)
    assert not whole(prepared)


def test_kill_9_in_the_middle_of_writing_leaves_the_gallery_as_it_was(prepared: Path) -> None:
    assert die_at(prepared, "9")
    assert not whole(prepared)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_kill_9_at_each_statement_of_the_last_step_leaves_all_or_nothing(prepared: Path) -> None:
    command = [sys.executable, "-m", "tests.station.staff_killed", str(prepared), "each"]
    done = subprocess.run(command, capture_output=True, timeout=550, check=False, text=True)
    assert done.returncode == 0, done.stderr
    enough = int(done.stdout.splitlines()[-1])
    found = [whole(prepared.with_name(f"at-{statements}")) for statements in range(enough + 1)]
    assert found == sorted(found), "nothing up to one statement, all from then on"
    assert found.count(False) > 5
    assert found[-1]


def lit(seed: int, light: float, model_id: str = MODEL) -> NewReference:
    return replace(a_reference(seed, model_id), light=light)


def test_pictures_in_other_light_stand_beside_the_old_ones_five_in_all(gallery: Gallery) -> None:
    ada = enrolling.enrol(gallery, ADA, [lit(n, 60.0) for n in range(4)], NO_SECRETS, {}, lambda: None).id
    gallery.by = "subject abc"
    enrolling.add(gallery, ada, [lit(n, 150.0) for n in (10, 11, 12)], None, {"light": 150}, lambda: None)
    lights = enrolling.lights(gallery, [ada, "nobody"])
    assert set(lights) == {ada}
    assert len(lights[ada]) == 5
    assert set(lights[ada]) == {60.0, 150.0}
    record = Audit(gallery.store).records()[-1]
    assert record.outcome == AuditOutcome.REFERENCES_ADDED
    assert record.detail["by"] == "subject abc"
    assert record.detail["source"] == "camera"
    taken = record.detail["references"]
    assert (record.detail["replaced"], taken) == (4 - lights[ada].count(60.0), lights[ada].count(150.0))


def test_pictures_of_another_network_stay_and_take_no_place(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [lit(n, 60.0, "old") for n in range(5)]).id
    enrolling.add(gallery, ada, [lit(n, 150.0) for n in range(5)], None, {}, lambda: None)
    assert gallery.counts() == {"old": 5, MODEL: 5}


def test_a_check_that_fails_adds_nothing(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [lit(1, 60.0)]).id

    def twin() -> None:
        raise SampleError("a twin")

    with pytest.raises(SampleError):
        enrolling.add(gallery, ada, [lit(2, 150.0)], None, {}, twin)
    assert enrolling.lights(gallery, [ada]) == {ada: (60.0,)}
    with pytest.raises(GalleryError):
        enrolling.add(gallery, "nobody", [lit(2, 150.0)], None, {}, lambda: None)


def test_light_that_is_not_known_stays_unknown(gallery: Gallery) -> None:
    ada = gallery.add_subject("Ada", [a_reference(1), lit(2, 88.04)]).id
    assert enrolling.lights(gallery, [ada]) == {ada: (None, 88.0)}
