"""What a separate process finds out about Qt: a platform that does not start, characters that no font draws."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.domain.errors import KioskError
from kiosk.gui import app, probe

pytestmark = pytest.mark.qt


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X server without a screen that anybody sees."""
    read, write = os.pipe()
    try:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "320x240x24", "-nolisten", "tcp"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        pytest.skip("Xvfb is not installed")
    with server, os.fdopen(read) as said:
        os.close(write)
        yield f":{said.readline().strip()}"
        server.terminate()


def test_a_platform_that_starts_has_no_trouble(display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)
    assert probe.platform_trouble("xcb") == ""


@pytest.mark.parametrize("platform", ["nonsense", "eglfs", "linuxfb:fb=/dev/not-there", "xcb"])
def test_a_platform_that_does_not_start_is_reported_and_ends_no_process(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":5999")
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    trouble = probe.platform_trouble(platform)
    assert trouble
    assert "\n" not in trouble
    if platform != "xcb":
        with pytest.raises(KioskError, match=f"platform {platform} cannot start"):
            app.create_application([], offscreen=False)


def test_a_missing_library_is_named_with_its_package() -> None:
    assert app.cannot_start("linuxfb", "libdrm.so.2 is missing").endswith("is missing: sudo apt-get install libdrm2")
    said = app.cannot_start("eglfs", "libQt6EglFsKmsGbmSupport.so.6 is missing")
    assert "others are linuxfb" in said


def test_characters_without_a_glyph_are_found() -> None:
    assert probe.undrawable(["Ada", "Łukasz", "a\u200cb"]) == ""
    assert probe.undrawable(["Ada \U0010fffd"]) == "\U0010fffd"
    assert probe.undrawable([]) == ""


def test_fonts_are_named_by_their_package() -> None:
    assert probe.font_packages("山か") == ["fonts-noto-cjk"]
    assert probe.font_packages("ර\U0001f600") == ["fonts-noto-color-emoji", "fonts-noto-core"]


def test_without_an_answer_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "gone"))
    assert probe.undrawable(["山"]) == ""
    assert probe.platform_trouble("xcb")
