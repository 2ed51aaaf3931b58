"""`kiosk calibrate faces start|stop`, and what report, export, erasure, retention and doctor say of kept visits."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from kiosk.demonstration import stage
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.story import STORY
from kiosk.domain.attempt import Rules
from kiosk.domain.audit import AuditKind
from kiosk.domain.decision import Proof
from kiosk.domain.entry import Means
from kiosk.domain.people import Consent
from kiosk.domain.updates import Decided, Proposed
from kiosk.domain.verification import Expected
from kiosk.keeping import ConsentConfig
from kiosk.station import assembly
from kiosk.station.consent import find
from kiosk.station.pipeline import Pipeline
from kiosk.station.visits import VisitWatch
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.visits import FILE, Visits
from kiosk.vision.models import load
from tests.cli.conftest import Command
from tests.cli.test_gallery import MODEL, person, pictures

FACES = ("calibrate", "faces")
NOW = datetime.now(UTC)


@pytest.fixture
def people(home: Path) -> list[str]:
    with closing(open_gallery(Home(home))) as gallery:
        return [gallery.add_subject(f"Person {who}", pictures(who, 1)).id for who in range(1, 5)]


def visit(home: Path, who: str, seed: int, proof: Proof, granted: bool = True) -> None:
    """A visit in which the face looks like that of person `seed`."""
    vector = pictures(seed, 50, 1)[0].vector
    with closing(open_gallery(Home(home))) as gallery:
        assert Visits(gallery).keep(who, vector, NOW, MODEL, proof, granted)


def test_visits_are_reported_by_what_showed_who_came(kiosk: Command, home: Path, people: list[str]) -> None:
    started = kiosk(*FACES, "start", "--days", "7", "--told")
    assert started.status == 0
    assert started.out[0].startswith("visits are kept until ")
    assert "none is kept yet" in "\n".join(kiosk(*FACES, "show").out)
    visit(home, people[0], 1, Proof.VERIFICATION)
    visit(home, people[1], 2, Proof.VERIFICATION)
    visit(home, people[2], 77, Proof.PIN, granted=False)
    visit(home, people[3], 4, Proof.SEARCH)
    with closing(open_gallery(Home(home))) as gallery:
        Visits(gallery).unproven()
    said = kiosk(*FACES, "show")
    text = "\n".join(said.out)
    assert said.status == 0
    assert (
        "visits: 1 that a PIN named after the face was refused, 2 that a claim named and the face proved, 1 by" in text
    )
    assert "first frame, 3 mated trials" in text
    assert "0.33 (" in text
    assert "1 of 3" in text
    assert "of these 3 visits 1 were refused by the face; 1 more claims were" in text
    (row,) = kiosk(*FACES, "show", "--json").rows
    visits = row["visits"]
    assert isinstance(visits, dict)
    assert [visits[name] for name in ("pin", "claim", "face_alone", "refused", "unproven")] == [1, 2, 1, 1, 1]
    assert [point["fnmr"]["trials"] for point in visits["points"]] == [3] * len(visits["points"])
    assert visits["points"][0]["comparisons"]["trials"] == 4 * 9, "each with the references of three other people"
    stopped = kiosk(*FACES, "stop")
    assert stopped.out == ["4 visits were erased, and none are kept from now on"]
    assert (person(1) * 100).tobytes() not in (home / FILE).read_bytes()
    assert kiosk(*FACES, "stop").out == ["0 visits were erased, and none are kept from now on"]
    assert kiosk(*FACES, "show", "--json").rows[0]["visits"] is None


def test_two_visits_with_claims_before_the_camera_are_two_mated_trials(kiosk: Command, home: Path) -> None:
    """The demonstration's Ada, through the door's whole pipeline."""
    config = stage.settings(Path("unused"))
    models = load(config.models, config.policy)
    stage.enrol_visitors(config, Home(home), models)
    kiosk(*FACES, "start", "--days", "1", "--told")
    ticks = count()
    camera = SimulatedCamera(SimulatedOptions(), STORY[:1], lambda: next(ticks) / 100, lambda _: None)
    granted = 0
    with closing(open_gallery(Home(home))) as gallery, closing(camera):
        ada = gallery.find("Ada Example").id
        watch = VisitWatch(Visits(gallery), models.embedder.model_id, Audit(gallery.store))
        watch.turn()
        looks = replace(assembly.stages(config, models, assembly.matcher(models, gallery)), seen=watch.seen)
        pipeline = Pipeline(looks, Rules(pause=0.0, rest=0.0, again=True), config.quality.min_face, lambda: True)
        camera.open()
        pipeline.tell(Expected("claim 0", Means.NUMBER, ada, math.inf, math.inf))
        while granted < 2:
            for finding in pipeline.step(camera.read(math.inf)):
                if isinstance(finding, Proposed):
                    granted += finding.decision.granted
                    watch.heard(Decided(finding.decision))
                    watch.turn()
                    pipeline.tell(Expected(f"claim {granted} {next(ticks)}", Means.NUMBER, ada, math.inf, math.inf))
    (row,) = kiosk(*FACES, "show", "--json").rows
    visits = row["visits"]
    assert isinstance(visits, dict)
    assert [visits[name] for name in ("pin", "claim", "face_alone", "refused")] == [0, 2, 0, 0]
    assert [point["fnmr"]["trials"] for point in visits["points"]] == [2] * len(visits["points"])
    assert kiosk(*FACES, "stop").out == ["2 visits were erased, and none are kept from now on"]


def test_it_begins_only_with_consent_or_the_statement_that_people_were_told(
    kiosk: Command, home: Path, people: list[str]
) -> None:
    for wrong in ([], ["--told", "--consent", "visits-1"], ["--consent", "nothing"]):
        refused = kiosk(*FACES, "start", "--days", "7", *wrong)
        assert (refused.status, len(refused.err)) == (2, 1)
    for days in ("0", "91", "many"):
        assert kiosk(*FACES, "start", "--days", days, "--told").status == 2
    assert not (home / FILE).exists()
    assert kiosk(*FACES, "start", "--days", "7", "--consent", "visits-1").status == 0
    again = kiosk(*FACES, "start", "--days", "7", "--told")
    assert (again.status, len(again.err)) == (2, 1)
    with closing(open_gallery(Home(home))) as gallery:
        gallery.set_consent(people[0], Consent("visits-1", "en", NOW, "somebody", "a badge"))
        visits = Visits(gallery)
        kept = [visits.keep(who, pictures(1, 1, 1)[0].vector, NOW, MODEL, Proof.PIN, True) for who in people[:2]]
        records = Audit(gallery.store).records(kinds=(AuditKind.STUDY,))
    assert kept == [True, False]
    assert [(r.outcome, r.detail["text"], r.detail["days"]) for r in records] == [("study_begun", "visits-1", 7)]
    assert str(records[0].detail["by"]).startswith("uid ")


def test_the_text_says_that_visits_are_kept_and_enrolment_still_takes_the_other_one(kiosk: Command) -> None:
    for language, words in (("en", "at most twenty of your visits"), ("de", "höchstens zwanzig Ihrer Besuche")):
        assert words in " ".join(" ".join(kiosk("consent", "show", f"visits-1/{language}").out).split())
    assert find(ConsentConfig(), None).version == "1"


def test_export_erasure_and_doctor_tell_of_them(kiosk: Command, home: Path, people: list[str], tmp_path: Path) -> None:
    kiosk(*FACES, "start", "--days", "7", "--told")
    visit(home, people[0], 1, Proof.VERIFICATION)
    visit(home, people[0], 1, Proof.SEARCH)
    (row,) = kiosk("subjects", "export", people[0]).rows
    visits = row["visits"]
    assert isinstance(visits, list)
    assert len(visits) == 2
    kiosk("subjects", "export", people[0], "--html", tmp_path / "page.html")
    assert "Templates of visits, kept for a measurement of some days: 2" in (tmp_path / "page.html").read_text()
    assert kiosk("subjects", "export", people[1]).rows[0]["visits"] == []
    (gallery,) = [check for check in kiosk("doctor", "--only", "gallery", "--json").checks if "visits" in str(check)]
    assert "templates of visits are kept until " in str(gallery)
    assert "2 so far" in str(gallery)
    assert kiosk("subjects", "erase", people[0], "--yes", "--json").rows[0]["visits"] == 2
    visit(home, people[1], 2, Proof.VERIFICATION)
    assert "1 visit(s) that were kept for a measurement" in "\n".join(
        kiosk("subjects", "erase", people[1], "--yes").out
    )


def test_retention_ends_a_study_whose_time_is_over(
    kiosk: Command, home: Path, people: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[kiosk]\nhome = "{home}"\n[retention]\nlog_days = 90\n')
    with closing(open_gallery(Home(home))) as gallery:
        long_ago = Visits(gallery, lambda: NOW - timedelta(days=8))
        long_ago._moment = lambda: NOW - timedelta(days=8)  # type: ignore[method-assign]
        long_ago.begin(7, None)
    assert kiosk("retention", "--config", config, "--dry-run").status == 0
    assert (home / FILE).exists()
    assert kiosk("retention", "--config", config).status == 0
    with closing(open_gallery(Home(home))) as gallery:
        assert Visits(gallery).study() is None
        assert [str(r.outcome) for r in Audit(gallery.store).records(kinds=(AuditKind.STUDY,))][-1] == "study_ended"


def test_without_a_gallery_there_is_one_line(kiosk: Command, home: Path) -> None:
    for words in (("start", "--days", "3", "--told"), ("stop",)):
        said = kiosk(*FACES, *words)
        assert (said.status, len(said.err)) == (2, 1)
    assert not home.exists()
