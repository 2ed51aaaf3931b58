"""`kiosk clock`, and what `kiosk doctor` says of the clock."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.cli import clock
from kiosk.cli.doctor_check import Patient
from kiosk.config import Config
from kiosk.domain.audit import AuditKind, AuditRecord
from kiosk.domain.updates import Faulted, Recovered
from kiosk.station.timekeeping import Timekeeper
from kiosk.storage.audit import Audit
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.cli.conftest import Command

NEVER = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def ahead(home: Path) -> Path:
    """A home whose log has a record from 2099."""
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append(
            [AuditRecord(AuditKind.START, datetime.now(UTC)), AuditRecord(AuditKind.STOP, NEVER)]
        )
    return home


def clock_of(kiosk: Command) -> dict[str, object]:
    (row,) = kiosk("clock", "status", "--json").rows
    return row


def finding(kiosk: Command) -> list[tuple[object, object]]:
    rows = kiosk("doctor", "--json").checks
    return [
        (row["state"], row["what"])
        for row in rows
        if row["name"] == "clock" and not row["mend"].startswith("set [clock]")
    ]


def test_a_home_without_a_log_has_no_floor(kiosk: Command) -> None:
    row = clock_of(kiosk)
    assert (row["floor"], row["trust"], row["reason"]) == (None, "rtc", None)
    assert kiosk("clock", "status").out[1] == "floor         none: the log is empty"


def test_a_clock_behind_the_log_is_bad_until_root_accepts_it(ahead: Path, kiosk: Command) -> None:
    result = kiosk("clock", "status")
    assert result.status == 1
    assert result.out[1] == "floor         2099-01-01 00:00:00 UTC"
    assert result.out[-1].startswith("clock_behind: the clock is behind the newest record of this gallery")
    ((level, message),) = finding(kiosk)
    assert level == "problem"
    assert "kiosk clock accept" in str(message)
    before = datetime.now(UTC)
    accepted = kiosk("clock", "accept")
    assert accepted.status == 0, accepted.err
    assert accepted.out[0].startswith("the floor was 2099-01-01 00:00:00 UTC, from now on it is")
    row = clock_of(kiosk)
    assert row["reason"] is None
    assert before <= datetime.fromisoformat(str(row["floor"])) <= datetime.now(UTC)
    assert [level for level, _ in finding(kiosk)] == ["ok"]
    (record,) = kiosk("audit", "show", "--kind", "clock", "--json").rows
    assert record["outcome"] == "accepted"
    assert record["detail"] == {"floor_was": NEVER.isoformat(), "floor": str(row["floor"])}


def test_accepting_a_clock_that_the_log_does_not_show_behind_is_recorded(kiosk: Command, home: Path) -> None:
    """A running kiosk may have seen it ahead with no record of that time."""
    assert kiosk("clock", "accept").out == ["the log is empty: nothing was changed"]
    started = datetime.now(UTC) - timedelta(days=3)
    with closing(open_gallery(Home(home))) as gallery:
        Audit(gallery.store).append([AuditRecord(AuditKind.START, started)])
        wrong_year = [True]
        wall = lambda: NEVER if wrong_year else datetime.now(UTC)  # noqa: E731
        keeper = Timekeeper("rtc", Audit(gallery.store).floor, wall=wall)
        keeper.turn()
        wrong_year.clear()
        assert [type(event) for event in keeper.turn()] == [Faulted]
        assert "was not behind" in kiosk("clock", "accept").out[1]
        assert [type(event) for event in keeper.turn()] == [Recovered]
    (record,) = kiosk("audit", "show", "--kind", "clock", "--json").rows
    assert (record["outcome"], record["detail"]["floor_was"]) == ("accepted", started.isoformat())


def test_accepting_is_for_root_alone(ahead: Path, kiosk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused = kiosk("clock", "accept")
    assert refused.status == 2
    assert "only root" in refused.err[-1]
    assert clock_of(kiosk)["reason"] == "clock_behind"


def test_doctor_reports_a_clock_that_ntp_has_not_set(
    kiosk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.cli.clock.synchronised", lambda *_: False)
    file = tmp_path / "kiosk.toml"
    file.write_text('[clock]\ntrust = "ntp"\n')
    row = kiosk("clock", "status", "--config", file, "--json").rows[0]
    assert (row["trust"], row["synchronised"], row["reason"]) == ("ntp", False, "clock_unsynchronised")
    rows = kiosk("doctor", "--config", file, "--json").checks
    ((state, mend),) = [(row["state"], row["mend"]) for row in rows if row["name"] == "clock"]
    assert (state, mend.split(",")[0]) == ("problem", "sudo timedatectl set-ntp true"), "accepting it would not help"


@pytest.mark.parametrize(
    ("set_by_timesyncd", "unit", "said"),
    [
        (False, "-/var/lib/kiosk-door -/run/dbus -/run/seatd.sock", "problem"),
        (False, "-/var/lib/kiosk-door -/run/seatd.sock", "ok"),
        (True, "-/var/lib/kiosk-door -/run/dbus -/run/seatd.sock", "ok"),
    ],
)
def test_doctor_does_not_believe_a_clock_of_which_the_kiosk_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_by_timesyncd: bool, unit: str, said: str
) -> None:
    monkeypatch.setattr("kiosk.cli.clock.synchronised", lambda *_: True)  # timedatectl says so, to root
    if set_by_timesyncd:
        marker = tmp_path / "run/systemd/timesync/synchronized"
        marker.parent.mkdir(parents=True)
        marker.touch()
    settings = Config.model_validate({"clock": {"trust": "ntp"}})
    patient = Patient(settings, place=Home(tmp_path), root=tmp_path, unit=lambda _: {"InaccessiblePaths": unit})
    (finding,) = clock.findings(patient)
    assert (finding.state, "chrony.conf" in finding.mend) == (said, said == "problem")
