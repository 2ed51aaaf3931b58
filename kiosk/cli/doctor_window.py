"""`kiosk doctor`: checks whether the window would be visible, and whether its fonts can draw all names."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.cli.doctor_gallery import names
from kiosk.gui import probe
from kiosk.gui.app import cannot_start, display_available, missing_packages
from kiosk.system.owner import acting_for

UNIT = "kiosk.service"


def findings(patient: Patient) -> Iterator[Finding]:
    """Findings about Qt's platform: the one set here, else the one of the unit, else the one of the display. Tries the
    platform in a separate process, unless the unit's window is already open and so shows that it works."""
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    unit = {} if chosen else patient.unit(UNIT)
    platform = chosen or _platform_of(unit.get("Environment", ""))
    if unit.get("ActiveState") == "active" and platform:
        yield ok(f"{UNIT} runs, with its window ({platform})")
        return
    seen = display_available()
    missing = missing_packages(platform.split(";")[0].split(":")[0] or ("xcb" if seen else "offscreen"))
    if missing:
        yield problem(f"Qt lacks {len(missing)} libraries", f"sudo apt-get install {' '.join(missing)}")
    elif platform and (seen or not chosen):
        trouble = probe.platform_trouble(platform)
        yield problem(cannot_start(platform, trouble)) if trouble else ok(f"the platform {platform} starts")
    elif seen:
        yield ok("a display answers")
    else:
        yield ok("no display answers: `kiosk run` would be headless", "connect one, or leave it headless")


def fonts(patient: Patient) -> Iterator[Finding]:
    """Names that the fonts cannot draw. The window then says \"Welcome\" without the name."""
    with acting_for(patient.home.folder):  # not around what follows: that starts a process
        enrolled = names(patient.home)
    yield from undrawable(enrolled)


def undrawable(names: Sequence[str]) -> Iterator[Finding]:
    """The finding about these names."""
    lacking = probe.undrawable(n for n in names if not n.isascii())
    if lacking:
        count = sum(any(c in lacking for c in name) for name in names)
        packages = " ".join(probe.font_packages(lacking))
        yield ok(f"no font here draws {count} of the names", f"sudo apt-get install {packages}")


def _platform_of(environment: str) -> str:
    """QT_QPA_PLATFORM from a line of assignments with shell quoting; empty if it is not set."""
    try:
        words = shlex.split(environment)
    except ValueError:
        return ""
    return dict(w.split("=", 1) for w in words if "=" in w).get("QT_QPA_PLATFORM", "")
