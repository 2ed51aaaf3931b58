"""`kiosk doctor` with unreadable or incomplete files: it reports them as bad and says what to do, without a
traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiosk.cli import doctor, doctor_window
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
    monkeypatch.setattr(doctor, "_models", lambda _: "they are there")
    monkeypatch.setattr(doctor_window, "_unit", dict)
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
    return {row["check"]: (row["level"], row["message"]) for row in result.rows}


def test_doctor_reports_a_missing_home(kiosk: Command, home: Path) -> None:
    assert levels(kiosk)["gallery"][0] == "note"
    assert not home.exists(), "looking makes nothing"
    home.mkdir(mode=0o700)
    assert levels(kiosk)["gallery"][0] == "note"
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
    findings = [(row["level"], row["message"]) for row in kiosk("doctor", "--json").rows if row["check"] == "gallery"]
    assert any(level == "bad" and said in message for level, message in findings), findings
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
    assert level == "bad"
    assert "sudo -u kiosk" in message


def test_doctor_reports_a_missing_or_unreadable_configuration(
    kiosk: Command, tmp_path: Path, as_somebody_else: Callable[[], None]
) -> None:
    assert levels(kiosk, "--config", tmp_path / "gone.toml")["config"][0] == "bad"
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    (folder / "kiosk.toml").write_text("[door]\n")
    as_somebody_else()
    found = levels(kiosk, "--config", folder / "kiosk.toml")
    if os.geteuid() != folder.stat().st_uid:
        assert found["config"][0] == "bad"
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
    assert levels(kiosk, "--config", config)["door"][0] == "bad"


def test_doctor_tries_the_qt_platform_of_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"Environment": "A=1 QT_QPA_PLATFORM=linuxfb:fb=/dev/fb1 'B=c d'", "ActiveState": "inactive"}
    tried: list[str] = []

    def trouble(platform: str) -> str:
        tried.append(platform)
        return "there is no screen"

    monkeypatch.setattr(doctor_window, "_unit", lambda: unit)
    monkeypatch.setattr(doctor_window, "missing_packages", lambda _: [])
    monkeypatch.setattr(probe, "platform_trouble", trouble)
    assert list(doctor_window.remarks()) == [("bad", app.cannot_start("linuxfb:fb=/dev/fb1", "there is no screen"))]
    unit["ActiveState"] = "active"
    ((level, message),) = doctor_window.remarks()
    assert (level, "linuxfb" in message) == ("ok", True)
    assert tried == ["linuxfb:fb=/dev/fb1"], "a screen in use is left alone"
    monkeypatch.setenv("QT_QPA_PLATFORM", "eglfs")
    assert next(doctor_window.remarks())[0] == "bad"


def test_doctor_names_missing_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "undrawable", lambda names: "山" if "山" in "".join(names) else "")
    assert list(doctor_window.fonts(["Ada", "Łukasz"])) == []
    ((level, message),) = doctor_window.fonts(["Ada", "山田"])
    assert (level, message.split(":")[0]) == ("note", "no font here draws 1 of the names")
    assert message.endswith("fonts-noto-cjk")
