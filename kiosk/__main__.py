"""The command `kiosk`."""

from __future__ import annotations

import sys

from kiosk.cli import cli
from kiosk.cli.console import complain
from kiosk.domain.errors import KioskError


def main() -> None:
    """Exit status 0 when all went as asked, 1 when a check failed, 2 with one line for bad input."""
    try:
        cli(prog_name="kiosk")
    except KioskError as error:
        complain(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
