"""What must hold on a hostile day: the file, who is enrolled, the log, the locks, and that all goes on."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from hostile_commands import Command
from hostile_process import PATIENCE
from hostile_site import Site

from kiosk.domain.errors import KioskError
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database


def compare(site: Site) -> None:
    """Who is enrolled, as `kiosk subjects list` has it; what a killed command was at is taken as it turned out."""
    a = site.acknowledged
    command = Command("compared", ["subjects", "list", "--json"], {0})
    command.run(site)
    there = {str(row["subject"]): row for row in command.judge(site)}
    for who in sorted(a.doubtful):
        if who in there:
            a.subjects[who] = bool(there[who]["disabled"])
        elif who in a.subjects:
            a.remove(who)
    new = sorted(set(there) - set(a.subjects))
    if len(new) > a.doubtful_enrolments or set(new) & a.removed:
        site.violations.append(f"nobody acknowledged the enrolment of {new}, or the removal was not kept")
    for who in new:
        a.subjects[who] = bool(there[who]["disabled"])
        a.enrolled.add(who)
        site.learn_names()
    a.doubtful.clear()
    a.doubtful_enrolments = 0
    found = {who: bool(row["disabled"]) for who, row in there.items()}
    if found != a.subjects:
        odd = sorted(set(found.items()) ^ set(a.subjects.items()))
        site.violations.append(f"subjects are not as acknowledged: {odd}")
        a.subjects = found


def look(site: Site) -> None:
    """The file and the log, while all goes on."""
    try:
        with closing(open_database(site.home.database, read_only=True)) as store:
            faults = store.rows("PRAGMA integrity_check"), store.rows("PRAGMA foreign_key_check")
            if faults != ([{"integrity_check": "ok"}], []):
                site.violations.append(f"the file: {faults}")
            for row in store.rows(
                "SELECT kind, grant_id, outcome, count(*) AS times FROM audit WHERE grant_id IS NOT NULL "
                "GROUP BY kind, grant_id, outcome HAVING times > 1"
            ):
                site.violations.append(f"in the log more than once: {row}")
            for row in store.rows(
                "SELECT json_extract(detail, '$.event') AS event, count(*) AS times FROM audit WHERE event IS NOT NULL "
                "GROUP BY event HAVING times > 1"
            ):
                site.violations.append(f"an event of the door is in the log more than once: {row}")
    except KioskError as error:
        site.violations.append(f"the file: {error}")
    _look_at_locks(site)


def _look_at_locks(site: Site) -> None:
    """Of a kiosk that has decided something since its start."""
    kiosk = site.supervisors["kiosk"]
    pid = kiosk.program.pid
    if not site.decided():
        return
    names = [site.home.database, site.home.folder / "gallery.db-shm"]
    inodes = {str(name.stat().st_ino): name.name for name in names if name.exists()}
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    mine = [row for row in rows if row[1] == "POSIX" and row[4] == str(pid)]
    held = {inodes.get(row[5].rpartition(":")[2]) for row in mine} - {None}
    if kiosk.program.status is None and kiosk.program.pid == pid:
        site.done["looks at locks"] += 1
        if held != {name.name for name in names}:
            site.violations.append(f"the kiosk holds locks on {sorted(map(str, held))} only")


def evening(site: Site) -> None:
    """The last kills: after them somebody is granted, the door opens, and all is in the log."""
    for name in ("door", "kiosk"):
        site.supervisors[name].kill()
    before = len(site.printed())
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        new = site.printed()[before:]
        granted = {row["grant_id"] for row in new if row["event"] == "decision" and row["outcome"] == "granted"}
        if any(row["event"] == "door" and row["result"] == "released" and row["grant_id"] in granted for row in new):
            break
        time.sleep(0.2)
    else:
        site.violations.append("nobody is granted any more")
    look(site)
    compare(site)
    for name in ("kiosk", "notify", "door"):
        status = site.supervisors[name].end()
        if status:
            site.violations.append(f"{name} was told to stop and ended with {status}")
    site.violations += [line for supervisor in site.supervisors.values() for line in supervisor.fallen]
    site.done["kiosk started before the door"] = site.supervisors["kiosk"].before_the_door
    look_at_the_log(site)


def look_at_the_log(site: Site) -> None:
    """All that was acknowledged, once nobody writes any more."""
    look(site)
    with closing(Audit(open_database(site.home.database, read_only=True))) as audit:
        records, pending = audit.records(), audit.pending_grants()
    decisions = {r.grant_id: r for r in records if r.kind == "decision"}
    for row in site.acknowledged_decisions():
        record = decisions.get(str(row["grant_id"]))
        if record is None or record.outcome != row["outcome"]:
            site.violations.append(f"acknowledged, and in the log as {record}: {row}")
    site.violations += [f"without outcome: {record}" for record in pending]
    for what, outcome, who in (("enrolment", "enrolled", "enrolled"), ("subject", "removed", "removed")):
        times = Counter(r.subject_id for r in records if (r.kind, r.outcome) == (what, outcome))
        odd = [i for i in getattr(site.acknowledged, who) if times[i] != 1]
        site.violations += [f"{outcome}, and {times[i]} times in the log: {i}" for i in odd]
    spool = [json.loads(line) for line in (site.folder / "state" / "events.jsonl").read_text().splitlines()]
    events = {row["sequence"] for row in spool if row["type"] == "event"}
    events |= {int(r.detail["sequence"] or 0) for r in records if "sequence" in r.detail}
    # The door waits for subscribers that it has seen: until the kiosk first was one, kiosk-notify's word was enough.
    missing = sorted(set(range(min(events, default=0), max(events, default=0))) - events)
    site.violations += [f"events of the door are missing: {missing}"] if missing else []
    site.done["records"] = len(records)
    site.done["decisions acknowledged"] = sum(1 for _ in site.acknowledged_decisions())
    site.done["enrolments acknowledged"] = len(site.acknowledged.enrolled)
    site.done["removals acknowledged"] = len(site.acknowledged.removed)
