"""kiosk-door.service as it is shipped, under systemd: its user, its sandbox, its watchdog, what follows its death."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.domain.door.grants import DoorResult, Grant
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import DoorError
from kiosk.station.door_client import DoorClient
from tests.vm.guest.conftest import LINE, STRIKE, Wires, owned, until

UNIT = "kiosk-door.service"
UNITS = sorted(str(path) for path in Path("/usr/lib/systemd/system").glob("kiosk*"))
SOCKET = Path("/run/kiosk/door.sock")
CONFIGURATION = Path("/etc/kiosk/kiosk.toml")
SECURED, RELEASED = ("kiosk-door", "out", STRIKE.secured), ("kiosk-door", "out", not STRIKE.secured)
PAUSE = 0.02
"""Looking more often would take time from what is looked at: the guest has one processor."""
MakeGrant = Callable[..., Grant]
Tell = Callable[[str], None]

pytestmark = pytest.mark.skipif(not Path("/run/systemd/system").exists(), reason="needs systemd as the first process")


def call(*command: str) -> str:
    """What a command says; it has to succeed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def shown(name: str) -> str:
    """A property of the unit."""
    return call("systemctl", "show", "--value", "-p", name, UNIT).strip()


def answers() -> bool:
    """Whether a kiosk-door answers, with its lock secured."""
    client = DoorClient(SOCKET)
    try:
        return client.status(1).state is DoorState.SECURED
    except DoorError:
        return False
    finally:
        client.close()


@pytest.fixture(autouse=True)
def running() -> None:
    until(lambda: shown("SubState") == "running" and answers(), PAUSE)
    assert owned(LINE) == SECURED


@pytest.fixture
def released(grant: MakeGrant) -> Iterator[DoorClient]:
    """A client of a released lock."""
    client = DoorClient(SOCKET)
    assert client.release(grant()).result is DoorResult.RELEASED
    assert owned(LINE) == RELEASED
    yield client
    client.close()


def secured_and_back(wires: Wires, mark: int, since: float) -> tuple[float, float]:
    """Seconds until the line was secured, and until a new kiosk-door answered."""
    secured = until(lambda: wires.levels(LINE, mark)[-1] is STRIKE.secured, PAUSE)
    back = until(answers, PAUSE)
    assert wires.levels(LINE, mark) == [not STRIKE.secured, STRIKE.secured]
    return secured - since, back - since


@pytest.mark.parametrize("unit", UNITS, ids=os.path.basename)
def test_systemd_finds_nothing_wrong_with_the_units(unit: str) -> None:
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_it_runs_as_its_own_user_in_its_sandbox() -> None:
    pid = shown("MainPID")
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["Uid"].split()[0]) == pwd.getpwnam("kiosk-door").pw_uid
    assert int(status["CapEff"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert shown("NRestarts") == "0"


def test_the_kiosk_may_speak_to_it_and_nobody_else() -> None:
    code = (
        "import sys; from pathlib import Path; from kiosk.station.door_client import DoorClient; "
        f"print(DoorClient(Path('{SOCKET}')).status(10).state)"
    )
    command = ["/usr/lib/face-kiosk/bin/python3", "-c", code]
    kiosk = subprocess.run(command, user="kiosk", group="kiosk", capture_output=True, text=True, check=False)
    assert kiosk.stdout == "secured\n", kiosk.stderr
    nobody = subprocess.run(command, user="nobody", group="nogroup", capture_output=True, text=True, check=False)
    assert nobody.returncode != 0
    assert "Permission denied" in nobody.stderr


@pytest.mark.usefixtures("released")
def test_killed_it_is_secured_and_started_again(wires: Wires, tell: Tell) -> None:
    mark, pid, restarts = wires.mark(), int(shown("MainPID")), int(shown("NRestarts"))
    since = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    secured, back = secured_and_back(wires, mark, since)
    tell(f"kill -9 while released: secured after {secured:.2f} s, kiosk-door answers after {back:.2f} s")
    assert int(shown("NRestarts")) == restarts + 1
    assert "secure_line: " in call("journalctl", "-q", "-o", "cat", "-u", UNIT)


@pytest.mark.usefixtures("released")
def test_hung_it_is_ended_by_the_watchdog_and_secured(wires: Wires, tell: Tell) -> None:
    mark, pid = wires.mark(), int(shown("MainPID"))
    since = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    secured, back = secured_and_back(wires, mark, since)
    tell(f"hung while released: secured after {secured:.2f} s, kiosk-door answers after {back:.2f} s")
    assert int(shown("MainPID")) != pid


@pytest.mark.usefixtures("released")
def test_stopped_it_is_secured_and_started_it_is_back(wires: Wires) -> None:
    mark = wires.mark()
    call("systemctl", "stop", UNIT)
    assert wires.levels(LINE, mark) == [not STRIKE.secured, STRIKE.secured]
    assert owned(LINE) is None
    assert not SOCKET.exists()
    call("systemctl", "start", UNIT)
    assert owned(LINE) == SECURED


def test_a_bad_configuration_releases_nothing_and_is_tried_until_it_is_good(wires: Wires) -> None:
    good, mark, restarts = CONFIGURATION.read_text(), wires.mark(), int(shown("NRestarts"))
    CONFIGURATION.write_text(good.replace('fail_mode = "secure"', 'fail_mode = "open"'))
    os.kill(int(shown("MainPID")), signal.SIGKILL)
    until(lambda: int(shown("NRestarts")) > restarts + 2, PAUSE)
    assert not answers()
    CONFIGURATION.write_text(good)
    until(answers, PAUSE)
    assert wires.levels(LINE, mark) == [STRIKE.secured]
