"""What the guest gets of the checkout: the program as it would be installed, the units, the tests."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "deploy" / "apparmor"
TESTS = "opt/tests"
LINE = 7
"""The lock's."""


def say(what: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"vm-test: {what}\n")
    sys.stdout.flush()


def lay_over(tree: Path, venv: str, site: str) -> None:
    """Program, units and tests, into their places below `tree`."""
    clean = shutil.ignore_patterns("__pycache__", "*.pyc", "*.webp", "*.ttf", "*.onnx", "golden")
    shutil.copytree(ROOT / "kiosk", tree / site / "kiosk", ignore=clean)
    _register(tree, venv, site)
    shutil.copytree(ROOT / "tests", tree / TESTS / "tests", ignore=clean)
    shutil.copy(ROOT / "pyproject.toml", tree / TESTS)
    guest, units = Path(__file__).parent / "guest", "usr/lib/systemd/system"
    for source, target in (
        *((unit, f"{units}/{unit.name}") for unit in (ROOT / "systemd").iterdir()),
        (ROOT / "deploy/sysusers.conf", "usr/lib/sysusers.d/face-kiosk.conf"),
        (ROOT / "deploy/tmpfiles.conf", "usr/lib/tmpfiles.d/face-kiosk.conf"),
        (ROOT / "deploy/udev.rules", "usr/lib/udev/rules.d/70-face-kiosk.rules"),
        *(
            (profile, f"etc/apparmor.d/{profile.relative_to(PROFILES)}")
            for profile in PROFILES.rglob("*")
            if profile.is_file()
        ),
        (guest / "etc/profiles.service", f"{units}/profiles.service"),
        (guest / "etc/guest.target", f"{units}/guest.target"),
        (guest / "etc/guest.service", f"{units}/guest.service"),
        (guest / "etc/trigger.conf", f"{units}/systemd-udev-trigger.service.d/guest.conf"),
        (guest / "init", "init"),
    ):
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / target)
    for program in (tree / "init", tree / TESTS / "tests/vm/guest/run"):
        program.chmod(0o755)
    (tree / "etc/kiosk").mkdir(parents=True)
    (tree / "usr/bin/cage").symlink_to("busybox")  # kiosk-display.service names it, and nothing starts it here
    (tree / "etc/machine-id").write_text(f"{1:032x}\n")
    (tree / "etc/kiosk/kiosk.toml").write_text(_configuration())


def _configuration() -> str:
    """The one that is shipped, with its example of a lock on a line of the guest's chip, and a broker that is not
    there."""
    text = (ROOT / "deploy/kiosk.toml").read_text()
    example = re.search(r"^#\[lock\]\n(#[a-z_]+ = .*\n)+", text, re.MULTILINE)
    assert example is not None, "deploy/kiosk.toml shows no [lock] any more"
    lock = re.sub(r"^#", "", example[0], flags=re.MULTILINE).replace("line = 17", f"line = {LINE}")
    text = text.replace(example[0], lock).replace('#name = "main"', 'name = "guest"')
    return f'{text}\n[notifiers.broker]\nkind = "mqtt"\nhost = "127.0.0.1"\ntls = false\n'


def _register(tree: Path, venv: str, site: str) -> None:
    """Entry points and commands, as pip makes them of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = re.findall(r'^__version__ = "(.*)"$', (ROOT / "kiosk/__init__.py").read_text(), re.MULTILINE)
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    lines = (f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items())
    info = tree / site / f"face_kiosk-{version}.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
    commands = tree / venv / "bin"
    commands.mkdir()
    for name, value in project["scripts"].items():
        module, function = value.split(":")
        call = f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (commands / name).write_text(f"#!/{venv}/bin/python3\n{call}")
        (commands / name).chmod(0o755)
        (tree / "usr/bin").mkdir(parents=True, exist_ok=True)
        (tree / "usr/bin" / name).symlink_to(f"/{venv}/bin/{name}")
