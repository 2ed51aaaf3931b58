"""Takes out of the unpacked wheels what the program never loads, and says which system libraries the rest needs.

Of Qt only what three modules and the named plug-ins link to stays, found by reading each library's NEEDED: nothing is
guessed. What is left out of each: deploy/packaging.md.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kiosk.gui import app

MODULES = ("QtCore", "QtGui", "QtWidgets")
"""What kiosk.gui imports (a test holds it)."""
PLUGINS = (
    "platforms/libq[lmowx]*.so",  # linuxfb, minimal, offscreen, wayland, xcb
    "platforms/libqwayland*.so",
    "generic/libqevdev*.so",
    "platforminputcontexts/libcompose*.so",
    "wayland-shell-integration/libxdg-shell.so",
    "wayland-shell-integration/libfullscreen-shell*.so",
    "wayland-graphics-integration-client/libqt-plugin-wayland-egl.so",
    "xcbglintegrations/*.so",
)
NOT_PLUGINS = ("libqminimalegl.so", "libqlinuxfb-egl.so")
"""Would need OpenGL for embedded systems, which nothing here uses."""
UNUSED = (
    "bin",
    "pip",  # sqlite-utils asks for it, for its own command "install"
    "pip-*.dist-info",
    "**/tests",
    "**/*.pyi",
    "**/__pycache__",
    "**/direct_url.json",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
    "*.dist-info/uv_*.json",
    "numpy/_core/*_tests.*.so",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "onnxruntime/quantization",
    "onnxruntime/datasets",
    "cv2/data/*.xml",
    "shiboken6/include",
)
PACKAGES = app.PACKAGES | {
    "libc.so.6": "libc6 (>= 2.39)",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
    "libglib-2.0.so.0": "libglib2.0-0t64",
    "libgthread-2.0.so.0": "libglib2.0-0t64",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libudev.so.1": "libudev1",
    "libmtdev.so.1": "libmtdev1t64",
    "libinput.so.10": "libinput10",
    "libts.so.0": "libts0t64",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-xinput.so.0": "libxcb-xinput0",
}
"""Debian's package of each library that stays outside: the window's as it names them itself, and the rest. An unknown
one ends the build."""
OF_GLIBC = ("libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "libmvec.so", "ld-linux")
DISPLAYS = ("libqxcb", "libQt6XcbQpa", "libqwayland", "libQt6Wayland", "xcbglintegrations", "wayland-")
"""What these need is recommended only: a kiosk draws by one of them."""


@dataclass(frozen=True, slots=True)
class Needed:
    """System packages: without which nothing runs, and those of a display server's plug-ins alone."""

    packages: tuple[str, ...]
    window: tuple[str, ...]


def trim(site: Path) -> Needed:
    """Removes what is unused. Raises SystemExit when a library is needed that PACKAGES does not know."""
    _remove(site, UNUSED)
    if (site / "PySide6").is_dir():
        _qt(site / "PySide6")
    return _needs(site)


def _qt(folder: Path) -> None:
    """Leaves MODULES, PLUGINS and the libraries that these link to."""
    plugins = {p for pattern in PLUGINS for p in (folder / "Qt" / "plugins").glob(pattern)}
    plugins = {p for p in plugins if p.name not in NOT_PLUGINS}
    keep = plugins | {folder / f"{name}.abi3.so" for name in MODULES}
    there = {p.name: p for p in folder.rglob("*.so*") if p.parent == folder or p.parent == folder / "Qt" / "lib"}
    ahead = list(keep)
    while ahead:
        for name in needs(ahead.pop()):
            found = there.get(name)
            if found is not None and found not in keep:
                keep.add(found)
                ahead.append(found)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in keep and not (path.suffix == ".py" and path.parent == folder):
            path.unlink()


def _needs(site: Path) -> Needed:
    inside = {p.name for p in site.rglob("*.so*")}
    always: set[str] = set()
    window: set[str] = set()
    for path in sorted(site.rglob("*.so*")):
        for name in needs(path):
            if name in inside or name.startswith(OF_GLIBC):
                continue
            if name not in PACKAGES:
                raise SystemExit(f"{path.relative_to(site)} needs {name}: say in trim.py which package has it")
            (window if any(part in str(path.relative_to(site)) for part in DISPLAYS) else always).add(PACKAGES[name])
    return Needed(tuple(sorted(always)), tuple(sorted(window - always)))


def needs(library: Path) -> list[str]:
    """The NEEDED entries of an ELF file, of any architecture; empty for another file."""
    done = subprocess.run(["readelf", "--dynamic", "--wide", str(library)], capture_output=True, text=True, check=False)
    return re.findall(r"\(NEEDED\).*\[(.+)\]", done.stdout)


def _remove(site: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in list(site.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
