"""A day of random commands beside a running kiosk, with kills of everything, and what is left of it.

    python tests/torture/hostile_day.py --rounds 1000 [--enrolments 60]

kiosk-door, `kiosk run --headless` and kiosk-notify are the real ones, on one home, with the simulated camera and lock.
A supervisor starts them again as their units do (RestartSec of each). Each round runs one command or two at once:
enrol, list, show, disable, enable, remove, doctor, audit show, models verify, door status, notify status, or somebody
else's long transaction; some are killed (-9) at a random moment, and so are the three processes. `--enrolments` runs
so many enrolments one after another first, each with a `subjects list` beside it.

What must hold, looked at now and then and at the end:

    the file      PRAGMA integrity_check and foreign_key_check find nothing
    subjects      everybody whose enrolment was acknowledged (exit status 0) and whose removal was not is there,
                  disabled or not as acknowledged last; nobody else is, but for commands that were killed
    audit log     each decision that the kiosk printed, enrolment, removal and event of the door is there, and once
    locks         the kiosk holds SQLite's locks on the file and its -shm (/proc/locks)
    no fault that outlives its cause   after the last kill somebody is granted, and the log holds decision and outcome;
                  nothing ever ended by itself

Exit status 0 when all held. One line of JSON says what was done and what did not hold.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from hostile_commands import Command, a_command, an_enrolment
from hostile_judge import compare, evening, look
from hostile_site import Site


def day(site: Site, rounds: int, until: float) -> None:
    """The rounds; fewer where the time is over."""
    chance = site.chance
    for number in range(rounds):
        if time.monotonic() > until:
            return
        for name, likely in (("kiosk", 0.12), ("door", 0.08), ("notify", 0.04)):
            if chance.random() < likely and site.supervisors[name].kill():
                site.done[f"kills of {name}"] += 1
        taken: set[str] = set()
        running = [a_command(site, taken) for _ in range(chance.choice([1, 1, 2]))]
        for command in running:
            command.run(site, None if len(running) > 1 or chance.random() > 0.2 else chance.uniform(0.05, 1.5))
        for command in running:
            command.judge(site)
        site.done["rounds"] += 1
        site.done["two at once"] += len(running) == 2
        if site.acknowledged.doubtful or site.acknowledged.doubtful_enrolments or number % 10 == 9:
            compare(site)
        if number % 50 == 49:
            look(site)


def enrol_many(site: Site, count: int) -> None:
    """One enrolment after another by the real command, a list beside each; nothing is killed."""
    while count and not site.decided():
        time.sleep(0.2)
    for _ in range(count):
        command, beside = an_enrolment(site, "enrol", set()), Command("list", ["subjects", "list"], {0})
        command.name = "enrolments in a row"
        for each in (command, beside):
            each.run(site)
        for each in (command, beside):
            each.judge(site)
    look(site)


def main() -> int:
    """Prints the counts; 0 when all held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--enrolments", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no round after so long")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kiosk-hostile-") as folder:
        site = Site(Path(folder), random.Random(arguments.seed))
        try:
            enrol_many(site, arguments.enrolments)
            day(site, arguments.rounds, begun + arguments.seconds)
            evening(site)
        finally:
            for supervisor in site.supervisors.values():
                supervisor.end()
    row = {
        "seed": arguments.seed,
        "seconds": round(time.monotonic() - begun),
        "done": dict(sorted(site.done.items())),
        "violations": site.violations[:20],
        "held": not site.violations,
    }
    sys.stdout.write(json.dumps(row) + "\n")
    return 0 if row["held"] else 1


if __name__ == "__main__":
    os.environ.pop("NOTIFY_SOCKET", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
