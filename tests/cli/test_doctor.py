"""`kiosk doctor` with unreadable or incomplete files: it reports them as bad and says what to do, without a
traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiosk.cli import doctor, doctor_window
from kiosk.cli.doctor_check import Check, Finding, Patient, State, examine, ok, problem, unknown
from kiosk.cli.doctor_list import CHECKS
from kiosk.config import Config
from kiosk.domain.people import NewReference
from kiosk.gui import app, probe
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

Command = Callable[..., Any]


@pytest.fixture
def enrolled(home: Path) -> Path:
    with closing(open_gallery(Home(home))) as gallery:
        gallery.add_subject("Łukasz", [NewReference(np.full(128, 28, np.float32), "a-network", 0.9)])
    return home


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and machine are looked at elsewhere."""
    quick = [
        replace(check, look=lambda _: [ok("they are there")]) if check.name in {"models", "inference"} else check
        for check in doctor.CHECKS
    ]
    monkeypatch.setattr(doctor, "CHECKS", quick)
    monkeypatch.setattr(probe, "undrawable", lambda _: "")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def as_somebody_else(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Root drops to nobody, for whom rights count; somebody else is who they are."""
    if os.geteuid() != 0:
        yield lambda: None
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    yield lambda: os.seteuid(65534)
    os.seteuid(0)


def levels(kiosk: Command, *arguments: str | Path) -> dict[str, tuple[str, str]]:
    result = kiosk("doctor", "--json", *arguments)
    assert result.err == []
    return {row["name"]: (row["state"], row["what"]) for row in result.checks}


def test_doctor_reports_a_missing_home(kiosk: Command, home: Path) -> None:
    assert levels(kiosk)["gallery"][0] == "ok"
    assert not home.exists(), "looking makes nothing"
    home.mkdir(mode=0o700)
    assert levels(kiosk)["gallery"][0] == "ok"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda home: (home / "gallery.db").unlink(), "the gallery is gone although its key is there"),
        (lambda home: (home / "gallery.key").unlink(), "the key is missing"),
        (lambda home: (home / "gallery.db").write_bytes(b""), "gallery"),
        (lambda home: (home / "gallery.key").chmod(0o644), "others can read"),
        (lambda home: home.chmod(0o777), "chmod "),
    ],
)
def test_doctor_reports_an_incomplete_home(
    kiosk: Command, enrolled: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(enrolled)
    rows = [row for row in kiosk("doctor", "--json").checks if row["name"] == "gallery"]
    assert any(row["state"] == "problem" and said in row["what"] + row["mend"] for row in rows), rows
    assert kiosk("doctor").status == 1


def test_doctor_reports_a_home_that_is_no_folder(kiosk: Command, home: Path) -> None:
    home.write_text("a file")
    result = kiosk("doctor")
    assert (result.status, len(result.err)) == (2, 1)
    assert "is a file" in result.err[0]


def test_doctor_reports_an_unreadable_home(
    kiosk: Command, enrolled: Path, as_somebody_else: Callable[[], None]
) -> None:
    enrolled.chmod(0)
    as_somebody_else()
    level, message = levels(kiosk)["gallery"]
    assert level == "problem"
    assert "sudo -u kiosk" in message


def test_doctor_reports_a_missing_or_unreadable_configuration(
    kiosk: Command, tmp_path: Path, as_somebody_else: Callable[[], None]
) -> None:
    assert levels(kiosk, "--config", tmp_path / "gone.toml")["config"][0] == "problem"
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    (folder / "kiosk.toml").write_text("[door]\n")
    as_somebody_else()
    found = levels(kiosk, "--config", folder / "kiosk.toml")
    if os.geteuid() != folder.stat().st_uid:
        assert found["config"][0] == "problem"
        assert "sudo -u kiosk" in found["config"][1]
    assert "window" in found, "the other checks are made"


def test_doctor_reports_an_unreachable_door_socket(
    kiosk: Command, tmp_path: Path, as_somebody_else: Callable[[], None]
) -> None:
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[camera]\nkind = "usb"\ndevice = "/dev/not-there"\n[door]\nsocket = "{run}/door.sock"\n')
    config.chmod(0o644)
    as_somebody_else()
    assert levels(kiosk, "--config", config)["door"][0] == "problem"


def test_doctor_tries_the_qt_platform_of_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"Environment": "A=1 QT_QPA_PLATFORM=linuxfb:fb=/dev/fb1 'B=c d'", "ActiveState": "inactive"}
    tried: list[str] = []

    def trouble(platform: str) -> str:
        tried.append(platform)
        return "there is no screen"

    patient = Patient(Config(), unit=lambda _: unit)
    monkeypatch.setattr(doctor_window, "missing_packages", lambda _: [])
    monkeypatch.setattr(probe, "platform_trouble", trouble)
    assert list(doctor_window.findings(patient)) == [
        problem(app.cannot_start("linuxfb:fb=/dev/fb1", "there is no screen"))
    ]
    unit["ActiveState"] = "active"
    (found,) = doctor_window.findings(patient)
    assert (found.state, "linuxfb" in found.what) == (State.OK, True)
    assert tried == ["linuxfb:fb=/dev/fb1"], "a screen in use is left alone"
    monkeypatch.setenv("QT_QPA_PLATFORM", "eglfs")
    assert next(doctor_window.findings(patient)).state is State.PROBLEM


def test_doctor_names_missing_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "undrawable", lambda names: "山" if "山" in "".join(names) else "")
    assert list(doctor_window.undrawable(["Ada", "Łukasz"])) == []
    (found,) = doctor_window.undrawable(["Ada", "山田"])
    assert (found.state, found.what) == (State.OK, "no font here draws 1 of the names")
    assert found.mend.endswith("fonts-noto-cjk")


def test_what_an_earlier_problem_keeps_from_being_looked_at_is_unknown() -> None:
    def look(*found: Finding) -> Callable[[Patient], list[Finding]]:
        return lambda _: list(found)

    def broken(_: Patient) -> list[Finding]:
        raise OSError(5, "Input/output error", "/dev/x")

    checks = [
        Check("a", "why a", "do a", broken),
        Check("b", "why b", "do b", look(ok("never seen")), after=("a",)),
        Check("c", "why c", "do c", look(ok("never seen")), after=("b",)),
        Check("d", "why d", "do d", look(ok("fine"), unknown("nobody can tell"), problem("torn", "sew"))),
        Check("e", "why e", "do e", look(ok("never seen")), configured=True),
        Check("f", "why f", "do f", look(ok("never seen")), as_owner=True),
    ]
    rows = [(r.row["name"], r.row["state"], r.row["why"], r.row["mend"]) for r in examine(checks, Patient(None))]
    assert rows == [
        ("a", "problem", "why a", "do a"),
        ("b", "unknown", "why b", "mend a first"),
        ("c", "unknown", "why c", "mend b first"),
        ("d", "ok", "", ""),
        ("d", "unknown", "why d", "do d"),
        ("d", "problem", "why d", "sew"),
        ("f", "problem", "why f", "do f"),
    ]


def test_doctor_answers_a_program_with_one_object_and_people_with_reason_and_remedy(
    kiosk: Command, enrolled: Path
) -> None:
    said = kiosk("doctor", "--json")
    (line,) = said.out
    told = json.loads(line)
    assert set(told) == {"version", "checks"}
    assert all(set(row) == {"name", "state", "what", "why", "mend"} for row in told["checks"])
    assert {row["state"] for row in told["checks"]} <= {"ok", "problem", "unknown"}
    assert said.status == (1 if any(row["state"] == "problem" for row in told["checks"]) else 0)
    for row in told["checks"]:
        if row["state"] != "ok":
            assert row["why"]
            assert row["mend"]
    (enrolled / "gallery.key").chmod(0o644)
    *_, wrong, why, mend, _, end = kiosk("doctor", "--only", "gallery").out
    assert wrong.startswith(f"problem  gallery    {enrolled}/gallery.key: others can read")
    assert why.strip() == "why: who is enrolled is known by the gallery alone; without it nobody is let in"
    assert mend.strip().startswith("do:  ")
    assert end.startswith("1 problem: mend the first, then sudo kiosk doctor.")
    (enrolled / "gallery.key").chmod(0o600)
    assert kiosk("doctor", "--only", "gallery").out[-1].startswith("no problem; what cannot be told here: 0.")


def test_doctor_says_where_the_package_has_the_pages_that_it_names(
    kiosk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PAGES", tmp_path)
    assert not any("deploy/... " in line for line in kiosk("doctor", "--only", "gallery").out)
    (tmp_path / "deploy").mkdir()
    assert kiosk("doctor", "--only", "gallery").out[-2] == f"deploy/... are files in {tmp_path}"


def test_doctor_makes_the_checks_alone_that_are_named(kiosk: Command, enrolled: Path) -> None:
    said = kiosk("doctor", "--json", "--only", "gallery,models")
    assert {row["name"] for row in said.checks} == {"config", "home", "models", "gallery"}
    assert said.status == 0
    wrong = kiosk("doctor", "--only", "galery")
    assert (wrong.status, "galery" in wrong.err[-1]) == (2, True)


def test_no_check_has_the_name_of_another_and_each_comes_after_what_it_needs() -> None:
    names = ["config", "home"]
    for check in CHECKS:
        assert check.name not in names
        assert set(check.after) <= set(names)
        assert check.why
        assert check.mend
        names.append(check.name)
