"""Nobody reads a process's memory, and it stays where it is. Each in a process of its own: what it gives up it does not
get back."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

DUMPABLE = "import ctypes, sys\ndef dumpable(): return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
PROGRAMS = {
    "kiosk": "import kiosk.__main__ as program\nsys.argv = ['kiosk', '--version']\n",
    "kiosk-door": "import kiosk.door.__main__ as program\nsys.argv = ['kiosk-door', '--config', '/nowhere/at.all']\n",
    "kiosk-notify": "import kiosk.notify.daemon as program\n"
    "sys.argv = ['kiosk-notify', '--config', '/nowhere/at.all']\n",
}


def said(code: str) -> str:
    """What a new process with this code writes."""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_lets_others_of_its_user_read_its_memory(program: str) -> None:
    code = DUMPABLE + PROGRAMS[program] + "before = dumpable()\ntry: program.main()\nexcept SystemExit: pass\n"
    words = said(code + "import resource\nprint(before, dumpable(), *resource.getrlimit(resource.RLIMIT_CORE))").split()
    assert words[-4:-2] == ["1", "0"]
    assert words[-2:] == ["0", "0"]


def test_a_measurement_may_look_at_its_own_process() -> None:
    code = "from kiosk.system import memory\nmemory.keep_private()\nbefore = dumpable()\nmemory.let_measure()\n"
    assert said(DUMPABLE + code + "print(before, dumpable())").split() == ["0", "1"]


def locked(prepare: str) -> tuple[str, int]:
    """What stay_in_memory() says after `prepare`, and how much is locked then, in kB."""
    code = "from kiosk.system import memory\nprint(memory.stay_in_memory())\nprint(open('/proc/self/status').read())"
    word, status = said(prepare + code).split("\n", 1)
    (line,) = [line for line in status.splitlines() if line.startswith("VmLck:")]
    return word, int(line.split()[1])


def test_what_a_process_has_is_kept_in_memory() -> None:
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        pytest.skip("this machine lets nobody lock all memory (ulimit -Hl); make vm-test sees it")
    word, kb = locked("import resource\nresource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1))\n")
    assert word == "True"
    assert kb > 5_000


def test_below_a_limit_nothing_is_locked() -> None:
    """Pages beyond the limit could not be had at all: the door would die of it later."""
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    below = most if most != resource.RLIM_INFINITY else 1 << 30
    assert locked(f"import resource\nresource.setrlimit(resource.RLIMIT_MEMLOCK, ({below}, {below}))\n") == ("False", 0)


GLIBC = """
import ctypes
from kiosk.system import memory
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
blocks = [libc.malloc(100_000) for _ in range(400)]
for block in blocks: ctypes.memset(block, 1, 100_000)
for block in blocks[:-1]: libc.free(block)
before = resident()
memory.give_back()
print(before - resident())
"""


def test_what_nobody_uses_is_given_back() -> None:
    """40 MB below a block that is still used: by itself glibc keeps them."""
    assert int(said(GLIBC)) > 30_000
