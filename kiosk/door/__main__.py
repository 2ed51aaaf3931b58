"""How kiosk-door begins: the lock's line at its safe level, then everything else.

Nothing is imported before that but the standard library and, where there is a gpio lock, gpiod: the rest, pydantic
above all, takes several times as long.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from kiosk.locks import secure_line


def named_config(arguments: Sequence[str]) -> str:
    """FILE of `--config FILE` or `--config=FILE`; empty where there is none."""
    for word, following in itertools.pairwise([*arguments, ""]):
        if word == "--config":
            return following
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """The console script, as daemon.main."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    file = named_config(arguments)
    if file:
        secure_line.hold(Path(file))

    from kiosk.door import daemon  # noqa: PLC0415 - after the safe level

    return daemon.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
