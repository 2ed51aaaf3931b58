"""A kiosk in which staff enrol Ada, and which dies of kill -9 at one point of it: `python -m tests.station.staff_killed
FOLDER POINT`. POINT is a step, or how many of the database's statements the last step gets to make, or "each": then it
dies at each statement once, in copies of FOLDER beside it, named by the number of statements.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

from kiosk.domain.staffing import About, Answered, Finish, Open, Place
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.station.staff_site import Site

MOST_STATEMENTS = 120
STEPS = ("consent", "who", "poses", "checks", "back", "ways")


def die() -> None:
    """As a power cut is for a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(folder: Path, point: str) -> None:
    """Enrols Ada up to that point."""
    with closing(open_gallery(Home(folder))) as gallery:
        here = Site(gallery, folder)
        here.signed_in()
        steps = iter(STEPS)

        def done(step: str) -> None:
            assert next(steps) == step
            if point == step:
                die()

        here.ask(Open(Place.ENROL))
        done("consent")
        here.ask(Answered(True))
        done("who")
        here.ask(About("Ada"))
        here.faces(30, 1)
        done("poses")
        here.posed(1)
        done("checks")
        here.nobody(20)
        done("back")
        here.faces(12)
        done("ways")
        left = int(point)

        def statement(_sql: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                die()

        gallery.store.conn.set_trace_callback(statement)
        here.ask(Finish("739182"))


def each(folder: Path) -> None:
    """Dies in a copy for each number of statements, until one is enough. Prints how many were not."""
    for statements in range(MOST_STATEMENTS):
        copy = folder.with_name(f"at-{statements}")
        shutil.copytree(folder, copy)
        child = os.fork()
        if child == 0:
            run(copy, str(statements))
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            sys.stdout.write(f"{statements}\n")
            return
    raise SystemExit("there are more statements")


if __name__ == "__main__":
    if sys.argv[2] == "each":
        each(Path(sys.argv[1]))
    else:
        run(Path(sys.argv[1]), sys.argv[2])
