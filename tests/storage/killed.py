"""Changes a gallery in all ways, and is killed: `python -m tests.storage.killed HOME FOLDER`.

For each line of standard input ("SEED SECONDS") a child is forked that works until it is killed after so many seconds.
It says "begin WHAT ..." before and "done WHAT ..." after each change; "dead" is said for it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from kiosk.domain.errors import BackupError, KioskError
from kiosk.domain.people import Consent
from kiosk.storage import backups, recovery, restoring
from kiosk.storage.audit import Audit
from kiosk.storage.backup_format import opened
from kiosk.storage.erasure import ASKED, Keeping, erase
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.rotation import renew_templates, rotate
from tests.ids import id_of
from tests.storage.conftest import a_decision, a_reference

CONSENT = Consent("1", "en", datetime.now(UTC), "ada", "a badge")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


class Worker:
    """Makes one random change after the other."""

    def __init__(self, home: Home, folder: Path, seed: str) -> None:
        self.home, self.folder, self.seed = home, folder, seed
        self.chance = random.Random(seed)
        self.count = 0

    def work(self) -> None:
        often, seldom = [self.enrol, self.erase, self.backup], [self.decide, self.renew, self.rotate]
        changes: list[Callable[[Gallery], None]] = [*often, *often, *seldom]
        while True:
            self.count += 1
            if self.chance.random() < 0.3:
                self.restore()
                continue
            with closing(open_gallery(self.home)) as gallery:
                self.chance.choice(changes)(gallery)

    def enrol(self, gallery: Gallery) -> None:
        say("begin enrol")
        new = [a_reference(self.chance.getrandbits(32)) for _ in range(2)]
        subject = gallery.add_subject(f"Somebody {self.seed} {self.count}", new, consent=CONSENT)
        say(f"done enrol {subject.id}")

    def erase(self, gallery: Gallery) -> None:
        there = gallery.subjects()
        if there:
            who = self.chance.choice(there).id
            say(f"begin erase {who}")
            erase(self.home, gallery, [who], ASKED, Keeping(self.folder))
            made = sorted(self.folder.glob("kiosk-*.backup"))
            say(f"done erase {who} {made[-1] if made else 'none'}")

    def decide(self, gallery: Gallery) -> None:
        grant = id_of(f"{self.seed} {self.count}")
        say(f"begin decide {grant}")
        Audit(gallery.store).append([a_decision(grant)])
        say(f"done decide {grant}")

    def backup(self, gallery: Gallery) -> None:
        say("begin backup")
        try:
            path = backups.to_folder(self.home, gallery, self.folder, 3, 1)
        except BackupError as error:
            if str(error) != backups.NO_PAPER:
                raise
            recovery.make(gallery.store, self.home.keys.read() or b"")
            say("done backup none")
        else:
            say(f"done backup {path}")

    def rotate(self, gallery: Gallery) -> None:
        say("begin rotate")
        rotate(gallery.store, self.home.keys, everything=self.chance.random() < 0.5)
        say("done rotate")

    def renew(self, gallery: Gallery) -> None:
        say("begin renew")
        renew_templates(gallery.store, gallery.vault)
        say("done renew")

    def restore(self) -> None:
        for path in sorted(self.folder.glob("kiosk-*.backup"), reverse=True)[:1]:
            with self.home.lock(), closing(open_gallery(self.home)) as gallery, opened(path) as backup:
                key = backups.opens_with(self.home, gallery.vault, backup.header)
            if key is None:
                return
            say(f"begin restore {path}")
            with self.home.lock():
                restoring.restore(self.home, path, str, [], [])
            say(f"done restore {path}")


def live(home: Home, folder: Path, seed: str, seconds: float) -> None:
    """The child's life. Never returns."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        Worker(home, folder, seed).work()
    except KioskError as error:
        say(f"failed {error}")
    finally:
        os._exit(1)


def main() -> None:
    home, folder = Home(Path(sys.argv[1])), Path(sys.argv[2])
    for line in sys.stdin:
        seed, seconds = line.split()
        child = os.fork()
        if child == 0:
            live(home, folder, seed, float(seconds))
        _, status = os.waitpid(child, 0)
        say(f"dead {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
