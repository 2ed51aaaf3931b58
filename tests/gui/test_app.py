"""Starting Qt: what is said when it cannot start. None of this needs Qt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kiosk.domain.errors import KioskError
from kiosk.gui import app


def test_no_display_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KioskError, match="--headless"):
        app.create_application([], offscreen=False)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"DISPLAY": ""},
        {"DISPLAY": ":5999"},
        {"WAYLAND_DISPLAY": "wayland-5999", "XDG_RUNTIME_DIR": "/nowhere"},
        {"QT_QPA_PLATFORM": "offscreen"},
        {"QT_QPA_PLATFORM": "offscreen", "DISPLAY": ":5999"},
        {"QT_QPA_PLATFORM": "xcb", "DISPLAY": ":5999"},
    ],
)
def test_a_display_that_does_not_answer_is_none(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not app.display_available(environ)


def test_a_platform_chosen_by_hand_is_believed() -> None:
    assert app.display_available({"QT_QPA_PLATFORM": "eglfs:size=1"})


def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_loads", lambda library: library not in {"libEGL.so.1", "libxcb-cursor.so.0"})
    assert app.missing_packages("offscreen") == ["libegl1"]
    assert app.missing_packages("xcb") == ["libegl1", "libxcb-cursor0"]
    with pytest.raises(KioskError, match=r"apt-get install libegl1$"):
        app.create_application([], offscreen=True)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("libEGL.so.1: cannot open shared object file: No such file or directory", "apt-get install libegl1"),
        ("libfoo-2.so.7: cannot open shared object file", "libfoo-2.so.7 is missing"),
        ("No module named 'PySide6'", "No module named 'PySide6'"),
    ],
)
def test_an_import_that_fails_is_explained(said: str, hint: str) -> None:
    assert hint in app._explained(ImportError(said))


def test_the_fonts_are_shipped_with_their_licences() -> None:
    weights = [
        f"{family}-{weight}.ttf" for family in ("KioskSans", "KioskSansArabic") for weight in ("Regular", "SemiBold")
    ]
    assert sorted(p.name for p in app.FONTS.glob("*.ttf")) == weights
    for licence in ("OFL.txt", "OFL-Arabic.txt"):
        assert "SIL Open Font License" in (app.FONTS / licence).read_text(encoding="utf-8")
    assert sum(p.stat().st_size for p in app.FONTS.iterdir()) < 1_000_000


def test_the_logic_of_the_window_needs_no_qt() -> None:
    code = (
        "import sys, kiosk.gui.app, kiosk.gui.layout, kiosk.gui.presenter, kiosk.gui.words;"
        "sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
