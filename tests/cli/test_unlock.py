"""A real kiosk whose key has a passphrase: it is locked, is unlocked, and answers commands that have no key."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kiosk.demonstration import stage
from kiosk.storage.home import Home
from kiosk.vision.models import load
from tests.cli.test_run import PATIENCE, RELEASE, Site, decision

WORDS = "correct horse battery"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The demonstration's people, whose gallery's key lies beside it still."""
    socket, record = tmp_path / "door.sock", tmp_path / "lock.jsonl"
    config = tmp_path / "kiosk.toml"
    config.write_text(
        f"""
        [camera]
        kind = "simulated"
        loop = true
        [keys]
        passphrase = true
        [control]
        socket = "{tmp_path}/control.sock"
        [lock]
        kind = "simulated"
        record = "{record}"
        [door]
        socket = "{socket}"
        state = "{tmp_path}/state"
        release_seconds = {RELEASE}
        """
    )
    settings = stage.settings(socket)
    stage.enrol_visitors(settings, Home(tmp_path / "home"), load(settings.models, settings.policy))
    with ExitStack() as stack:
        yield Site(config, tmp_path / "home", record, socket, stack)


def command(site: Site, *arguments: str, typed: str = "", config: bool = True) -> tuple[int, str]:
    """A command as a user gives it; its exit status and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "kiosk", "--home", str(site.home), *arguments] + ["--config", str(site.config)] * config,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_kiosk_with_a_passphrase_is_locked_until_an_admin_gives_it(site: Site) -> None:
    status, said = command(site, "subjects", "list")
    assert status == 2
    assert "key is missing" in said, "the key beside the gallery is no longer used"
    status, said = command(site, "keys", "passphrase")
    assert (status, "first line of standard input" in said) == (2, True)
    assert (site.home / "gallery.key").exists()
    status, said = command(site, "keys", "passphrase", typed=f"{WORDS}\n")
    assert (status, "kiosk unlock" in said) == (0, True)
    assert not (site.home / "gallery.key").exists()
    site.door()
    kiosk = site.kiosk()
    assert kiosk.line(lambda row: row["event"] == "fault")["reason"] == "locked"
    status, said = command(site, "unlock", typed="something else entirely\n")
    assert (status, "not the passphrase" in said) == (2, True)
    assert command(site, "unlock", typed=f"{WORDS}\n") == (0, "unlocked\n")
    assert kiosk.line(lambda row: row["event"] == "recovered")["reason"] == "locked"
    first = kiosk.line(lambda row: decision(row) and row["outcome"] == "granted")
    assert command(site, "unlock")[1] == "the kiosk is not locked\n"

    status, said = command(site, "subjects", "disable", first["subject"])
    assert status == 0, said
    refused = kiosk.line(lambda row: decision(row) and row["reason"] == "subject_disabled")
    assert refused["subject"] == first["subject"]
    status, said = command(site, "audit", "show", "--json", config=False)
    assert f'"by": "uid {os.getuid()}"' in said
