"""The command `kiosk`."""

from __future__ import annotations

import resource
import sys

from kiosk.cli import cli
from kiosk.cli.console import complain
from kiosk.domain.errors import KioskError


def main() -> None:
    """Exit status 0 when all went as asked, 1 when a check failed, 2 with one line for bad input."""
    # A core dump would hold templates in clear.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        cli(prog_name="kiosk")
    except KioskError as error:
        complain(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
