"""The steps of `kiosk setup` on a machine: the sealed key, the units."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kiosk.cli import setup_steps
from kiosk.cli.setup_answers import Root, checked
from kiosk.domain.errors import ConfigError, KioskError

TABLES: dict[str, object] = {
    "camera": {"kind": "simulated"},
    "lock": {"kind": "simulated"},
    "door": {"name": "a"},
    "backup": {"folder": "/media/kiosk-backup"},
}


def creds(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Stands in for systemd-creds."""
    program = folder / "systemd-creds"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(setup_steps, "SYSTEMD_CREDS", str(program))


def test_the_key_is_made_once_and_lies_nowhere_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Root(tmp_path)
    root.home.mkdir(parents=True)
    creds(tmp_path, monkeypatch, 'test "$1 $2 $3" = "encrypt --name=gallery-key -" && wc -c > "$4"')
    assert setup_steps.seal_key(root)
    assert root.credential.read_text().strip() == "32", "the key came by standard input"
    assert root.credential.stat().st_mode & 0o077 == 0
    assert not setup_steps.seal_key(root)
    assert [file.name for file in root.credential.parent.iterdir()] == ["gallery-key"]
    assert list(root.home.iterdir()) == []


def test_a_key_that_cannot_be_sealed_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Root(tmp_path)
    root.home.mkdir(parents=True)
    creds(tmp_path, monkeypatch, "echo no TPM >&2; exit 1")
    with pytest.raises(ConfigError, match="no TPM"):
        setup_steps.seal_key(root)
    assert not root.credential.exists()
    (root.home / "gallery.key").touch()
    with pytest.raises(ConfigError, match="its key beside it"):
        setup_steps.seal_key(root)


def test_a_command_that_does_not_end_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(command: list[str], **how: float) -> None:
        raise subprocess.TimeoutExpired(command, how["timeout"])

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(KioskError, match=r"kiosk enrol did not end within 300 s: give this command again"):
        setup_steps._rows(Root(tmp_path), "enrol", "--name", "Ada")


def systemctl(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Stands in for it, on a machine that systemd runs; the file has what it was asked for."""
    monkeypatch.setattr(setup_steps, "SYSTEMD", folder)
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "asked"


def test_units_are_enabled_and_started_by_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = systemctl(tmp_path, monkeypatch, "")
    assert setup_steps.start(checked(TABLES, "", Root(), tmp_path), Root()) == []
    units = "kiosk-door kiosk kiosk-backup.timer"
    assert asked.read_text().splitlines() == ["daemon-reload", f"enable --now {units}", f"restart {units}"]


def test_what_systemd_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = checked(TABLES, "", Root(), tmp_path)
    systemctl(tmp_path, monkeypatch, 'test "$1" = daemon-reload || { echo no such unit >&2; exit 5; }')
    with pytest.raises(ConfigError, match=r"systemctl enable --now .*: no such unit"):
        setup_steps.start(answers, Root())
    systemctl(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(setup_steps, "PATIENCE", 0.2)
    with pytest.raises(ConfigError, match="timed out"):
        setup_steps.start(answers, Root())


def test_where_systemd_does_not_run_and_in_a_trial_the_commands_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = checked(TABLES, "", Root(), tmp_path)
    monkeypatch.setattr(setup_steps, "SYSTEMD", tmp_path / "none")
    assert setup_steps.start(answers, Root()) == ["sudo systemctl enable --now kiosk-door kiosk kiosk-backup.timer"]
    assert setup_steps.start(answers, Root(tmp_path))[0].startswith("kiosk-door --config ")
