"""`kiosk doctor`: checks whether the window would be visible, and whether its fonts can draw all names."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence

from kiosk.cli.doctor_door import Remark
from kiosk.gui import probe
from kiosk.gui.app import cannot_start, display_available, missing_packages

UNIT = "kiosk.service"
PATIENCE = 5.0


def remarks() -> Iterator[Remark]:
    """Findings about Qt's platform: the one set here, else the one of the unit, else the one of the display. Tries the
    platform in a separate process, unless the unit's window is already open and so shows that it works."""
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    unit = {} if chosen else _unit()
    platform = chosen or _platform_of(unit.get("Environment", ""))
    if unit.get("ActiveState") == "active" and platform:
        yield "ok", f"{UNIT} runs, with its window ({platform})"
        return
    seen = display_available()
    missing = missing_packages(platform.split(";")[0].split(":")[0] or ("xcb" if seen else "offscreen"))
    if missing:
        yield "bad", f"sudo apt-get install {' '.join(missing)}"
    elif platform and (seen or not chosen):
        trouble = probe.platform_trouble(platform)
        yield ("bad", cannot_start(platform, trouble)) if trouble else ("ok", f"the platform {platform} starts")
    elif seen:
        yield "ok", "a display answers"
    else:
        yield "note", "no display answers: `kiosk run` would be headless"


def fonts(names: Sequence[str]) -> Iterator[Remark]:
    """Names that the fonts cannot draw. The window then says \"Welcome\" without the name."""
    lacking = probe.undrawable(n for n in names if not n.isascii())
    if lacking:
        count = sum(any(c in lacking for c in name) for name in names)
        packages = " ".join(probe.font_packages(lacking))
        yield "note", f"no font here draws {count} of the names: sudo apt-get install {packages}"


def _unit() -> dict[str, str]:
    """The unit's properties from systemd; empty if systemd does not know the unit, or is missing."""
    command = ["systemctl", "show", UNIT, "--property=LoadState,ActiveState,Environment"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True).stdout  # noqa: S603 - fixed
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = dict(line.split("=", 1) for line in said.decode("utf-8", "replace").splitlines() if "=" in line)
    return pairs if pairs.get("LoadState") == "loaded" else {}


def _platform_of(environment: str) -> str:
    """QT_QPA_PLATFORM from a line of assignments with shell quoting; empty if it is not set."""
    try:
        words = shlex.split(environment)
    except ValueError:
        return ""
    return dict(w.split("=", 1) for w in words if "=" in w).get("QT_QPA_PLATFORM", "")
