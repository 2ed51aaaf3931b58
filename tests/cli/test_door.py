"""`kiosk door` beside a real kiosk-door with a simulated lock."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk.demonstration import stage
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Command, Result

PATIENCE = 60.0


@dataclass
class Site:
    """A door, its configuration and a home with an audit log."""

    config: Path
    home: Path
    kiosk: Command

    def door(self, *arguments: str) -> Result:
        """One command, as JSON where it can."""
        return self.kiosk("door", arguments[0], "--config", self.config, *arguments[1:], at=self.home)

    def audit(self, kind: str) -> list[dict[str, object]]:
        """The log."""
        return self.kiosk("audit", "show", "--kind", kind, "--json", at=self.home).rows


@pytest.fixture
def site(tmp_path: Path, kiosk: Command) -> Iterator[Site]:
    config, socket, home = tmp_path / "kiosk.toml", tmp_path / "door.sock", tmp_path / "home"
    config.write_text(
        f'[lock]\nkind = "simulated"\ninputs = true\n[door]\nsocket = "{socket}"\nstate = "{tmp_path}/state"\n'
        "release_seconds = 1.0\nextended_seconds = 1.5\nlease_seconds = 1.0\n"
    )
    open_gallery(Home(home)).close()
    command = [sys.executable, "-m", "kiosk.door", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            stage._await_door(socket, process)
            yield Site(config, home, kiosk)
        finally:
            process.kill()


def test_door_status_shows_the_state(site: Site) -> None:
    (row,) = site.door("status", "--json").rows
    assert (row["state"], row["mode"], row["leaf"], row["simulated"]) == ("secured", "normal", "closed", True)
    assert "lock secured" in site.door("status").out[0]


def test_a_user_who_only_looks_is_recorded_once_an_hour(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        assert site.door("status").status == 0
    (look,) = site.audit("command")
    assert (look["reason"], look["detail"]) == ("status", {"uid": os.getuid()})
    monkeypatch.setattr("kiosk.cli.door_log.LOOKED", timedelta(0))
    assert site.door("status").status == 0
    assert len(site.audit("command")) == 2


def test_no_name_of_the_environment_is_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("SUDO_USER", "LOGNAME", "USER", "USERNAME", "LNAME"):
        monkeypatch.setenv(key, "somebody-else")
    assert site.door("release").status == 0
    assert site.door("secure").status == 0
    for record in (*site.audit("command"), *site.audit("outcome")):
        assert record["detail"] == {"uid": os.getuid()}


def test_door_status_reports_when_it_cannot_be_recorded(site: Site, tmp_path: Path) -> None:
    shown = site.kiosk("door", "status", "--config", site.config, at=tmp_path / "elsewhere")
    assert shown.status == 2
    assert "lock secured" in shown.out[0]
    assert "could not be recorded" in shown.err[0]


def test_a_release_is_recorded_with_its_outcome_and_ends(site: Site) -> None:
    first, last = site.door("release", "--json").rows
    assert (first["state"], last["state"]) == ("released", "secured")
    (command,), (outcome,) = site.audit("command"), site.audit("outcome")
    assert command["reason"] == "release"
    assert (outcome["outcome"], outcome["grant_id"]) == ("released", command["grant_id"])
    assert command["detail"]["uid"] == os.getuid()  # type: ignore[index]


def test_lockdown_refuses_a_release_until_it_is_ended(site: Site) -> None:
    assert site.door("lockdown", "--json").rows[0]["mode"] == "lockdown"
    refused = site.door("release")
    assert refused.status == 2
    assert refused.err == ["kiosk: the door was not released: lockdown"]
    assert site.door("lockdown", "--end", "--json").rows[0]["mode"] == "normal"
    assert site.door("release", "--extended").status == 0
    assert [r["reason"] for r in site.audit("command")] == ["lockdown", "release", "lockdown_end", "extend"]


def test_the_door_is_held_open_past_one_lease_and_then_secured(site: Site) -> None:
    begun = time.monotonic()
    rows = site.door("hold-open", "--seconds", "1.6", "--json").rows
    assert [row["state"] for row in rows] == ["released", "secured"]
    assert time.monotonic() - begun >= 1.6


def test_door_simulate_and_door_secure_change_the_state(site: Site) -> None:
    rows = site.door("simulate", "--json", "open", "tamper").rows
    assert [row["leaf"] for row in rows] == ["closed", "open"] or rows[-1]["leaf"] in {"closed", "open"}
    assert site.door("secure").status == 0
    assert [r["reason"] for r in site.audit("command")] == ["simulate_open", "simulate_tamper", "secure"]
    assert site.door("simulate", "kick").status == 2


def test_door_simulate_reads_hands_from_standard_input(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("rex\nkick\nclose\n"))
    panel = site.door("simulate")
    assert len(panel.out) == 2
    assert panel.err == [
        "kiosk: one a line: open, close, rex, tamper, restore",
        "kiosk: 'kick' is none of open, close, rex, tamper, restore",
    ]


def test_door_monitor_shows_events_and_other_subscribers_still_get_them(site: Site) -> None:
    command = [sys.executable, "-m", "kiosk", "--home", str(site.home), "door", "monitor"]
    command += ["--config", str(site.config), "--json", "--count", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as monitor:
        try:
            until = time.monotonic() + PATIENCE
            while monitor.poll() is None and time.monotonic() < until:
                site.door("lockdown")
                site.door("lockdown", "--end")
        finally:
            monitor.send_signal(signal.SIGKILL)
        assert monitor.stdout is not None
        told = [json.loads(line) for line in monitor.stdout]
    assert [(row["kind"].startswith("lockdown"), row["uid"]) for row in told] == [(True, os.getuid())] * 2
    assert [r["reason"] for r in site.audit("command")].count("monitor") == 1


def test_nothing_is_released_that_cannot_be_recorded(site: Site, tmp_path: Path) -> None:
    refused = site.kiosk("door", "release", "--config", site.config, at=tmp_path / "elsewhere")
    assert refused.status == 2
    assert "name the kiosk's home with --home" in refused.err[0]
    assert site.door("status", "--json").rows[0]["state"] == "secured"


def test_what_makes_the_door_safer_does_not_wait_for_the_record(site: Site, tmp_path: Path) -> None:
    done = site.kiosk("door", "lockdown", "--config", site.config, at=tmp_path / "elsewhere")
    assert done.status == 2
    assert "done (lock secured, mode lockdown), but not recorded" in done.err[0]
    assert site.door("status", "--json").rows[0]["mode"] == "lockdown"


def test_door_commands_report_a_missing_door_or_configuration(kiosk: Command, tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text(f'[door]\nsocket = "{tmp_path}/none"\n')
    away = kiosk("door", "status", "--config", tmp_path / "kiosk.toml")
    assert (away.status, len(away.err)) == (2, 1)
    assert "cannot be reached" in away.err[0]
    unnamed = kiosk("door", "secure")
    assert unnamed.status == 2
    assert "--config" in unnamed.err[0]
