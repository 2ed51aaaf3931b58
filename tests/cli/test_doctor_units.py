"""What `kiosk doctor` says of units, sockets, udev rules and the notifiers' files."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.cli import doctor_units
from kiosk.cli.doctor_check import Patient
from kiosk.config import Config

RUNS = {"ActiveState": "active", "Result": "success", "NRestarts": "0", "UnitFileState": "enabled"}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({}, "unknown kiosk.service: systemd does not know it"),
        (RUNS, "ok kiosk.service: runs"),
        ({**RUNS, "NRestarts": "3"}, "ok kiosk.service: runs, was started again 3 times"),
        ({**RUNS, "UnitFileState": "disabled"}, "problem kiosk.service: runs, but will not after a power cut"),
        ({**RUNS, "ActiveState": "failed", "Result": "watchdog"}, "problem kiosk.service: failed, ended with watchdog"),
        ({**RUNS, "ActiveState": "activating", "NRestarts": "9"}, "problem kiosk.service: is started again and again"),
        ({**RUNS, "ActiveState": "inactive"}, "unknown kiosk.service: inactive"),
    ],
)
def test_units_tell_why_they_ended_and_how_often_they_were_started(shown: dict[str, str], said: str) -> None:
    asked: list[str] = []

    def unit(name: str) -> dict[str, str]:
        asked.append(name)
        return shown if name == "kiosk.service" else RUNS

    door, kiosk = doctor_units.units(Patient(Config(), unit=unit))
    assert door.what == "kiosk-door.service: runs"
    assert f"{kiosk.state} {kiosk.what}".startswith(said)
    assert asked == ["kiosk-door.service", "kiosk.service"]
    config = Config.model_validate({"notifiers": {"guard": {"kind": "webhook"}}})
    assert len(list(doctor_units.units(Patient(config, unit=unit)))) == 3


def test_sockets_are_there_and_closed_to_others(tmp_path: Path) -> None:
    config = Config.model_validate({"door": {"socket": str(tmp_path / "door.sock")}})
    found = list(doctor_units.sockets(Patient(config)))
    assert [f.state for f in found] == ["unknown", "unknown"]
    with closing(socket.socket(socket.AF_UNIX)) as door, closing(socket.socket(socket.AF_UNIX)) as events:
        door.bind(str(config.door.socket))
        events.bind(str(config.door.events))
        config.door.socket.chmod(0o660)
        config.door.events.chmod(0o666)
        tmp_path.chmod(0o700)
        (fine,) = doctor_units.sockets(Patient(config))
        assert (fine.state, fine.what) == ("ok", "door.sock, door-events.sock")
        tmp_path.chmod(0o755)
        wrong, fine = doctor_units.sockets(Patient(config))
        assert (wrong.state, fine.what) == ("problem", "door.sock")
        assert wrong.mend == f"sudo chmod o-rwx {tmp_path}"
    config.door.socket.unlink()
    config.door.socket.touch()
    assert next(iter(doctor_units.sockets(Patient(config)))).what.endswith("is no socket")


def test_udev_rules_are_asked_for_where_there_is_hardware(tmp_path: Path) -> None:
    lock = {"kind": "gpio", "chip": "/dev/gpiochip0", "line": 17, "active_high": True, "fail_mode": "secure"}
    real, simulated = Config.model_validate({"lock": lock}), Config.model_validate({"lock": {"kind": "simulated"}})
    assert list(doctor_units.rules(Patient(simulated, root=tmp_path))) == []
    assert [f.state for f in doctor_units.rules(Patient(real, root=tmp_path))] == ["problem"]
    (tmp_path / "usr/lib/udev/rules.d").mkdir(parents=True)
    (tmp_path / "usr/lib/udev/rules.d/70-face-kiosk.rules").touch()
    assert [f.state for f in doctor_units.rules(Patient(real, root=tmp_path))] == ["ok"]


def certificate(days: int) -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=90))
    signed = builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(("days", "state", "mends"), [(400, "ok", False), (10, "ok", True), (-1, "problem", True)])
def test_certificates_are_told_before_they_end(tmp_path: Path, days: int, state: str, mends: bool) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(certificate(400) + certificate(days))
    config = Config.model_validate({"notifiers": {"home": {"kind": "mqtt", "host": "broker", "ca_file": str(file)}}})
    (found,) = doctor_units.secrets(Patient(config))
    assert (found.state, bool(found.mend)) == (state, mends)
    file.write_text("no certificate")
    assert [f.state for f in doctor_units.secrets(Patient(config))] == ["problem"]


def test_secrets_are_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "guard.secret"
    guard = {"kind": "webhook", "url": "https://guard.example.org/door", "secret_file": str(file)}
    config = Config.model_validate({"notifiers": {"guard": guard}})
    assert [f.what for f in doctor_units.secrets(Patient(config))] == [
        f"[notifiers.guard] secret_file: {file} is missing"
    ]
    file.touch(0o640)
    assert [f.state for f in doctor_units.secrets(Patient(config))] == ["ok"]
    file.chmod(0o644)
    (found,) = doctor_units.secrets(Patient(config))
    assert (found.state, "chmod 640" in found.mend) == ("problem", True)
