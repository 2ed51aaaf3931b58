"""The trial of a network that is not known yet, in a process without rights.

A file from somewhere else may break or take over what opens it. `python -m kiosk.evaluation.confined FOLDER NAME` reads
what it needs, gives away whatever it may do, and only then lets a library look at the network: no network (where the
kernel lets it), no new privileges, no files written, bounds on memory and processes, and where it was root a user that
is nobody else's. Exit status 2 with one line for a bad network.
"""

from __future__ import annotations

import ctypes
import os
import random
import resource
import sys
from pathlib import Path

FIRST_UID, LAST_UID = 61184, 65519
"""Where systemd takes users from that exist as long as a process does (systemd.io/UIDS-GIDS)."""
MEMORY_BYTES = 2 << 30
"""Beyond what the process has when it begins."""
PROCESSES = 64
"""Threads too; numpy begins some on a machine with many cores."""
_NO_NEW_PRIVS = 38
_NEWUSER, _NEWNET = 0x10000000, 0x40000000


def without_network() -> None:
    """A network of its own, with nothing in it. Before any thread begins: a thread keeps what it has. Where the kernel
    does not let it, the process keeps its network, and has no rights on it but a user's."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_NEWNET) != 0 and os.geteuid() != 0:
        libc.unshare(_NEWUSER | _NEWNET)


def without_rights() -> None:
    """From here on nothing is written, nothing is started, and root is nobody. Raises OSError when root stays root."""
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
    """FOLDER and NAME from the command line."""
    without_network()
    from kiosk.domain.errors import ModelError  # noqa: PLC0415 - numpy and the networks' libraries begin threads
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
