"""Secrets that systemd keeps encrypted, and decrypts for a unit (LoadCredentialEncrypted= in systemd.exec(5)) or for
root. Uses only the standard library."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kiosk.domain.errors import ConfigError

COMMAND = "/usr/bin/systemd-creds"
"""Its whole path, because root runs it."""
PATIENCE = 30.0
"""Longest time in seconds that systemd-creds, which asks the TPM, may take."""


def credential(sealed: Path) -> bytes | None:
    """The secret that is sealed in this file; its name is the file's. None if neither systemd has given it to this
    process, nor the file exists.

    Raises ConfigError when it cannot be decrypted, also because only root may.
    """
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    try:
        if given is not None and (file := Path(given) / sealed.name).exists():
            return file.read_bytes()
        if os.geteuid() != 0:
            raise ConfigError(f"{sealed}: only root and the kiosk's unit can use it: run this command with sudo")
        if not sealed.exists():
            return None
        command = [COMMAND, "decrypt", f"--name={sealed.name}", str(sealed), "-"]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603 - fixed words
    except OSError as error:
        raise ConfigError(f"{sealed}: it cannot be read: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{sealed}: systemd-creds does not answer: see to the TPM") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ConfigError(f"{sealed}: systemd-creds cannot decrypt it: {said[-1] if said else done.returncode}")
    return done.stdout
