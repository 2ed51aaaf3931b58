"""The commands of a hostile day, chosen at random, and what it means when one says that it has done its work."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hostile_process import Program
from hostile_site import Site

from kiosk.domain.people import NewReference
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

MOST_SUBJECTS = 25


def quick_enrolment() -> None:
    """An enrolment as `kiosk enrol` stores it, without what the networks cost."""
    vector = np.random.default_rng().normal(0, 28, 128).astype(np.float32)
    with closing(open_gallery(Home(Path(sys.argv[1])))) as gallery:
        subject = gallery.add_subject(sys.argv[2], [NewReference(vector, "nobody-s", 0.5)] * 3)
    sys.stdout.write(json.dumps({"subject": subject.id}) + "\n")


def transaction() -> None:
    """Somebody else's, a backup script's say, with SQLite's own driver."""
    with closing(sqlite3.connect(sys.argv[1], isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        time.sleep(float(sys.argv[2]))


@dataclass
class Command:
    """One command of a round: how it is started, and what it means when it says that it has done it."""

    name: str
    arguments: list[str]
    fine: set[int]
    acknowledge: Callable[[list[dict[str, object]]], None] = lambda _: None
    doubt: Callable[[], None] = lambda: None
    entry: str = "kiosk.__main__:main"
    program: Program | None = None
    killed: bool = False

    def run(self, site: Site, kill_after: float | None = None) -> None:
        """Starts it; it is killed after so many seconds, if it still runs then."""
        home = ["--home", str(site.home.folder)] if self.entry == "kiosk.__main__:main" else []
        site.started += 1
        self.program = Program(self.entry, [*home, *self.arguments], site.folder / f"command-{site.started}.out")
        if kill_after is not None and self.program.wait(kill_after) is None:
            self.program.kill()
            self.killed = True

    def judge(self, site: Site) -> list[dict[str, object]]:
        """What it said, once it has ended."""
        assert self.program is not None
        status = self.program.wait()
        out, err = self.program.output.read_text(), self.program.errors
        for file in (self.program.output, self.program.output.with_suffix(".err")):
            file.unlink()
        site.done[f"{self.name}{' killed' if self.killed else ''}"] += 1
        rows = [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")]
        if self.killed and status == -signal.SIGKILL:
            self.doubt()
        elif status in self.fine:
            self.acknowledge(rows)
        elif status == 2 and "another command is writing" in err:
            site.done["told to try again"] += 1
        else:
            site.violations.append(f"{self.name} ended with {status}: {err.strip().splitlines()[-1:]}")
        return rows


def a_command(site: Site, taken: set[str]) -> Command:
    """A random one that touches nobody in `taken`, and adds whom it touches."""
    a, chance = site.acknowledged, site.chance
    somebody = sorted(set(a.subjects) - taken - {site.ada} - a.doubtful)
    kinds = ["list"] * 5 + ["audit"] * 4 + ["door"] * 2 + ["notify", "enrol", "transaction"]
    kinds += ["quick enrolment"] * (3 if len(a.subjects) < MOST_SUBJECTS else 0)
    kinds += (["show"] * 2 + ["disable"] * 3 + ["enable"] * 2 + ["remove"] * 2) if somebody else []
    kinds += ["doctor", "models"] if chance.random() < 0.4 else []
    kind = chance.choice(kinds)
    who = chance.choice(somebody) if somebody else ""
    if kind in {"show", "disable", "enable", "remove"}:
        taken.add(who)
    if kind in {"enrol", "quick enrolment"}:
        return an_enrolment(site, kind, taken)
    if kind in {"disable", "enable", "remove"}:
        return _change(site, kind, who)
    if kind == "transaction":
        seconds = str(round(chance.uniform(0.1, 2.0), 2))
        return Command(kind, [str(site.home.database), seconds], {0, 1}, entry="hostile_commands:transaction")
    arguments, fine = {
        "list": (["subjects", "list", "--json"], {0}),
        "audit": (["audit", "show", "--json"], {0}),
        "show": (["subjects", "show", who, "--json"], {0}),
        # The door may be dead just then, or kiosk-notify.
        "door": (["door", "status", "--config", str(site.config)], {0, 1, 2}),
        "notify": (["notify", "status", "--config", str(site.config)], {0, 1, 2}),
        "doctor": (["doctor", "--config", str(site.config)], {0, 1}),
        "models": (["models", "verify"], {0}),
    }[kind]
    return Command(kind, arguments, fine)


def _change(site: Site, kind: str, who: str) -> Command:
    a = site.acknowledged

    def acknowledge(_: list[dict[str, object]]) -> None:
        if kind == "remove":
            a.remove(who)
        else:
            a.subjects[who] = kind == "disable"

    options = ["--yes"] if kind == "remove" else []
    arguments = ["subjects", kind, *options, who, "--json"]
    return Command(kind, arguments, {0}, acknowledge, lambda: a.doubtful.add(who))


def an_enrolment(site: Site, kind: str, taken: set[str]) -> Command:
    """Somebody new, or, of those who are on the pictures, somebody again."""
    a = site.acknowledged
    name = f"Somebody {site.chance.randrange(10**9)}"
    entry, arguments = "hostile_commands:quick_enrolment", [str(site.home.folder), name]
    if kind == "enrol":
        name = site.chance.choice(sorted(site.pictures))
        known = [i for i in a.subjects if site.names.get(i) == name]
        if taken & {name} or a.doubtful_enrolments or set(known) & (taken | a.doubtful):
            return Command("list", ["subjects", "list", "--json"], {0})
        taken |= {name, *known}
        how = ["--again", known[0]] if known else ["--name", name]
        entry, arguments = "kiosk.__main__:main", ["enrol", *how, str(site.pictures[name]), "--json"]

    def acknowledge(rows: list[dict[str, object]]) -> None:
        identity = str(rows[-1]["subject"])
        site.names[identity] = name
        a.subjects.setdefault(identity, False)
        a.enrolled.add(identity)

    def doubt() -> None:
        a.doubtful_enrolments += 1

    return Command(kind, arguments, {0}, acknowledge, doubt, entry)
