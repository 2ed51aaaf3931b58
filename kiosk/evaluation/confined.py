"""Tries an unknown network in a process without rights.

A foreign file may crash or take over the program that opens it. `python -m kiosk.evaluation.confined FOLDER NAME` first
reads the files that it needs, then gives up all its rights, and only then lets a library open the network. It has no
access to a computer network (if the kernel allows that), gets no new privileges, can write no files, has limits on
memory and processes, and runs as an unused user if it was root. Exit status 2 with one line for a bad network.
"""

from __future__ import annotations

import ctypes
import os
import random
import resource
import sys
from pathlib import Path

FIRST_UID, LAST_UID = 61184, 65519
"""The range from which systemd takes temporary users (systemd.io/UIDS-GIDS)."""
MEMORY_BYTES = 2 << 30
"""Memory allowed in addition to what the process has at its start."""
PROCESSES = 64
"""Limit on processes and threads. numpy starts several threads on a machine with many cores."""
_NO_NEW_PRIVS = 38
_NEWUSER, _NEWNET = 0x10000000, 0x40000000


def without_network() -> None:
    """Gives the process an empty network namespace. Call it before any thread starts, because a thread keeps its old
    one. If the kernel refuses, the process keeps the machine's network, but has only an ordinary user's rights on
    it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_NEWNET) != 0 and os.geteuid() != 0:
        libc.unshare(_NEWUSER | _NEWNET)


def without_rights() -> None:
    """Gives up all rights: from here on the process writes no file and starts no program, and is no longer root. Raises
    OSError if it is still root."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if os.geteuid() == 0:
        uid = random.SystemRandom().randint(FIRST_UID, LAST_UID)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))


def main() -> int:
    """Tries the network FOLDER NAME of the command line. Returns the exit status."""
    without_network()
    from kiosk.domain.errors import ModelError  # noqa: PLC0415 - numpy and the networks' libraries start threads
    from kiosk.evaluation import trial  # noqa: PLC0415

    folder, name = Path(sys.argv[1]), sys.argv[2]
    try:
        manifest = trial.held(folder, name)
        without_rights()
        trial.check(manifest, next(e for e in manifest.entries if e.name == name))
    except (ModelError, OSError) as error:
        os.write(2, f"{' '.join(str(error).split())}\n".encode())
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
