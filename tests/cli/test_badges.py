"""Badge numbers on the command line, and what the commands report about a panel."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from kiosk import config
from kiosk.cli import doctor_door, doctor_gallery
from kiosk.cli.doctor_check import Patient, State
from kiosk.config import Config
from kiosk.domain.errors import DoorError
from kiosk.sections import DoorConfig, PanelConfig
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import a_reference

Command = Callable[..., Any]


@pytest.fixture
def people(home: Path) -> tuple[str, str]:
    gallery = open_gallery(Home(home))
    ids = tuple(gallery.add_subject(name, [a_reference(seed)]).id for seed, name in enumerate(("Ada", "Ben"), 1))
    gallery.close()
    return ids[0], ids[1]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[panel]\nkind = "osdp"\ndevice = "{tmp_path}/line"\nfacility = 1\n[door]\nstate = "{tmp_path}"\n')
    return path


def test_a_badge_is_set_shown_and_cleared(kiosk: Command, people: tuple[str, str], toml: Path) -> None:
    result = kiosk("subjects", "badge", "Ada", "1603", "--config", toml)
    assert (result.status, result.out) == (0, [f"{people[0]}  (badge 1603)"])
    assert [row["badge"] for row in kiosk("subjects", "list", "--json").rows] == [1603, None]
    assert kiosk("subjects", "badge", "Ada", "--clear").status == 0
    assert kiosk("subjects", "show", "Ada", "--json").rows[0]["badge"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Ben", "1603"], "badge 1603 is that of "),
        (["Ben", "65536"], "65536: a badge number is 1 to 65535 in the 26 bits of [panel]"),
        (["Ben", "0"], "0: a badge number is 1 to 65535"),
        (["Ben", "seven"], "seven"),
        (["Ben"], "--clear"),
        (["Ben", "7", "--clear"], "--clear"),
        (["Cyd", "7"], "Cyd: nobody"),
    ],
)
def test_bad_input_is_said_and_changes_nothing(
    kiosk: Command, people: tuple[str, str], toml: Path, arguments: list[str], says: str
) -> None:
    kiosk("subjects", "badge", "Ada", "1603", "--config", toml)
    result = kiosk("subjects", "badge", *arguments, "--config", toml)
    assert result.status == 2
    assert says in result.err[-1]
    assert [row["badge"] for row in kiosk("subjects", "list", "--json").rows] == [1603, None]


def test_enrolment_refuses_a_badge_number_that_does_not_fit_the_panels_cards(kiosk: Command, toml: Path) -> None:
    result = kiosk("enrol", "--name", "Ada", "--badge", "70000", "--config", toml, "ada.jpg")
    assert (result.status, len(result.err)) == (2, 1)
    assert "70000: a badge number is 1 to 65535" in result.err[0]


def test_pairing_needs_a_panel_a_log_and_a_line(
    kiosk: Command, people: tuple[str, str], toml: Path, tmp_path: Path
) -> None:
    lock = tmp_path / "lock.toml"
    lock.write_text('[lock]\nkind = "simulated"\n')
    for arguments, says in (
        (["--config", lock], "[panel] is missing"),
        (["--config", toml], "the line to the panel cannot be opened"),
    ):
        result = kiosk("door", "pair", *arguments)
        assert result.status == 2
        assert says in result.err[-1]
    assert "audit log is not here" in kiosk("door", "pair", "--config", toml, at=tmp_path / "elsewhere").err[-1]


def test_doctor_counts_subjects_without_a_badge_number(home: Path, people: tuple[str, str], toml: Path) -> None:
    settings = config.read(toml)
    gallery = open_gallery(Home(home))
    gallery.set_badge(people[0], 70000)
    patient = Patient(settings, place=Home(home))
    (finding,) = doctor_gallery.badges(patient)
    assert (finding.state, finding.what.split()[0], finding.mend) == (State.OK, "2", "sudo kiosk subjects badge WHO")
    gallery.set_badge(people[0], 7)
    gallery.set_badge(people[1], 8)
    gallery.close()
    assert list(doctor_gallery.badges(patient)) == []
    assert list(doctor_gallery.badges(Patient(Config(), place=Home(home)))) == []


def test_doctor_says_what_a_panels_line_lacks(tmp_path: Path) -> None:
    line, key = tmp_path / "line", tmp_path / "key"
    panel = PanelConfig.model_validate(
        {"kind": "osdp", "facility": 1, "device": str(line), "key_file": str(key)},
    )
    settings = Config(panel=panel, door=DoorConfig(name="east", socket=tmp_path / "door.sock"))

    def said() -> list[str]:
        found = doctor_door.findings(Patient(settings, root=tmp_path))
        remarks = list(islice(found, 2 if not line.exists() else 1))
        with pytest.raises(DoorError):
            next(found)
        return [f"{found.state} {found.what} {found.mend}" for found in remarks]

    assert [text.split()[0] for text in said()] == ["problem", "problem"]
    line.touch()
    key.write_text("x")
    key.chmod(0o644)
    (text,) = said()
    assert text.startswith("problem")
    assert "chmod 600" in text
    key.chmod(0o600)
    (text,) = said()
    assert text.startswith("ok")
