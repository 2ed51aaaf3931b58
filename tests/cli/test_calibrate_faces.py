"""`kiosk calibrate faces`: on a gallery of strangers, on one in which people are alike, and with too few people."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from kiosk.domain.people import NewReference
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command
from tests.cli.test_gallery import MODEL, pictures

SHOW = ("calibrate", "faces", "show")


def enrol_strangers(home: Path, people: int) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        for who in range(1, people + 1):
            gallery.add_subject(f"Person {who}", pictures(who, 1))


def enrol_family(home: Path, people: int) -> None:
    """People who all resemble one another: scores of about .6."""
    rng = np.random.default_rng(5)
    common = rng.normal(size=128)
    common /= np.linalg.norm(common)
    with closing(open_gallery(Home(home))) as gallery:
        for who in range(people):
            own = rng.normal(size=128)
            vector = 0.85 * common + 0.52 * own / np.linalg.norm(own)
            gallery.add_subject(f"Cousin {who}", [NewReference((317.5 * vector).astype(np.float32), MODEL, 1.0)])


def test_strangers_contradict_nothing_and_the_level_stays(kiosk: Command, home: Path) -> None:
    enrol_strangers(home, 12)
    before = (home / "gallery.db").read_bytes()
    said = kiosk(*SHOW)
    text = "\n".join(said.out)
    assert said.status == 0
    assert said.out[0] == "12 people with 36 references: 66 pairs of people"
    assert "0 of 1188 comparisons; the manifest's 0.001" in text
    assert "with 66 pairs nothing can be said of an FMR below 0.11" in text
    assert "set: by this site alone at most one wrong acceptance in less than 1 hour; by the manifest in " in text
    assert "keep the level" in text
    assert "Person" not in text
    (row,) = kiosk(*SHOW, "--json").rows
    assert (row["people"], row["references"], row["pairs"], row["keep"], row["level"]) == (12, 36, 66, True, "standard")
    assert (home / "gallery.db").read_bytes() == before, "nothing is written"


def test_people_who_are_alike_raise_the_level(kiosk: Command, home: Path, tmp_path: Path) -> None:
    enrol_family(home, 12)
    file = tmp_path / "kiosk.toml"
    file.write_text('[entry]\nverification = "beyond"\nnumber = true\n[policy]\nfpir = 0.001\n')
    said = kiosk(*SHOW, "--config", file)
    text = "\n".join(said.out)
    assert said.status == 0
    assert "12 people reach the threshold with somebody else: look at them first: kiosk gallery check" in text
    assert "more alike than those whom the network was measured with" in text
    assert "raise the level: sudo kiosk level set highest" in text
    (row,) = kiosk(*SHOW, "--config", file, "--json").rows
    assert (row["keep"], row["level"]) == (False, "highest")
    file.write_text(file.read_text() + "threshold = 0.5\n")
    fixed = "\n".join(kiosk(*SHOW, "--config", file).out)
    assert "[policy] threshold is set: take that line out" in fixed
    assert "kiosk level set" not in fixed


def test_without_another_way_in_no_level_helps(kiosk: Command, home: Path) -> None:
    enrol_family(home, 12)
    text = "\n".join(kiosk(*SHOW).out)
    assert "raise the level: sudo kiosk level set high" in text
    assert "even that one does not keep its promise here" in text


def test_report_and_curve_are_files(kiosk: Command, home: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    enrol_strangers(home, 5)
    report, plot = tmp_path / "report.json", tmp_path / "fmr.png"
    assert kiosk(*SHOW, "--report", report, "--plot", plot).status == 0
    (row,) = kiosk(*SHOW, "--json").rows
    assert json.loads(report.read_text()) == row
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert kiosk(*SHOW, "--report", tmp_path / "nowhere" / "report.json").status == 2


@pytest.mark.parametrize("people", [0, 1])
def test_too_few_people_are_one_line(kiosk: Command, home: Path, people: int) -> None:
    if people:
        enrol_strangers(home, people)
    said = kiosk(*SHOW)
    assert said.status == 2
    assert len(said.err) == 1
    assert home.exists() == bool(people)
