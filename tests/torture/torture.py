"""Kills kiosk-door, the kiosk, or both, at random moments of random traffic, and judges what the lock's wire saw.

    python tests/torture/torture.py --kills 1000 --on-owner-death revert

A supervisor restarts them as the units do. The wire is a process of its own (recorder.py). What must hold:

    revert   the lock is never released past its deadline plus 100 ms
    keep     never past its deadline plus the time until the line was requested again at its safe level
    both     every decision that was acknowledged is in the audit log, and no event of the door is missing: each number
             is in the log or still in the door's spool; every release has a recorded decision

A machine that is busy is late itself: how late a process that only sleeps wakes up is measured beside it, and allowed.
Exit status 0 when all held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kiosk.config import read
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

HERE = Path(__file__).parent
RELEASE_SECONDS = 0.25
"""The cap is the same: whatever is granted meanwhile, a release ends so long after it began."""
TOLERANCE = 0.1
RESTART_SECONDS = 0.2
"""As the door's unit has it."""
PATIENCE = 20.0


@dataclass
class Site:
    """Where it all happens."""

    folder: Path
    on_owner_death: str
    seed: int
    spawned: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = self.folder / "kiosk.toml"
        self.config.write_text(
            f'[lock]\nkind = "simulated"\nrecorder = "{self.folder}/wire"\n[door]\nsocket = "{self.folder}/door.sock"\n'
            f'state = "{self.folder}/state"\nrelease_seconds = {RELEASE_SECONDS}\n'
            f"max_release_seconds = {RELEASE_SECONDS}\n"
        )
        self.home, self.record, self.ledger = (self.folder / name for name in ("home", "record", "ledger"))
        open_gallery(Home(self.home)).close()
        self.ledger.touch()

    def command(self, name: str) -> list[str]:
        """How each is started."""
        settings = read(self.config).door
        wire = [str(self.folder / "wire"), str(self.record), self.on_owner_death]
        sockets = [str(settings.socket), str(settings.events)]
        self.spawned += 1
        return {
            "recorder": [str(HERE / "recorder.py"), *wire],
            "door": ["-m", "kiosk.service.door_daemon", "--config", str(self.config)],
            "kiosk": [
                str(HERE / "traffic.py"),
                str(self.home),
                *sockets,
                str(self.ledger),
                f"{self.seed}.{self.spawned}",
            ],
        }[name]

    def spawn(self, name: str) -> None:
        """Starts one of them."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen([sys.executable, *self.command(name)], stdout=log, stderr=log)

    def end(self, name: str, number: signal.Signals) -> None:
        """Ends one of them."""
        self.processes[name].send_signal(number)
        self.processes[name].wait()

    def lines(self) -> list[str]:
        """The ledger."""
        return self.ledger.read_text().splitlines()


class Probe(threading.Thread):
    """How late this machine wakes up whoever only sleeps."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.worst = 0.0

    def run(self) -> None:
        """For ever."""
        while True:
            due = time.monotonic() + 0.02
            time.sleep(0.02)
            self.worst = max(self.worst, time.monotonic() - due)


def torture(site: Site, kills: int) -> None:
    """The killing."""
    chance = random.Random(site.seed)
    site.spawn("recorder")
    while not (site.folder / "wire").exists():
        time.sleep(0.01)
    site.spawn("door")
    site.spawn("kiosk")
    done = 0
    while done < kills:
        _let_run(site, chance)
        victims = chance.choice([["kiosk"], ["door"], ["kiosk", "door"]])
        for name in victims:
            site.end(name, signal.SIGKILL)
        done += len(victims)
        time.sleep(RESTART_SECONDS)
        for name in victims:
            site.spawn(name)
    _let_run(site, chance)
    site.end("kiosk", signal.SIGKILL)
    site.end("door", signal.SIGTERM)
    time.sleep(0.1)
    site.end("recorder", signal.SIGKILL)


def _let_run(site: Site, chance: random.Random) -> None:
    """Sometimes not even until they have started; mostly until the door has released a few times."""
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 0.5))
        return
    wanted = sum(line.endswith(" released") for line in site.lines()) + chance.randint(1, 4)
    until = time.monotonic() + PATIENCE
    while sum(line.endswith(" released") for line in site.lines()) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.3))


@dataclass
class Verdict:
    """What was found. Times in seconds."""

    releases: int = 0
    late: list[float] = field(default_factory=list)
    """How long past its deadline a release ended, under the owner that made it or by the kernel."""
    orphaned: int = 0
    """Releases that outlived their owner, until the next one secured the line."""
    without_owner: list[float] = field(default_factory=list)
    """From an owner's death to the next one's safe level."""
    missing: list[str] = field(default_factory=list)


def judge(site: Site) -> Verdict:
    """Reads the record, the ledger, the audit log and the spool."""
    verdict = Verdict()
    _judge_record([json.loads(line) for line in site.record.read_text().splitlines()], verdict)
    _judge_logs(site, verdict)
    return verdict


def _judge_record(rows: list[dict[str, object]], verdict: Verdict) -> None:
    begun: tuple[float, object] | None = None
    died: float | None = None
    for row in rows:
        at = float(str(row["at"]))
        if row["level"] == "released" and begun is None:
            begun = (at, row["owner"])
            verdict.releases += 1
        elif row["level"] == "secured" and begun is not None:
            if row["by"] == "door" and row["owner"] != begun[1]:
                verdict.orphaned += 1
            else:
                verdict.late.append(at - begun[0] - RELEASE_SECONDS)
            begun = None
        if row["by"] == "kernel":
            died = at
        elif died is not None:
            verdict.without_owner.append(at - died)
            died = None
    if begun is not None and died is None:
        verdict.missing.append("the lock is still released at the end")


def _judge_logs(site: Site, verdict: Verdict) -> None:
    with closing(Audit(open_database(Home(site.home).database))) as audit:
        audit.settle_pending(datetime.now(UTC))
        records = audit.records()
    decisions = {r.grant_id: r for r in records if r.kind == "decision"}
    outcomes = {r.grant_id for r in records if r.kind == "outcome"}
    for line in site.lines():
        if line.startswith("VIOLATION"):
            verdict.missing.append(line)
        elif line.split()[0] not in decisions:
            verdict.missing.append(f"acknowledged decision {line}")
    verdict.missing += [f"outcome of {g}" for g, r in decisions.items() if r.outcome == "granted" and g not in outcomes]
    spool = [json.loads(line) for line in (site.folder / "state" / "events.jsonl").read_text().splitlines()]
    events = {row["sequence"]: (row["kind"], row["grant_id"]) for row in spool if row["type"] == "event"}
    events |= {r.detail["sequence"]: (r.outcome, r.grant_id) for r in records if "sequence" in r.detail}
    verdict.missing += [f"door event {n}" for n in range(1, max(events, default=0) + 1) if n not in events]
    twice = len([r for r in records if "event" in r.detail]) - len(
        {r.detail["event"] for r in records if "event" in r.detail}
    )
    verdict.missing += ["a door event is recorded twice"] * twice
    released = {grant for kind, grant in events.values() if kind == "released"}
    verdict.missing += [f"decision of the release {grant}" for grant in released if grant not in decisions]


def main() -> int:
    """Prints the counts; 0 when all held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--on-owner-death", choices=["keep", "revert"], default="revert")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    probe = Probe()
    probe.start()
    with tempfile.TemporaryDirectory(prefix="kiosk-torture-") as folder:
        site = Site(Path(folder), arguments.on_owner_death, arguments.seed)
        try:
            torture(site, arguments.kills)
        finally:
            for process in site.processes.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
        verdict = judge(site)
    gaps = sorted(verdict.without_owner)
    worst = max(verdict.late, default=0.0)
    good = not verdict.missing and worst <= TOLERANCE + probe.worst and verdict.releases > 0
    good = good and (arguments.on_owner_death == "keep" or verdict.orphaned == 0)
    row = {
        "on_owner_death": arguments.on_owner_death,
        "seed": arguments.seed,
        "kills": arguments.kills,
        "releases": verdict.releases,
        "worst_past_deadline_ms": round(1000 * worst, 1),
        "over_100_ms": sum(late > TOLERANCE for late in verdict.late),
        "released_without_owner": verdict.orphaned,
        "line_requested_again_ms": {
            "p50": round(1000 * gaps[len(gaps) // 2], 1) if gaps else None,
            "p99": round(1000 * gaps[int(0.99 * (len(gaps) - 1))], 1) if gaps else None,
        },
        "machine_late_by_up_to_ms": round(1000 * probe.worst, 1),
        "missing": verdict.missing[:10],
        "held": good,
    }
    sys.stdout.write(json.dumps(row) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.pop("NOTIFY_SOCKET", None)
    sys.exit(main())
