"""Compares two self-checks (`kiosk doctor --json`), of the old version and the new one, both with everything stopped.

    python3 worse.py OLD NEW

Exit status 1, with a line for the admin, when a check that was not a problem before is one now. A problem that was
there before hinders no upgrade: a camera that is out of order must not keep a door from its security updates. Nor does
one of a check that the old version did not have; it is said. Standard library only: it also runs where the new program
does not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def states(text: str) -> dict[str, tuple[bool, str]]:
    """Name of each check: whether it is a problem, and what it says. A name that stands twice is a problem if one is.
    Raises ValueError for other text."""
    found: dict[str, tuple[bool, str]] = {}
    try:
        for check in json.loads(text)["checks"]:
            name, problem = str(check["name"]), check["state"] == "problem"
            if problem or name not in found:
                found[name] = (problem, str(check.get("what", "")))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no self-check of a kiosk: {error!r}") from error
    return found


def compare(old: dict[str, tuple[bool, str]], new: dict[str, tuple[bool, str]]) -> tuple[list[str], list[str]]:
    """Lines of what became a problem, and of problems that a new check has found."""
    problems = [(name, what) for name, (bad, what) in new.items() if bad]
    worse = [f"{name}: {what}" for name, what in problems if name in old and not old[name][0]]
    return worse, [f"{name}: {what}" for name, what in problems if name not in old]


def main(old: str, new: str) -> int:
    """Exit status: 0 as good as before, 1 worse."""
    try:
        after = states(Path(new).read_text("utf-8"))
    except ValueError as error:
        print(f"the new version's self-check cannot be read: {error}")
        return 1
    try:
        before = states(Path(old).read_text("utf-8"))
    except ValueError:
        before = {}  # the old version was itself out of order: nothing can have become worse
    worse, found = compare(before, after)
    if worse:
        print(f"worse than before: {'; '.join(worse)}")
        return 1
    if found:
        print(f"a new check has found: {'; '.join(found)} (kiosk doctor)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
