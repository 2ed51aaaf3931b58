"""make vm-test: kiosk-door on a real gpiochip, in a Debian arm64 guest under QEMU.

    python tests/vm/vm.py [--only plain|units|cut]

Boots with the tests as the first process, then with systemd and the units as they are shipped, then a few times to cut
the power while it enrols (cut.py). Exit status 0 when all tests passed, 1 when not, 2 when something is missing here.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cut
import image
from checkout import say
from wires import Monitor, Wires, serve

TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mkfs.ext4": "e2fsprogs",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "cpio": "cpio",
    "tar": "tar",
}
MACHINE = (
    *("-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-m", "1024"),
    # Time is counted in instructions, a nanosecond each, so that a busy host does not make the guest miss deadlines.
    *("-icount", "shift=0,sleep=on"),
    *("-nodefaults", "-nographic", "-no-reboot", "-S", "-serial", "stdio", "-device", "virtio-serial-pci"),
)
GUEST_SECONDS = 3600
"""An emulated machine on a busy one; it never takes so long."""
MASKED = ("ldconfig", "systemd-hwdb-update", "systemd-journal-catalog-update")
"""What systemd would do at the first boot of a new machine, slowly and for nothing."""
BOOTS = {
    "plain": "rdinit=/init",
    "units": "rdinit=/usr/lib/systemd/systemd systemd.unit=guest.target systemd.show_status=0 systemd.firstboot=no "
    + " ".join(f"systemd.mask={name}.service" for name in MASKED),
}
EXIT = "vm-test: exit "


def missing() -> str | None:
    """What to install, in one line."""
    packages = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if packages:
        return f"a Debian machine is needed, with: sudo apt-get install --no-install-recommends {' '.join(packages)}"
    if not image.KEYS.exists():
        return f"{image.KEYS} is missing: sudo apt-get install debian-archive-keyring"
    return None


def boot(built: image.Image, parameters: str) -> int:
    """Runs a guest to its end; the exit status of its tests."""
    say(f"boots the guest ({parameters})")
    command: list[str | Path]
    with tempfile.TemporaryDirectory(prefix="vm-") as name:
        folder = Path(name)
        listening = {what: f"socket,id={what},path={folder / what},server=on,wait=off" for what in ("qmp", "far")}
        command = ["nice", "-n", "7", "qemu-system-aarch64", *MACHINE, "-kernel", built.kernel]
        command += ["-initrd", built.initramfs, "-append", f"console=ttyAMA0 quiet panic=-1 {parameters}"]
        command += ["-chardev", listening["qmp"], "-mon", "chardev=qmp,mode=control"]
        command += ["-chardev", listening["far"], "-device", "virtserialport,chardev=far"]
        command += ["-qtest", f"unix:{folder / 'qtest'},server=on,wait=off", "-qtest-log", "none"]
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        limit = threading.Timer(GUEST_SECONDS, machine.kill)
        limit.start()
        try:
            monitor = Monitor(folder / "qmp")
            wires = Wires(folder / "qtest", monitor.device("pl061"))
            threading.Thread(target=_serve, args=(wires, folder / "far", machine), daemon=True).start()
            monitor.ask("cont")
            return _status(machine)
        finally:
            limit.cancel()
            machine.kill()
            machine.wait()


def _serve(wires: Wires, path: Path, machine: subprocess.Popen[bytes]) -> None:
    try:
        serve(wires, path)
    finally:
        machine.kill()  # it is off, or would wait for an answer for ever


def _status(machine: subprocess.Popen[bytes]) -> int:
    """Shows the guest's console until it is off."""
    status = None
    started = time.monotonic()
    assert machine.stdout is not None
    for line in machine.stdout:
        text = line.decode(errors="replace").rstrip()
        sys.stdout.write(f"  {time.monotonic() - started:5.0f} s  {text}\n")
        sys.stdout.flush()
        if text.startswith(EXIT):
            status = int(text.removeprefix(EXIT))
    if status is None:
        say("the guest ended without having finished its tests")
    return 1 if status is None else status


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="kiosk-door on a real gpiochip, in a guest under QEMU")
    parser.add_argument("--only", choices=[*BOOTS, "cut"], help="a part of it")
    arguments = parser.parse_args()
    trouble = missing()
    if trouble is not None:
        sys.stderr.write(f"vm-test: {trouble}\n")
        return 2
    try:
        built = image.build()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.stderr.write(f"vm-test: the guest cannot be built: {error}\n")
        return 2
    failed = [name for name, how in BOOTS.items() if arguments.only in {None, name} and boot(built, how)]
    if arguments.only in {None, "cut"} and cut.run(built):
        failed.append("cut")
    say("failed: " + ", ".join(failed) if failed else "passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
