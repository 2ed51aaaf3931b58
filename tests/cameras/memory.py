"""Measures the memory needed to open a picture or clip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PEAK = """
import sys
from pathlib import Path
from kiosk.cameras.sources import stills
try:
    next(stills(Path(sys.argv[1])))
except Exception as error:
    sys.stderr.write(str(error))
sys.stdout.write(Path("/proc/self/status").read_text())
"""


def peak_of(path: Path) -> tuple[str, int]:
    """What is said of a picture or clip by a process of its own, and MiB of its memory at most."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    (peak,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("VmHWM:")]
    return done.stderr, int(peak) // 1024
