"""What others see of a process's memory: nothing. And that it stays where it is. Uses only the standard library."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

GET_DUMPABLE, SET_DUMPABLE = 3, 4
"""prctl(2), linux/prctl.h."""
NOW, LATER, ON_FAULT = 1, 2, 4
"""MCL_CURRENT, MCL_FUTURE and MCL_ONFAULT of mlockall(2), as they are on x86-64 and arm64."""
UNLIMITED: Final = resource.RLIM_INFINITY


def keep_private() -> None:
    """No core dumps, and no other process of the same user reads this one's memory: it may hold templates and keys in
    clear. Root still can. It does not last over execve(2). Never raises."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _set_dumpable(False)


def let_measure() -> None:
    """Takes back the half of keep_private() that keeps a process from measuring itself (`kiosk bench`). Never
    raises."""
    _set_dumpable(True)


def stay_in_memory() -> bool:
    """Keeps all pages of this process in memory, so that it never waits for the disk to go on; whether that was done.

    It is not done where RLIMIT_MEMLOCK is finite: pages that cannot be locked later could not be had at all. What is
    there is locked whole; what comes later, such as the stacks of threads, as far as it is used. Never raises.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != UNLIMITED:
        return False
    with suppress(ImportError, OSError, MemoryError):
        import ctypes  # noqa: PLC0415 - kiosk-door starts without it

        libc = ctypes.CDLL(None)
        return bool(libc.mlockall(NOW) == 0 and libc.mlockall(NOW | LATER | ON_FAULT) == 0)
    return False


def give_back() -> None:
    """Gives memory that nobody uses back to the kernel: after a visit some 13 MB, which the networks needed. It takes
    a millisecond, and the next frame 3 ms more. Only glibc can; elsewhere nothing is done. Never raises."""
    with suppress(ImportError, OSError, MemoryError, AttributeError):
        import ctypes  # noqa: PLC0415 - kiosk-door starts without it

        ctypes.CDLL(None).malloc_trim(0)


def _set_dumpable(value: bool) -> None:
    with suppress(ImportError, OSError, MemoryError):
        import ctypes  # noqa: PLC0415 - kiosk-door starts without it

        ctypes.CDLL(None).prctl(SET_DUMPABLE, int(value), 0, 0, 0)
