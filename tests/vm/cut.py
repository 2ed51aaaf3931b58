"""The power is cut, again and again, while a guest enrols: QEMU is killed. Nobody whose enrolment was acknowledged is
lost.

What the guest has handed to its disk is there afterwards, what it only had in its own memory is not: a kernel that was
told "on the disk" (fsync) too early would show. What a disk forgets that lies about its cache: tests/power.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import image
from checkout import say

CUTS = 2
ENROLMENTS = (2, 8)
"""How many are awaited before a cut, at least and at most."""
SIZE = 64 << 20
LIMIT = 900
"""Seconds for one boot: an emulated machine on a busy one."""
MACHINE = (
    "-M",
    "virt",
    "-cpu",
    "cortex-a72",
    "-m",
    "1024",
    "-nodefaults",
    "-nographic",
    "-no-reboot",
    "-serial",
    "stdio",
)


class LostError(Exception):
    """Somebody is not there who was enrolled, or a guest did not come up."""


def run(built: image.Image) -> int:
    """0 when nobody was lost."""
    with tempfile.TemporaryDirectory(prefix="vm-cut-") as folder:
        disk = Path(folder) / "disk"
        with disk.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
        enrolled: set[str] = set()
        try:
            for number in range(CUTS):
                enrolled |= _until_the_cut(built, disk, enrolled, random.randint(*ENROLMENTS))
                say(f"power cut {number + 1} of {CUTS}: {len(enrolled)} enrolments were acknowledged until now")
            _until_the_cut(built, disk, enrolled, 0)
        except LostError as lost:
            say(str(lost))
            return 1
    say(f"all {len(enrolled)} are there after {CUTS} cuts, and the gallery is whole")
    return 0


def _until_the_cut(built: image.Image, disk: Path, enrolled: set[str], awaited: int) -> set[str]:
    """Boots; looks who is there; lets the guest enrol so many, and cuts the power. Who was acknowledged meanwhile.

    Raises LostError.
    """
    command: list[str | Path] = ["nice", "-n", "7", "qemu-system-aarch64", *MACHINE, "-kernel", built.kernel]
    command += ["-initrd", built.initramfs, "-append", "console=ttyAMA0 quiet panic=-1 rdinit=/init guest=enrols"]
    command += ["-drive", f"file={disk},if=none,format=raw,id=disk", "-device", "virtio-blk-pci,drive=disk"]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    limit = threading.Timer(LIMIT, machine.kill)
    limit.start()
    try:
        lines = _lines(machine)
        there = next((words[1:] for words in lines if words[0] == "there"), None)
        if there is None:
            raise LostError("the guest did not come up, or its gallery does not open")
        if missing := enrolled - set(there):
            raise LostError(f"{len(missing)} of {len(enrolled)} are lost: {', '.join(sorted(missing))}")
        new: set[str] = set()
        while len(new) < awaited and (words := next(lines, None)) is not None:
            new.add(words[1])
        if len(new) < awaited:
            raise LostError("the guest ended while it enrolled")
        time.sleep(random.uniform(0, 0.5))  # somewhere in the next one
        machine.kill()
        return new | {words[1] for words in lines if words[0] == "enrolled"}
    finally:
        limit.cancel()
        machine.kill()
        machine.wait()


def _lines(machine: subprocess.Popen[bytes]) -> Iterator[list[str]]:
    """The words of what the guest says, whole lines only; everything else of its console is shown."""
    assert machine.stdout is not None
    for line in machine.stdout:
        head, found, text = line.decode(errors="replace").partition("vm-test: ")
        if found and text.endswith("\n"):
            yield text.split()
        elif not found:
            say(f"  {head.rstrip()}")
