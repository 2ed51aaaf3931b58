"""The steps of `kiosk setup` that change the machine. Each does nothing where it is done already, so that a setup that
was cut off goes on when the command is given again."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kiosk.cli.setup_answers import Answers, Person, Root
from kiosk.domain.errors import ConfigError, KioskError, os_trouble
from kiosk.storage.vault import KEY_BYTES
from kiosk.system.credentials import COMMAND as SYSTEMD_CREDS
from kiosk.system.files import make_folder

USER = "kiosk"
NO_PACKAGE = "the user kiosk does not exist: install the package first: sudo apt install ./face-kiosk.deb"
SYSTEMD = Path("/run/systemd/system")
"""There while systemd runs this machine (sd_booted(3))."""
PATIENCE = 300.0
"""Seconds for one command: enrolment on a slow board, a TPM."""


def folders(root: Root) -> None:
    """In a trial: the folders that the package and the units make elsewhere. On the machine they are checked. Raises
    ConfigError."""
    if not root.trial:
        try:
            pwd.getpwnam(USER)
        except KeyError as error:
            raise ConfigError(NO_PACKAGE) from error
        if not root.home.is_dir():
            raise ConfigError(f"{root.home} is missing: sudo systemd-tmpfiles --create face-kiosk.conf")
        return
    try:
        for path in ("/var/lib/kiosk", "/var/lib/kiosk-door", "/var/lib/kiosk-notify", "/run/kiosk"):
            make_folder(root.at(path), parents=True)
        for path in ("/run/kiosk-control", "/run/kiosk-events"):
            make_folder(root.at(path), parents=True)
    except OSError as error:
        raise ConfigError(os_trouble(error)) from error


def seal_key(root: Root) -> bool:
    """Makes the gallery's key and has systemd seal it, to the TPM where there is one; the units take it from
    there. False if it was
    there. Raises ConfigError."""
    if root.credential.exists():
        return False
    if (root.home / "gallery.key").exists():
        raise ConfigError(
            f"{root.home}/gallery.key: there is a gallery with its key beside it: deploy/operating.md says how it is "
            'moved; until then [setup] key = "file"'
        )
    try:
        root.credential.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = root.credential.with_name(".gallery-key.draft")
        command = [SYSTEMD_CREDS, "encrypt", "--name=gallery-key", "-", str(draft)]
        done = subprocess.run(  # noqa: S603 - fixed words
            command, input=secrets.token_bytes(KEY_BYTES), capture_output=True, timeout=PATIENCE, check=False
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ConfigError(f"systemd-creds cannot seal the key: {said[-1] if said else done.returncode}")
        draft.chmod(0o600)
        draft.rename(root.credential)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"the key cannot be sealed ({error}): take the key as a file") from error
    return True


def enrol(person: Person, root: Root) -> str:
    """Enrols somebody as `kiosk enrol` does, with number, PIN and role. Returns the subject's id. Raises KioskError."""
    everybody = _rows(root, "subjects", "list") if (root.home / "gallery.db").exists() else []
    found = [row for row in everybody if row["name"] == person.name]
    if len(found) > 1:
        raise KioskError(f"{len(found)} people are called {person.name}: give number and role by `kiosk subjects`")
    if found:
        (subject,) = found
    else:
        agreed = ["--consent", person.consent] if person.consent else []
        with _readable(person.pictures, root) as pictures:
            (made,) = _rows(root, "enrol", "--name", person.name, *agreed, *map(str, pictures))
        subject = {"subject": made["subject"], "number": None, "role": None}
    who = str(subject["subject"])
    if person.number is not None and subject["number"] != person.number:
        _rows(root, "subjects", "number", who, person.number)
    if person.pin is not None and (subject["role"] is None or person.role is None):
        _rows(root, "subjects", "pin", who, said=person.pin)
    if person.role is not None and subject["role"] != person.role:
        _rows(root, "subjects", "role", who, person.role.value)
    return who


def start(answers: Answers, root: Root) -> list[str]:
    """Enables and starts the units, or returns the commands that do it where that cannot be done here. Raises
    ConfigError when systemd refuses."""
    units = ["kiosk-door", "kiosk"]
    units += ["kiosk-notify"] if answers.settings.notifiers else []
    units += ["kiosk-backup.timer"] if answers.settings.backup.folder is not None else []
    retention = answers.settings.retention
    units += ["kiosk-retention.timer"] if retention.ended_days or retention.log_days else []
    if root.trial:
        return [f"kiosk-door --config {root.config}", f"kiosk run --config {root.config} --headless"]
    if not answers.setup.start or not SYSTEMD.is_dir():
        return [f"sudo systemctl enable --now {' '.join(units)}"]
    for command in (["daemon-reload"], ["enable", "--now", *units], ["restart", *units]):
        try:
            done = subprocess.run(  # noqa: S603 - fixed words
                ["systemctl", *command],  # noqa: S607 - found by the system's PATH
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"systemctl {' '.join(command)}: {error}; then again") from error
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ConfigError(f"systemctl {' '.join(command)}: {said[-1] if said else done.returncode}; then again")
    return []


def _rows(root: Root, *words: str, said: str | None = None) -> list[dict[str, object]]:
    """What a command of this program answers. It reads its configuration from the root, and becomes the home's owner by
    itself. Raises KioskError with its last line."""
    command = [sys.executable, "-P", "-m", "kiosk", *words, "--config", str(root.config), "--json"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KIOSK_")}
    try:
        done = subprocess.run(  # noqa: S603 - this program
            command,
            input=f"{said}\n" if said is not None else "",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=environment,
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        raise KioskError(f"kiosk {words[0]} did not end within {PATIENCE:g} s: give this command again") from error
    if done.returncode != 0:
        lines = [line.removeprefix("kiosk: ") for line in done.stderr.strip().splitlines()]
        raise KioskError(lines[-1] if lines else f"kiosk {words[0]} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def _readable(pictures: Sequence[Path], root: Root) -> Iterator[list[Path]]:
    """The pictures where the kiosk's user can read them: an admin's own folder is closed to it. In memory (/run), and
    gone after the block; what a setup that was killed has left goes first. Raises ConfigError."""
    if root.trial:
        yield list(pictures)
        return
    lent = root.at("/run/kiosk-setup")
    shutil.rmtree(lent, ignore_errors=True)
    try:
        lent.mkdir(mode=0o700)
        copies = []
        for number, picture in enumerate(pictures):
            copy = lent / f"{number}{picture.suffix}"
            if picture.is_dir():
                shutil.copytree(picture, copy)
            else:
                shutil.copyfile(picture, copy)
            copies.append(copy)
        for path in (*lent.rglob("*"), lent):
            shutil.chown(path, USER, USER)
        yield copies
    except OSError as error:
        raise ConfigError(f"a picture cannot be read: {os_trouble(error)}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(lent)
