"""`kiosk attempts`, and what `kiosk doctor` says of refusals."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.ids import new_id
from kiosk.station.access import decision_record
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.system.clock import boot_name, boottime
from tests.cli.conftest import Command


@pytest.fixture
def limited(tmp_path: Path) -> Path:
    """A configuration: three refusals an hour."""
    file = tmp_path / "kiosk.toml"
    file.write_text("[policy]\nrefusals_an_hour = 3\n")
    return file


def refuse(home: Path, times: int) -> None:
    """As a kiosk that runs records it."""
    with closing(open_gallery(Home(home))) as gallery:
        for _ in range(times):
            evidence = Evidence(1, boottime(), datetime.now(UTC))
            stranger = Decision(new_id(), Outcome.REFUSED, Reason.NOT_ENROLLED, None, evidence)
            Audit(gallery.store).append([decision_record(stranger, boot_name())])


def status(kiosk: Command, config: Path) -> dict[str, object]:
    (row,) = kiosk("attempts", "status", "--config", config, "--json").rows
    return row


def finding(kiosk: Command, config: Path) -> tuple[object, object]:
    rows = kiosk("doctor", "--config", config, "--json").checks
    ((level, message),) = [(row["state"], row["what"]) for row in rows if row["name"] == "attempts"]
    return level, message


def test_too_many_refusals_are_shown_until_they_are_reset(kiosk: Command, home: Path, limited: Path) -> None:
    assert kiosk("attempts", "status", "--config", limited).out == [
        "limit     3 people refused within an hour",
        "refusals  0 that count now",
        "face      on",
    ]
    refuse(home, 2)
    assert status(kiosk, limited) == {"limit": 3, "refusals": 2, "face": "on", "seconds_off": 0}
    assert finding(kiosk, limited) == ("ok", "3 people refused within an hour turn face alone off; 2 count now")
    refuse(home, 1)
    told = kiosk("attempts", "status", "--config", limited)
    assert told.status == 1
    assert told.out[-1].startswith("face      face alone is off: 3 people were refused within an hour")
    row = status(kiosk, limited)
    assert (row["refusals"], row["face"]) == (3, "off")
    assert 3500 < int(str(row["seconds_off"])) <= 3600
    level, message = finding(kiosk, limited)
    assert level == "problem"
    assert "kiosk attempts reset" in str(message)
    done = kiosk("attempts", "reset", "--config", limited)
    assert (done.status, done.out) == (0, ["face alone was off and is on again; 3 refusals no longer count"])
    assert status(kiosk, limited)["refusals"] == 0
    (record,) = kiosk("audit", "show", "--kind", "attempts", "--json").rows
    assert (record["reason"], record["detail"]) == ("reset", {"uid": os.getuid(), "refusals": 3, "face": "off"})


def test_a_reset_while_it_is_on_is_recorded_too(kiosk: Command, home: Path, limited: Path) -> None:
    refuse(home, 1)
    assert kiosk("attempts", "reset", "--config", limited, "--json").rows == [
        {"reset": True, "refusals": 1, "was": "on"}
    ]
    assert len(kiosk("audit", "show", "--kind", "attempts", "--json").rows) == 1


def test_attempts_status_says_when_there_is_no_limit(kiosk: Command, home: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    plain.write_text("")
    refuse(home, 5)
    said = kiosk("attempts", "status", "--config", plain)
    assert (said.status, len(said.out)) == (0, 1)
    assert "refusals_an_hour is not set" in said.out[0]
    assert finding(kiosk, plain)[0] == "ok"
    done = kiosk("attempts", "reset", "--config", plain)
    assert done.status == 0
    assert "refusals_an_hour is not set" in done.out[0]


def test_attempts_makes_no_gallery_if_there_is_none(kiosk: Command, home: Path, limited: Path) -> None:
    refused = kiosk("attempts", "reset", "--config", limited)
    assert refused.status == 2
    assert refused.err[-1].endswith("there is nothing to reset: name the kiosk's home with --home")
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["attempts", "clear"], "No such command 'clear'"),
        (["attempts", "reset", "now"], "unexpected extra argument"),
        (["attempts", "reset", "--config", "/nowhere.toml"], "there is no such configuration file"),
    ],
)
def test_bad_input_is_one_line(kiosk: Command, arguments: list[str], said: str) -> None:
    result = kiosk(*arguments)
    assert (result.status, len(result.err)) == (2, 1)
    assert said in result.err[0]


@pytest.mark.parametrize("value", ["0", "-1", "1001", "true", "2.5", '"30"', "nan"])
def test_a_limit_that_makes_no_sense_is_refused(kiosk: Command, tmp_path: Path, value: str) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(f"[policy]\nrefusals_an_hour = {value}\n")
    result = kiosk("attempts", "status", "--config", file)
    assert result.status == 2
    assert "policy.refusals_an_hour" in result.err[-1]
