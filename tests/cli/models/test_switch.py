"""`kiosk models switch`, end to end with the shipped networks: nobody is enrolled by hand."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from kiosk.config import read
from kiosk.demonstration.camera import SimulatedCamera, SimulatedOptions
from kiosk.demonstration.story import ADA, BEN, STRANGER, Kind, Visit, Visitor
from kiosk.domain.audit import AuditRecord
from kiosk.domain.decision import Decision, Outcome, Reason
from kiosk.domain.updates import Proposed
from kiosk.station import assembly
from kiosk.station.pipeline import Pipeline
from kiosk.station.renewals import Renewals
from kiosk.storage.database import open_database
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import load

Command = Callable[..., Any]
OLD, NEW = "kiosk-mobilefacenet-10", "kiosk-seesawfacenet-5"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text('# ours\n[models]\nembedder = "mobilefacenet"  # the small one\n[policy]\nfpir = 0.001\n')
    return path


@pytest.fixture
def two(kiosk: Command, portraits: dict[str, Path], config: Path) -> list[str]:
    """Ada and Ben are enrolled with the network of before; their ids."""
    for name in ("ada", "ben"):
        assert kiosk("enrol", "--config", config, "--name", name, portraits[name]).status == 0
    return [str(row["subject"]) for row in kiosk("subjects", "list", "--json").rows]


def visit(config: Path, home: Path, *visitors: Visitor) -> list[Decision]:
    """They come to the door, one after another. The first decision about each."""
    settings = read(config)
    models = load(settings.models, settings.policy)
    decisions: list[Decision] = []
    faults: list[AuditRecord] = []
    with closing(open_gallery(Home(home))) as gallery:
        store = open_database(Home(home).database, check=False)
        with closing(Gallery(store, gallery.vault)) as own:
            looks = assembly.stages(settings, models, assembly.matcher(models, gallery))
            before = models.earlier_measure
            renewals = before and Renewals(own, models.measure, before, looks.quality, faults.append)
            for visitor in visitors:
                pipeline = Pipeline(looks, assembly.rules(settings), settings.quality.min_face, lambda: True)
                found = _first(pipeline, visitor)
                decisions.append(found.decision)
                if renewals and found.kept:
                    renewals.offer(found.decision, found.kept)
                    renewals.turn()
    assert faults == []
    return decisions


def _first(pipeline: Pipeline, visitor: Visitor) -> Proposed:
    ticks = count()
    story = (Visit(visitor.name, visitor, Kind.LIVE, Outcome.GRANTED, Reason.MATCHED),)
    camera = SimulatedCamera(SimulatedOptions(), story, clock=lambda: next(ticks) / 30, sleep=lambda _: None)
    camera.open()
    while True:
        for finding in pipeline.step(camera.read(60.0)):
            if isinstance(finding, Proposed):
                return finding


def by(decisions: list[Decision]) -> list[tuple[str | None, bool, str]]:
    return [
        (d.subject_id, d.granted, d.evidence.comparison.model_id if d.evidence.comparison else "") for d in decisions
    ]


def status(kiosk: Command, config: Path) -> dict[str, object]:
    return dict(kiosk("models", "switch", "--status", "--json", "--config", config).rows[0])


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_everybody_is_renewed_at_a_visit_and_nobody_is_enrolled_by_hand(
    kiosk: Command, config: Path, two: list[str], home: Path
) -> None:
    ada, ben = two
    assert kiosk("models", "switch", "--status", "--config", config).out[0].startswith("no change")
    told = kiosk("models", "switch", "seesawfacenet", "--config", config)
    assert told.status == 0, told
    assert any("2 people have references of mobilefacenet only" in line for line in told.out)
    text = config.read_text()
    assert 'embedder = "seesawfacenet"  # the small one' in text
    assert 'previous = "mobilefacenet"' in text
    assert text.startswith("# ours\n")
    assert (status(kiosk, config)["renewed"], status(kiosk, config)["left"]) == (0, 2)
    assert status(kiosk, config)["since"] is not None

    assert by(visit(config, home, ADA)) == [(ada, True, OLD)], "by the network of before"
    assert (status(kiosk, config)["renewed"], status(kiosk, config)["waiting"]) == (1, [{"subject": ben}])
    refused = kiosk("models", "switch", "--finish", "--config", config)
    assert refused.status == 2
    assert ben in refused.err[0]
    assert ada not in refused.err[0]
    again, ben_, stranger = by(visit(config, home, ADA, BEN, STRANGER))
    assert again == (ada, True, NEW)
    assert ben_ == (ben, True, OLD)
    assert stranger[1] is False
    assert status(kiosk, config)["share"] == 1
    records = kiosk("audit", "show", "--json").rows
    made = [r for r in records if r["outcome"] == "references_added"]
    assert [r["subject"] for r in made] == [ada, ben]
    assert {(d["source"], d["from"], d["to"]) for d in (dict(r["detail"]) for r in made)} == {("renewed", OLD, NEW)}

    assert kiosk("models", "switch", "--finish", "--config", config).status == 0
    assert "previous" not in config.read_text()
    with closing(open_gallery(Home(home), read_only=True)) as gallery:
        assert set(gallery.counts()) == {NEW}
    assert by(visit(config, home, ADA, BEN)) == [(ada, True, NEW), (ben, True, NEW)]


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_the_way_back_in_the_middle(kiosk: Command, config: Path, two: list[str], home: Path) -> None:
    ada, ben = two
    assert kiosk("models", "switch", "seesawfacenet", "--config", config).status == 0
    visit(config, home, ADA)
    assert kiosk("models", "switch", "--back", "--config", config).status == 0
    assert 'embedder = "mobilefacenet"' in config.read_text()
    assert "previous" not in config.read_text()
    assert by(visit(config, home, ADA, BEN)) == [(ada, True, OLD), (ben, True, OLD)]


def test_what_is_refused_is_one_line_and_changes_nothing(kiosk: Command, config: Path, two: list[str]) -> None:
    before = config.read_text()
    for name, words in (
        ("mobilefacenet", "is the embedder already"),
        ("nothing", "there is no embedder 'nothing'"),
        ("pad-2.7", "there is no embedder 'pad-2.7'"),
    ):
        said = kiosk("models", "switch", name, "--config", config)
        assert (said.status, len(said.err)) == (2, 1)
        assert words in said.err[0]
    for wrong in ((), ("seesawfacenet", "--back"), ("--status", "--anyway"), ("--back", "--finish")):
        assert kiosk("models", "switch", *wrong, "--config", config).status == 2
    for end in ("--back", "--finish"):
        assert "no change of the embedder is under way" in kiosk("models", "switch", end, "--config", config).err[0]
    assert config.read_text() == before
    config.write_text(before + "threshold = 0.5\n")
    assert "is of one network" in kiosk("models", "switch", "seesawfacenet", "--config", config).err[0]


def test_a_second_change_and_a_second_command_wait(kiosk: Command, config: Path, two: list[str]) -> None:
    folder = os.open(config.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        said = kiosk("models", "switch", "seesawfacenet", "--config", config)
        assert said.status == 2
        assert "another command is changing it" in said.err[0]
    finally:
        os.close(folder)
    assert kiosk("models", "switch", "seesawfacenet", "--config", config).status == 0
    said = kiosk("models", "switch", "mobilefacenet", "--config", config)
    assert said.status == 2
    assert "under way already" in said.err[0]


def test_whoever_is_left_can_be_left_behind_by_name_only(kiosk: Command, config: Path, two: list[str]) -> None:
    told = kiosk("models", "switch", "seesawfacenet", "--config", config)
    assert told.status == 0
    (room,) = [line for line in told.out if line.startswith("seesawfacenet has room for ")]
    assert int(room.split()[4]) > 10, "so an admin with more people sees it before anybody is renewed"
    rows = kiosk("doctor", "--config", config, "--json").checks
    (told,) = [r["what"] for r in rows if r["name"] == "references"]
    assert "0 renewed, 2 not yet" in told
    assert [r["enrol_again"] for r in kiosk("subjects", "list", "--json", "--config", config).rows] == [False, False]
    done = kiosk("models", "switch", "--finish", "--anyway", "--config", config)
    assert done.status == 0
    assert all(any(who in line for line in done.out) for who in two)
    assert [r["enrol_again"] for r in kiosk("subjects", "list", "--json", "--config", config).rows] == [True, True]


def test_who_has_references_of_before_only_is_not_enrolled_twice(
    kiosk: Command, config: Path, two: list[str], portraits: dict[str, Path]
) -> None:
    assert kiosk("models", "switch", "seesawfacenet", "--config", config).status == 0
    said = kiosk("enrol", "--config", config, "--name", "Ada again", portraits["ada"])
    assert said.status == 2
    assert "who is enrolled already" in said.err[-1]
    assert kiosk("enrol", "--config", config, "--name", "New", portraits["stranger"]).status == 0
    assert status(kiosk, config)["others"] == 1
    wrong = kiosk("enrol", "--config", config, "--again", two[0], portraits["ben"])
    assert wrong.status == 2
    assert kiosk("enrol", "--config", config, "--again", two[0], portraits["ada"]).status == 0
