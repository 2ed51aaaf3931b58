"""The start of kiosk-door: sets the lock's line to its secured level, then does everything else.

Before that it imports only the standard library and, for a gpio lock, gpiod. Importing the rest, above all pydantic,
takes several times as long.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from kiosk.locks import secure_line


def named_config(arguments: Sequence[str]) -> str:
    """FILE of `--config FILE` or `--config=FILE`; empty without it."""
    for word, following in itertools.pairwise([*arguments, ""]):
        if word == "--config":
            return following
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit status of daemon.main."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    file = named_config(arguments)
    if file:
        secure_line.hold(Path(file))

    from kiosk.door import daemon  # noqa: PLC0415 - only after the line is secured

    return daemon.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
