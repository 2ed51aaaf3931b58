"""Says who is enrolled, then enrols one after the other, until the power is cut (tests/vm/cut.py)."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from kiosk.domain.people import NewReference
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

HOME = Home(Path("/var/lib/kiosk/home"))
"""On the disk whose power is cut."""


def say(what: str) -> None:
    """A line on the console, which the host reads."""
    sys.stdout.write(f"vm-test: {what}\n")
    sys.stdout.flush()


def main() -> None:
    """Ends with the machine."""
    gallery = open_gallery(HOME)  # checks the file, and each row's seal
    say(" ".join(["there", *(subject.id for subject in gallery.subjects())]))
    for number in itertools.count():
        vector = np.random.default_rng(number).standard_normal(128).astype(np.float32)
        say(f"enrolled {gallery.add_subject(f'Guest {number}', [NewReference(vector, 'model', 1.0)]).id}")


if __name__ == "__main__":
    main()
