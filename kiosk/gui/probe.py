"""Asks Qt questions in a separate process, because Qt ends the process when its platform does not start.

`python -m kiosk.gui.probe platform` tries the platform of QT_QPA_PLATFORM. `... fonts` reads JSON strings, one a line,
and finds the characters that no font of this machine draws. Both write one line of JSON: a text, which is empty if all
is well.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

PATIENCE = 20.0
"""Most seconds that a platform may take to start."""
_PARTS = {"eglfs": ["egldeviceintegrations/libqeglfs-kms-integration.so"]}
"""Further plug-ins that a platform usually needs."""
_MISSING = " is missing"
_NOISE = re.compile(r"^\s*$|^This application failed to start|^Available platform plugins|QStandardPaths|^qt\.text")


def platform_trouble(platform: str) -> str:
    """Why Qt's `platform` ("linuxfb", "eglfs:size=1"...) does not start here; empty if it starts. Never raises."""
    answer, said = _ask("platform", "", platform)
    if answer is not None:
        return answer
    lines = [line.strip() for line in said.splitlines() if not _NOISE.search(line)]
    missing = [line for line in lines if line.endswith(_MISSING)]
    return [*missing, *lines[-1:], "Qt ends without a word"][0]


def undrawable(names: Iterable[str]) -> str:
    """Characters of `names` that no font of this machine draws. Also empty if Qt cannot be asked. Never raises."""
    lines = "".join(json.dumps(name) + "\n" for name in names)
    if not lines:
        return ""
    return _ask("fonts", lines, "offscreen")[0] or ""


def font_packages(characters: str) -> list[str]:
    """Debian packages with fonts that draw these characters."""
    return sorted({_package(c) for c in characters})


def _package(character: str) -> str:
    name = unicodedata.name(character, "")
    if name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")):
        return "fonts-noto-cjk"
    return "fonts-noto-color-emoji" if unicodedata.category(character) == "So" else "fonts-noto-core"


def _ask(question: str, words: str, platform: str) -> tuple[str | None, str]:
    """Runs the child. Returns its answer (None if it gave none) and its standard error."""
    environ = {**os.environ, "QT_QPA_PLATFORM": platform, "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-P", "-m", "kiosk.gui.probe", question],
            input=words,
            capture_output=True,
            timeout=PATIENCE,
            encoding="utf-8",
            errors="replace",
            env=environ,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"Qt does not answer within {PATIENCE:g} s"
    except OSError as error:
        return None, str(error)
    if done.returncode != 0:
        return None, done.stderr
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return None, done.stderr
    return (answer, done.stderr) if isinstance(answer, str) else (None, done.stderr)


def _try_platform() -> str:
    """Runs in the child. Writes missing libraries to standard error before it starts Qt, because Qt does not name
    them."""
    from PySide6.QtCore import QLibraryInfo  # noqa: PLC0415 - only the child needs it

    plugins = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath))
    name = os.environ["QT_QPA_PLATFORM"].split(";")[0].split(":")[0]
    for part in [f"platforms/libq{name}.so", *_PARTS.get(name, ())]:
        if not (plugins / part).exists():
            continue
        try:
            ctypes.CDLL(str(plugins / part))
        except OSError as error:
            print(str(error).split(":", maxsplit=1)[0] + _MISSING, file=sys.stderr)  # noqa: T201, TID251 - to the parent
    from PySide6.QtGui import QGuiApplication  # noqa: PLC0415

    application = QGuiApplication(["probe"])
    screen = application.primaryScreen()
    if screen is None or screen.geometry().isEmpty():
        return "there is no screen: see to its cable, and that this user may open it (/dev/fb0, /dev/dri)"
    return ""


def _try_fonts() -> str:
    """Runs in the child."""
    from kiosk.gui.app import create_application  # noqa: PLC0415

    application = create_application(["probe"], offscreen=True)
    from kiosk.gui.theme import lacking  # noqa: PLC0415

    found = sorted({c for line in sys.stdin for c in lacking(str(json.loads(line)))})
    application.quit()
    return "".join(found)


def main() -> int:
    """Runs the child and ends it."""
    answer = _try_platform() if sys.argv[1:] == ["platform"] else _try_fonts()
    print(json.dumps(answer), flush=True)  # noqa: T201 - to the parent
    # Ends at once, without Qt's own clean-up: the answer is written.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
