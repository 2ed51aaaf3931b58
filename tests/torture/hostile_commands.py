"""The commands of a hostile day, chosen at random, and what it means when one says that it has done its work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from hostile_site import PATIENCE, Site

MOST_SUBJECTS = 25

QUICK_ENROLMENT = """
import json, sys
from contextlib import closing
from pathlib import Path
import numpy as np
from kiosk.storage.gallery import NewReference, open_gallery
from kiosk.storage.home import Home
template = np.random.default_rng().integers(-127, 128, 128, dtype=np.int8)
with closing(open_gallery(Home(Path(sys.argv[1])))) as gallery:
    subject = gallery.add_subject(sys.argv[2], [NewReference(template, "nobody-s", 0.5)] * 3)
print(json.dumps({"subject": subject.id}), flush=True)
"""
"""An enrolment as `kiosk enrol` stores it, without the second that the networks take."""

TRANSACTION = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
"""


@dataclass
class Command:
    """One command of a round: how it is started, and what it means when it says that it has done it."""

    name: str
    line: list[str]
    fine: set[int]
    acknowledge: Callable[[list[dict[str, object]]], None] = lambda _: None
    doubt: Callable[[], None] = lambda: None
    process: subprocess.Popen[str] | None = None
    killed: bool = False

    def run(self, kill_after: float | None) -> None:
        """Starts it; it is killed after so many seconds, if it still runs then."""
        self.process = subprocess.Popen(self.line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kill_after is not None:
            try:
                self.process.wait(kill_after)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.killed = True

    def judge(self, site: Site) -> None:
        """What it said, once it has ended."""
        assert self.process is not None
        out, err = self.process.communicate(timeout=PATIENCE)
        status = self.process.returncode
        site.done[f"{self.name}{' killed' if self.killed else ''}"] += 1
        rows = [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")]
        if self.killed and status < 0:
            self.doubt()
        elif status in self.fine:
            self.acknowledge(rows)
        elif status == 2 and "another command is writing" in err:
            site.done["told to try again"] += 1
        else:
            site.violations.append(f"{self.name} ended with {status}: {err.strip().splitlines()[-1:]}")


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
    line, fine = {
        "list": (site.kiosk("subjects", "list", "--json"), {0}),
        "audit": (site.kiosk("audit", "show", "--json"), {0}),
        "show": (site.kiosk("subjects", "show", who, "--json"), {0}),
        # The door may be dead just then, or kiosk-notify.
        "door": (site.kiosk("door", "status", "--config", site.config), {0, 1, 2}),
        "notify": (site.kiosk("notify", "status", "--config", site.config), {0, 1, 2}),
        "doctor": (site.kiosk("doctor", "--config", site.config), {0, 1}),
        "models": (site.kiosk("models", "verify"), {0}),
        "transaction": (_transaction(site), {0, 1}),
    }[kind]
    return Command(kind, line, fine)


def _transaction(site: Site) -> list[str]:
    seconds = str(round(site.chance.uniform(0.1, 2.0), 2))
    return [sys.executable, "-c", TRANSACTION, str(site.home.database), seconds]


def _change(site: Site, kind: str, who: str) -> Command:
    a = site.acknowledged

    def acknowledge(_: list[dict[str, object]]) -> None:
        if kind == "remove":
            a.remove(who)
        else:
            a.subjects[who] = kind == "disable"

    options = ["--yes"] if kind == "remove" else []
    line = site.kiosk("subjects", kind, *options, who, "--json")
    return Command(kind, line, {0}, acknowledge, lambda: a.doubtful.add(who))


def an_enrolment(site: Site, kind: str, taken: set[str]) -> Command:
    """Somebody new, or, of those who are on the pictures, somebody again."""
    a = site.acknowledged
    name = f"Somebody {site.chance.randrange(10**9)}"
    line = [sys.executable, "-c", QUICK_ENROLMENT, str(site.home.folder), name]
    if kind == "enrol":
        name = site.chance.choice(sorted(site.pictures))
        known = [i for i in a.subjects if site.names.get(i) == name]
        if taken & {name} or a.doubtful_enrolments or set(known) & (taken | a.doubtful):
            return Command("list", site.kiosk("subjects", "list", "--json"), {0})
        taken |= {name, *known}
        how = ["--again", known[0]] if known else ["--name", name]
        line = site.kiosk("enrol", *how, site.pictures[name], "--json")

    def acknowledge(rows: list[dict[str, object]]) -> None:
        identity = str(rows[-1]["subject"])
        site.names[identity] = name
        a.subjects.setdefault(identity, False)
        a.enrolled.add(identity)

    def doubt() -> None:
        a.doubtful_enrolments += 1

    return Command(kind, line, {0}, acknowledge, doubt)
