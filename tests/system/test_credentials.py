from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.system import credentials
from kiosk.system.credentials import credential


@pytest.fixture(autouse=True)
def _no_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def a_program(folder: Path, script: str) -> str:
    path = folder / "systemd-creds"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_unit_has_it_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "gallery-key").write_bytes(b"secret")
    assert credential(Path("/etc/credstore.encrypted/gallery-key")) == b"secret"


def test_root_lets_systemd_decrypt_it_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(credentials, "COMMAND", a_program(tmp_path, 'printf "%s" "$*"'))
    sealed = tmp_path / "gallery-key"
    assert credential(sealed) is None
    sealed.write_bytes(b"...")
    assert credential(sealed) == f"decrypt --name=gallery-key {sealed} -".encode()


def test_what_systemd_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(credentials, "COMMAND", a_program(tmp_path, "echo first >&2; echo no TPM >&2; exit 1"))
    (tmp_path / "gallery-key").touch()
    with pytest.raises(ConfigError, match="systemd-creds cannot decrypt it: no TPM"):
        credential(tmp_path / "gallery-key")
    monkeypatch.setattr(credentials, "COMMAND", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        credential(tmp_path / "gallery-key")


def test_another_user_is_told_to_be_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="run this command with sudo"):
        credential(tmp_path / "gallery-key")
