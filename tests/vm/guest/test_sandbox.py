"""The units' sandboxes and what they are given, seen from inside: a few lines of Python stand where the program is.

The users, folders, sealed key, timers and restarts are those of the units as they are shipped.
"""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.vm.guest.conftest import until
from tests.vm.guest.test_units import PAUSE, UNIT, answers, call, shown

pytestmark = pytest.mark.skipif(not Path("/run/systemd/system").exists(), reason="needs systemd as the first process")
PYTHON = "/usr/lib/face-kiosk/bin/python3"
SAID = "stand-in says: "
SEALED = Path("/etc/credstore.encrypted/gallery-key")


@contextmanager
def stand_in(unit: str, code: str) -> Iterator[None]:
    """In the place of the unit's program this code, which ends."""
    folder = Path("/run/systemd/system") / f"{unit}.d"
    folder.mkdir(parents=True)
    packed = base64.b64encode(code.encode()).decode()
    run = f"{PYTHON} -P -c 'import base64, sys; exec(base64.b64decode(sys.argv[1]))' {packed}"
    (folder / "stand-in.conf").write_text(
        f"[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\nExecStart={run}\n"
    )
    call("systemctl", "daemon-reload")
    try:
        yield
    finally:
        (folder / "stand-in.conf").unlink()
        folder.rmdir()
        call("systemctl", "daemon-reload")


def said(unit: str, code: str) -> str:
    """What the code says when the unit runs it."""
    with stand_in(unit, f"def say(what): print({SAID!r} + str(what), flush=True)\n{code}"):
        call("systemctl", "start", unit)
        lines: list[str] = []

        def written() -> bool:
            call("journalctl", "--sync")
            lines[:] = [line for line in call("journalctl", "-q", "-o", "cat", "-u", unit).splitlines() if SAID in line]
            return bool(lines)

        until(written, PAUSE)
    return lines[-1].removeprefix(SAID)


def test_apparmor_confines_the_door() -> None:
    if not Path("/sys/kernel/security/apparmor").exists():
        pytest.skip("this kernel runs without AppArmor")
    assert Path(f"/proc/{shown('MainPID')}/attr/current").read_text().strip() == "kiosk-door (enforce)"


def denied(profile: str) -> list[str]:
    """What AppArmor has refused until now to what runs under this profile, as the kernel's log has it."""
    lines = call("busybox", "dmesg").splitlines()
    return [line for line in lines if 'apparmor="DENIED"' in line and f'profile="{profile}"' in line]


def test_nothing_was_refused_to_the_door() -> None:
    if not Path("/sys/kernel/security/apparmor").exists():
        pytest.skip("this kernel runs without AppArmor")
    assert denied("kiosk-door") == []


def test_kiosk_notify_itself_runs_confined_and_nothing_is_refused_to_it() -> None:
    """The real program, whose broker is not there. Comes before the stand-ins, which try what they may not."""
    if not Path("/sys/kernel/security/apparmor").exists():
        pytest.skip("this kernel runs without AppArmor")
    call("systemctl", "start", "kiosk-notify.service")  # returns when it is ready
    try:
        pid = call("systemctl", "show", "--value", "-p", "MainPID", "kiosk-notify.service").strip()
        assert Path(f"/proc/{pid}/attr/current").read_text().strip() == "kiosk-notify (enforce)"
        until(lambda: "notifier_failed" in call("journalctl", "-q", "-o", "cat", "-u", "kiosk-notify.service"), PAUSE)
    finally:
        call("systemctl", "stop", "kiosk-notify.service")
    assert denied("kiosk-notify") == []


def test_the_doors_memory_stays_where_it_is_and_is_nobodys() -> None:
    process = Path("/proc") / shown("MainPID")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    assert int(status["VmLck"].split()[0]) > 5_000
    assert "memory_not_locked" not in call("journalctl", "-q", "-o", "cat", "-u", UNIT)
    assert (process / "mem").stat().st_uid == 0, "its own user could read it"


def test_restarts_slow_down() -> None:
    call("systemctl", "reset-failed", UNIT)
    waits = []
    for _ in range(3):
        pid = int(shown("MainPID"))
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: shown("MainPID") not in {"0", str(pid)} and answers(), PAUSE)  # type: ignore[misc]
        waits.append(float(shown("RestartUSecNext").removesuffix("ms")))
    assert waits == sorted(waits)
    assert waits[-1] > 100


def test_a_sealed_key_reaches_the_unit_and_without_one_it_starts_as_well() -> None:
    code = (
        "import os; from pathlib import Path\n"
        "file = Path(os.environ.get('CREDENTIALS_DIRECTORY', '/nowhere')) / 'gallery-key'\n"
        "from kiosk.system.credentials import credential\n"
        f"say(credential(Path('{SEALED}')).hex() if file.exists() else 'none')\n"
    )
    assert said("kiosk-retention.service", code) == "none"
    SEALED.parent.mkdir(mode=0o700, exist_ok=True)
    secret = Path("/root/gallery.key")
    secret.write_bytes(bytes(range(32)))
    call("systemd-creds", "encrypt", "--with-key=host", "--name=gallery-key", str(secret), str(SEALED))
    try:
        assert said("kiosk-retention.service", code) == bytes(range(32)).hex()
        assert bytes(range(32)) not in SEALED.read_bytes()
    finally:
        SEALED.unlink()


def test_kiosk_notify_hears_the_door_and_reaches_nothing_else() -> None:
    code = (
        "import os; from pathlib import Path\n"
        "from kiosk.ipc.door_event_messages import DoorEventStream\n"
        "event = DoorEventStream(Path('/run/kiosk-door-events/door-events.sock'), 'notify').next(60)\n"
        "def closed(path):\n"
        "    try: os.listdir(path)\n"
        "    except OSError: return True\n"
        "    return False\n"
        "hidden = [closed(p) for p in ('/var/lib/kiosk', '/var/lib/kiosk-door', '/run/kiosk', '/run/dbus', '/root')]\n"
        "say((event is not None, *hidden))\n"
    )
    assert said("kiosk-notify.service", code) == str((True,) * 6)


@pytest.mark.parametrize("unit", ["kiosk.service", "kiosk-notify.service", "kiosk-retention.service"])
def test_a_unit_writes_where_it_keeps_things_and_nowhere_else(unit: str) -> None:
    code = (
        "import os\n"
        "def writable(path):\n"
        "    try: return not os.statvfs(path).f_flag & os.ST_RDONLY\n"
        "    except OSError: return False\n"
        "places = ('/', '/usr', '/etc', '/etc/kiosk', '/var', '/var/lib', '/var/log', '/home')\n"
        "say([path for path in (*places, os.environ['STATE_DIRECTORY']) if writable(path)])\n"
    )
    folder = {"kiosk-notify.service": "/var/lib/kiosk-notify"}.get(unit, "/var/lib/kiosk")
    assert said(unit, code) == str([folder])


@pytest.mark.parametrize("timer", ["kiosk-backup.timer", "kiosk-retention.timer"])
def test_a_timer_waits_for_the_night_and_for_the_clock(timer: str) -> None:
    call("systemctl", "start", timer)
    try:
        of = dict(
            line.split("=", 1)
            for line in call(
                "systemctl", "show", timer, "-p", "ActiveState,Persistent,NextElapseUSecRealtime,After"
            ).splitlines()
        )
    finally:
        call("systemctl", "stop", timer)
    assert (of["ActiveState"], of["Persistent"]) == ("active", "yes")
    assert of["NextElapseUSecRealtime"]
    assert "time-sync.target" in of["After"].split()


def test_ctrl_alt_del_does_nothing() -> None:
    assert call("systemctl", "show", "--value", "-p", "LoadState", "ctrl-alt-del.target").strip() == "masked"
