"""The steps of `kiosk setup` on a machine: the sealed key, the units."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk.cli import setup_steps
from kiosk.cli.setup_answers import Root, checked
from kiosk.domain.errors import ConfigError

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


def test_units_are_started_by_systemd_or_the_command_is_said(tmp_path: Path) -> None:
    answers = checked(TABLES, "", Root(), tmp_path)
    (command,) = (
        setup_steps.start(answers, Root())
        if not Path("/run/systemd/system").is_dir()
        else ["sudo systemctl enable --now kiosk-door kiosk kiosk-backup.timer"]
    )
    assert command == "sudo systemctl enable --now kiosk-door kiosk kiosk-backup.timer"
    assert setup_steps.start(answers, Root(tmp_path))[0].startswith("kiosk-door --config ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")
def test_pictures_of_a_closed_folder_are_lent_and_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Machine(Root):
        trial = False

    root = Machine(tmp_path)
    root.at("/run").mkdir()
    monkeypatch.setattr(setup_steps, "USER", "nobody")
    monkeypatch.setattr(setup_steps.shutil, "chown", lambda path, *_: os.chown(path, 65534, 65534))
    (tmp_path / "ada.png").write_bytes(b"a picture")
    with setup_steps._readable([tmp_path / "ada.png"], root) as (copy,):
        assert copy.read_bytes() == b"a picture"
        assert (copy.stat().st_uid, copy.parent.stat().st_mode & 0o777) == (65534, 0o700)
    assert list(root.at("/run").iterdir()) == []
    with pytest.raises(ConfigError, match="cannot be read"), setup_steps._readable([tmp_path / "none.png"], root):
        pass
