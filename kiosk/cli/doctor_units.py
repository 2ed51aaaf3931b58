"""`kiosk doctor`: checks what is around the programs: units, their restarts, sockets, udev rules, secrets."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from kiosk.cli.doctor_check import REINSTALL, Finding, Patient, ok, problem, unknown

RULES = (
    "usr/lib/udev/rules.d/70-face-kiosk.rules",
    "etc/udev/rules.d/70-face-kiosk.rules",
    "usr/lib/udev/rules.d/60-kiosk.rules",
)
"""Where the package puts them, where an admin does who changes them, and where they were before there was a package."""
RULES_AGAIN = f"{REINSTALL} && sudo udevadm control --reload && sudo udevadm trigger"
SOON = timedelta(days=30)
"""A certificate that ends within this time is told."""
SECRETS = ("secret_file", "password_file")


def units(patient: Patient) -> Iterator[Finding]:
    """Whether the units run, start with the machine, and how often systemd had to start them again.

    LoadState, ActiveState, UnitFileState, Result and NRestarts are of `systemctl show` (man 5
    org.freedesktop.systemd1).
    """
    wanted = ["kiosk-door.service", "kiosk.service"]
    wanted += ["kiosk-notify.service"] if patient.settings.notifiers else []
    for name in wanted:
        yield _unit(name, patient.unit(name))


def _unit(name: str, shown: Mapping[str, str]) -> Finding:
    if not shown:
        return unknown(f"{name}: systemd does not know it, or is not here", f"sudo systemctl enable --now {name}")
    active, ended = shown.get("ActiveState", ""), shown.get("Result", "success")
    restarts = int(shown.get("NRestarts") or 0)
    if active == "failed" or ended != "success":
        return problem(f"{name}: {active}, ended with {ended}", f"sudo journalctl -u {name} -n 30")
    if active == "activating" and restarts:
        return problem(f"{name}: is started again and again ({restarts} times)", f"sudo journalctl -u {name} -n 30")
    if active != "active":
        return unknown(f"{name}: {active}", f"sudo systemctl enable --now {name}")
    if shown.get("UnitFileState") == "disabled":
        return problem(f"{name}: runs, but will not after a power cut", f"sudo systemctl enable {name}")
    if restarts:
        return ok(f"{name}: runs, was started again {restarts} times", f"sudo journalctl -u {name} -p warning")
    return ok(f"{name}: runs")


def sockets(patient: Patient) -> Iterator[Finding]:
    """The sockets of the running processes: whether they are there, and closed to other users."""
    settings = patient.settings
    wanted = [settings.door.socket, settings.door.events]
    wanted += [settings.control.socket] if settings.control.socket else []
    wanted += [settings.notify.socket] if settings.notifiers else []
    good: list[str] = []
    for path in wanted:
        try:
            found = path.stat()
        except FileNotFoundError:
            yield unknown(f"{path}: not there: its process does not run", "systemctl status kiosk-door kiosk")
            continue
        except PermissionError:
            yield unknown(f"{path}: this user may not look there", "sudo kiosk doctor")
            continue
        if not stat.S_ISSOCK(found.st_mode):
            yield problem(f"{path}: is no socket", f"sudo rm {path}; sudo systemctl restart kiosk-door kiosk")
        elif found.st_mode & stat.S_IWOTH and _open_to_all(path.parent):
            yield problem(f"{path}: every user may ask there", f"sudo chmod o-rwx {path.parent}")
        else:
            good.append(path.name)
    if good:
        yield ok(", ".join(good))


def _open_to_all(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def rules(patient: Patient) -> Iterator[Finding]:
    """Whether udev gives relay, GPIO lines and badge reader to their process. Only where there is such hardware."""
    settings = patient.settings
    kind = settings.lock.kind if settings.lock is not None else ""
    if kind not in {"gpio", "usb-hid"} and settings.entry.card_reader is None:
        return
    found = next((file for file in RULES if (patient.root / file).is_file()), None)
    if found is None:
        yield problem("no udev rules of the kiosk are installed")
    else:
        yield ok(f"/{found}")


def secrets(patient: Patient) -> Iterator[Finding]:
    """Files that notifiers are given: secrets that others can read, certificates that end soon."""
    for name, notifier in patient.settings.notifiers.items():
        options = notifier.options()
        for key in SECRETS:
            if key in options:
                yield from _secret(f"[notifiers.{name}] {key}", Path(str(options[key])))
        if options.get("ca_file"):
            yield _certificates(f"[notifiers.{name}] ca_file", Path(str(options["ca_file"])), datetime.now(UTC))


def _secret(where: str, file: Path) -> Iterator[Finding]:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        yield problem(
            f"{where}: {file} is missing", f"sudo install -m 640 -g kiosk-notify /dev/null {file}; sudoedit {file}"
        )
    except PermissionError:
        yield unknown(f"{where}: this user may not look at {file}", "sudo kiosk doctor")
    else:
        if mode & 0o007:
            yield problem(
                f"{where}: others can read {file}", f"sudo chown root:kiosk-notify {file}; sudo chmod 640 {file}"
            )
        else:
            yield ok(f"{where}: closed to others")


def _certificates(where: str, file: Path, now: datetime) -> Finding:
    """The first certificate of the file that ends. `now` is in UTC."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except PermissionError:
        return unknown(f"{where}: this user may not look at {file}", "sudo kiosk doctor")
    except (OSError, ValueError):
        return problem(f"{where}: {file} holds no certificate in PEM", "ask whoever runs the other side for it")
    ends = min(certificate.not_valid_after_utc for certificate in found)
    if ends < now:
        return problem(f"{where}: {file} ended on {ends:%Y-%m-%d}", "ask whoever runs the other side for the new one")
    if ends < now + SOON:
        return ok(f"{where}: {file} ends on {ends:%Y-%m-%d}", "ask whoever runs the other side for the new one")
    return ok(f"{where}: {file} is valid until {ends:%Y-%m-%d}")
