"""Libraries of the system, and each way in which they can be missing. The modules are made up, except where said."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kiosk.cameras import system_library
from kiosk.domain.errors import ConfigError

OURS = {"picamera2", "libcamera", "gi", "kms", "pykms", "PyQt5"}


def loaded() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that is searched first, in place of what was loaded before."""
    before = loaded()
    for name in before:
        del sys.modules[name]
    folder = tmp_path / "site"
    folder.mkdir()
    hidden = ("picamera2", "dist-packages")
    monkeypatch.setattr(sys, "path", [str(folder), *(p for p in sys.path if not p.endswith(hidden))])
    monkeypatch.setattr(system_library, "SYSTEM_PACKAGES", tmp_path / "system")
    yield folder
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(before)


def package(folder: Path, name: str, text: str = "") -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)


def test_picamera2_loads_no_qt_and_leaves_qts_settings_alone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    package(site, "PyQt5")
    package(
        site,
        "picamera2",
        "import os\n"
        "os.environ.update(QT_QPA_PLATFORM='wayland', PYOPENGL_PLATFORM='egl')\n"
        "import pykms\n"
        "formats = {'RGB888': pykms.PixelFormat.RGB888}\n"
        "try:\n    import PyQt5\nexcept ImportError:\n    PyQt5 = None\n",
    )
    made = system_library.picamera2()
    assert made.PyQt5 is None
    assert "PyQt5" not in sys.modules, "others may load it again"
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    assert "PYOPENGL_PLATFORM" not in os.environ


def test_without_picamera2_its_package_is_named(site: Path) -> None:
    with pytest.raises(ConfigError, match=r"^picamera2 is not there: sudo apt install python3-picamera2$"):
        system_library.picamera2()


def test_without_libcamera_its_package_is_named(site: Path) -> None:
    package(site, "picamera2", "import libcamera")
    with pytest.raises(ConfigError, match=r"^libcamera is not there: sudo apt install python3-libcamera$"):
        system_library.picamera2()


@pytest.mark.parametrize("name", ["picamera2", "libcamera"])
def test_a_virtual_environment_that_does_not_see_the_system_is_told_apart(site: Path, name: str) -> None:
    package(site, "picamera2", "import libcamera") if name == "libcamera" else None
    package(system_library.SYSTEM_PACKAGES, name)
    with pytest.raises(ConfigError, match=rf"^{name} is there for the system's Python.*--system-site-packages"):
        system_library.picamera2()


def test_libcamera_of_another_python_is_told_apart(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its compiled half, libcamera._libcamera, has the Python's version in its name."""
    package(site, "picamera2", "import libcamera")
    package(system_library.SYSTEM_PACKAGES, "libcamera", "from libcamera._libcamera import *")
    monkeypatch.setattr(sys, "path", [*sys.path, str(system_library.SYSTEM_PACKAGES)])
    with pytest.raises(ConfigError, match=r"^libcamera is built for the system's own Python, not for this one"):
        system_library.picamera2()


@pytest.mark.parametrize("fault", ["import numpy.gone", "raise OSError('libcamera.so.0.5: no\\nsuch file')"])
def test_whatever_else_is_wrong_is_one_line(site: Path, fault: str) -> None:
    package(site, "picamera2", fault)
    with pytest.raises(ConfigError, match=r"^picamera2 cannot be loaded: [^\n]*$"):
        system_library.picamera2()


def test_without_gstreamers_binding_its_packages_are_named(site: Path) -> None:
    with pytest.raises(ConfigError, match=r"^gi is not there: sudo apt install python3-gi$"):
        system_library.gstreamer()
    package(site, "gi", "def require_version(name, version): raise ValueError(f'Namespace {name} not available')")
    with pytest.raises(ConfigError, match=r"Namespace Gst not available.*gir1.2-gst-plugins-base-1.0"):
        system_library.gstreamer()
