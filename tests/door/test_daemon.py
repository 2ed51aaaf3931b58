"""The real kiosk-door, judged by the record of its simulated lock.

Upper bounds on times are far above what is needed: they tell "at once" from "at the deadline" on a busy machine.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk.config import Config
from kiosk.domain.door.grants import DoorResult, Grant, Refusal
from kiosk.domain.door.machine import DoorMachine
from kiosk.domain.door.state import DoorState
from kiosk.domain.errors import ConfigError, DoorError
from kiosk.door import daemon, server
from kiosk.door.daemon import farewell, serve, users_of
from kiosk.door.server import MAX_CLIENTS
from kiosk.ipc.door_messages import MAX_PACKET, StatusRequest, WatchRequest, encode
from kiosk.ipc.server import listening
from kiosk.sections import DoorConfig, LockConfig
from kiosk.station.door_client import DoorClient, DoorWatcher
from kiosk.system.clock import boottime
from tests.ids import id_of

if TYPE_CHECKING:
    from tests.doors import BadStart, Doors, RunningDoor

    Connect = Callable[[RunningDoor], DoorClient]
    MakeGrant = Callable[..., Grant]

AT_ONCE = 2.0
"""Seconds. Far below every release time that it is compared with."""


def raw(path: Path, patience: float) -> socket.socket:
    """A client that says what it likes."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    connection.settimeout(patience)
    return connection


def flood(connection: socket.socket, packet: bytes) -> None:
    """Sends and never reads."""
    for _ in range(100_000):
        connection.send(packet)


def test_a_grant_releases_until_its_time_is_over(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=0.3)
    client = client_of(door)
    reply = client.release(grant())
    assert reply.result is DoorResult.RELEASED
    assert reply.released_until is not None
    door.wait_for(DoorState.SECURED)
    (_, first), (released_at, second), (secured_at, third) = door.levels()
    assert [first, second, third] == ["secured", "released", "secured"]
    assert reply.released_until <= secured_at < reply.released_until + 0.5
    assert reply.released_until - released_at == pytest.approx(0.3, abs=0.05)


def test_refusals_reach_the_client(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=0.1)
    client = client_of(door)
    assert client.release(grant("late", age=1.6)).reason in {Refusal.LATE, Refusal.BEFORE_START}
    old = client.status(10).started_at - 0.001
    assert client.release(Grant(id_of("old"), old, old + 1.5)).reason == Refusal.BEFORE_START
    assert client.release(grant("ahead", age=-5)).reason == Refusal.FROM_FUTURE
    good = grant("once")
    assert client.release(good).result is DoorResult.RELEASED
    assert client.release(good).reason in {Refusal.REPEATED, Refusal.LATE}
    door.wait_for(DoorState.SECURED)
    assert [level for _, level in door.levels()] == ["secured", "released", "secured"]


def test_the_socket_answers_status_and_secure(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    before = client.status(10)
    assert (before.state, before.simulated, before.released_until) == (DoorState.SECURED, True, None)
    assert before.started_at <= boottime()
    reply = client.release(grant())
    assert client.status(10).released_until == reply.released_until
    assert client.secure(10).state is DoorState.SECURED
    assert door.levels()[-1][1] == "secured"


def test_the_socket_is_for_its_user_and_group_only(doors: Doors) -> None:
    assert stat.S_IMODE(doors.start().socket.stat().st_mode) == 0o660


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another group")
def test_a_socket_is_of_the_group_that_its_folder_hands_on(tmp_path: Path) -> None:
    """As tmpfiles.conf makes the folders of the events: for the group that only listens."""
    folder = tmp_path / "events"
    folder.mkdir()
    os.chown(folder, -1, 65003)
    folder.chmod(0o2750)
    with listening(folder / "door-events.sock", "kiosk-door"):
        made = (folder / "door-events.sock").stat()
    assert (made.st_gid, stat.S_IMODE(made.st_mode)) == (65003, 0o660)


def test_systemd_hears_the_watchdog(doors: Doors) -> None:
    doors.start(then=b"WATCHDOG=1")


def test_the_watchdog_counts_until_the_lock_is_secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it does not: the last events may have to wait for a slow card."""
    order: list[str] = []
    ours, theirs = socket.socketpair()
    theirs.close()  # readable: it is to stop at once
    secured = DoorMachine.stop

    def stop(machine: DoorMachine, now: float) -> None:
        secured(machine, now)
        order.append(machine.state)

    monkeypatch.setattr(DoorMachine, "stop", stop)
    monkeypatch.setattr(daemon, "StopSignals", lambda: ours)
    monkeypatch.setattr(daemon, "notify", order.append)
    monkeypatch.setattr(server, "notify", order.append)
    monkeypatch.setattr(server, "watchdog_interval", lambda: 1.0)
    door = DoorConfig(socket=tmp_path / "door.sock", state=tmp_path / "state")
    with ours:
        serve(Config(lock=LockConfig(kind="simulated"), door=door))
    assert order == ["READY=1", "WATCHDOG=1", DoorState.SECURED, "STOPPING=1\nWATCHDOG_USEC=0"]


def test_a_lock_that_could_not_be_secured_keeps_its_watchdog() -> None:
    """A second try, ExecStopPost's, comes the sooner."""
    assert farewell(DoorState.FAULT) == "STOPPING=1"


# Deaths


def test_a_client_killed_during_its_release_secures_the_lock_at_once(doors: Doors) -> None:
    door = doors.start(release_seconds=60)
    holder = doors.holder(door)
    assert door.levels()[-1][1] == "released"
    killed_at = boottime()
    holder.kill()
    door.wait_for(DoorState.SECURED)
    secured_at, level = door.levels()[-1]
    assert level == "secured"
    assert secured_at < killed_at + AT_ONCE


def test_a_client_that_hangs_does_not_keep_the_lock_released(doors: Doors) -> None:
    door = doors.start(release_seconds=0.5)
    doors.holder(door).send_signal(signal.SIGSTOP)
    door.wait_for(DoorState.SECURED)
    assert [level for _, level in door.levels()] == ["secured", "released", "secured"]


def test_another_client_that_goes_changes_nothing(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    holder, bystander = client_of(door), client_of(door)
    holder.release(grant())
    bystander.status(10)
    bystander.close()
    assert holder.status(10).state is DoorState.RELEASED


def test_a_dead_door_is_unavailable_and_its_successor_refuses_the_old_grant(
    doors: Doors, client_of: Connect, grant: MakeGrant
) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    assert client.release(grant("first")).result is DoorResult.RELEASED
    old = grant("second")
    door.kill()
    assert not client.ready()
    reply = client.release(old)
    assert reply.result is DoorResult.UNAVAILABLE
    assert "kiosk-door cannot be reached" in reply.reason
    assert door.levels()[-1][1] == "released"  # nobody was left to secure it

    door = doors.start(release_seconds=60)
    assert door.levels()[-1][1] == "secured"
    assert client.status(10).state is DoorState.SECURED
    assert client.release(old).reason == Refusal.BEFORE_START
    assert client.release(grant("third")).result is DoorResult.RELEASED


def test_a_door_that_hangs_is_unavailable_and_refuses_late_what_it_finds_afterwards(
    doors: Doors, client_of: Connect, grant: MakeGrant
) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    client.status(10)
    door.process.send_signal(signal.SIGSTOP)
    now = boottime()
    assert client.release(Grant(id_of("hung"), now, now + 0.1)).result is DoorResult.UNAVAILABLE
    door.process.send_signal(signal.SIGCONT)
    assert client.status(10).state is DoorState.SECURED
    answered = {event["grant"]: event["reason"] for event in door.events() if event["event"] == "grant"}
    assert answered == {id_of("hung"): Refusal.LATE}


def test_a_demonstrations_client_asks_each_door_anew(doors: Doors, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    with DoorClient(door.socket, only_simulated=True) as client:
        assert client.release(grant("first")).result is DoorResult.RELEASED
        door.kill()
        doors.start(release_seconds=60)
        assert client.release(grant("second")).result is DoorResult.RELEASED


def test_answers_to_questions_given_up_are_passed_over(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    client.status(10)
    door.process.send_signal(signal.SIGSTOP)
    for _ in range(3):
        assert not client.ready()
    door.process.send_signal(signal.SIGCONT)
    assert client.release(grant()).result is DoorResult.RELEASED
    assert client.status(10).state is DoorState.RELEASED
    assert client.secure(10).state is DoorState.SECURED


def test_a_watcher_sees_a_release_a_death_and_the_return(doors: Doors, client_of: Connect, grant: MakeGrant) -> None:
    door = doors.start(release_seconds=60)
    watcher = DoorWatcher(door.socket)
    assert watcher.wait(10) is DoorState.SECURED
    client_of(door).release(grant())
    assert watcher.wait(10) is DoorState.RELEASED
    door.kill()
    assert watcher.wait(10) is DoorState.UNKNOWN
    doors.start(release_seconds=60)
    assert watcher.wait(10) is DoorState.SECURED
    watcher.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_secures_and_ends_well(doors: Doors, number: signal.Signals, patience: float) -> None:
    door = doors.start(release_seconds=60)
    doors.holder(door)
    door.process.send_signal(number)
    assert door.process.wait(patience) == 0
    assert door.levels()[-1][1] == "secured"
    assert not door.socket.exists()
    assert door.events()[-1]["event"] == "stopped"


def test_the_demonstrations_door_ends_with_who_started_it(doors: Doors, patience: float) -> None:
    path = doors.folder / "demonstration.sock"
    arguments = ["--socket", str(path), "--lock", "simulated", "--release-seconds", "2", "--until-stdin-ends"]
    process = doors.launch(*arguments)
    watcher = DoorWatcher(path)
    until = time.monotonic() + patience
    while time.monotonic() < until and watcher.wait(1) is not DoorState.SECURED:
        assert process.poll() is None
    watcher.close()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(patience) == 0


# Clients that do what they should not


GARBAGE = (
    b"hello",
    b"\0",
    b"{}",
    b'{"type":"release","grant":{"id":"g","captured_at":NaN,"deadline":1}}',
    b"[" * 4000,
    b'{"type":"status"}'.ljust(MAX_PACKET + 1),
)


def test_garbage_ends_the_connection_and_nothing_else(
    doors: Doors, client_of: Connect, grant: MakeGrant, patience: float
) -> None:
    door = doors.start(release_seconds=60)
    client = client_of(door)
    client.release(grant())
    for packet in GARBAGE:
        with raw(door.socket, patience) as bad:
            bad.send(packet)
            assert bad.recv(MAX_PACKET) == b"", packet
        assert client.status(10).state is DoorState.RELEASED, packet
    assert "client_dropped" in [event["event"] for event in door.events()]
    with raw(door.socket, patience) as good:
        good.send(b'{"type":"status"}'.ljust(MAX_PACKET))
        assert b"released" in good.recv(MAX_PACKET)


@pytest.mark.parametrize("request_", [StatusRequest(), WatchRequest()])
def test_a_client_that_does_not_read_is_dropped(
    doors: Doors, client_of: Connect, patience: float, request_: StatusRequest | WatchRequest
) -> None:
    door = doors.start()
    with raw(door.socket, patience) as stuck, pytest.raises((BrokenPipeError, ConnectionResetError)):
        flood(stuck, encode(request_))
    assert "client_dropped" in [event["event"] for event in door.events()]
    assert client_of(door).status(10).state is DoorState.SECURED


def test_a_hundred_clients_do_not_disturb_a_release(
    doors: Doors, client_of: Connect, grant: MakeGrant, patience: float
) -> None:
    door = doors.start(release_seconds=60)
    kiosk = client_of(door)
    assert kiosk.release(grant()).result is DoorResult.RELEASED
    crowd = [raw(door.socket, patience) for _ in range(100)]
    served = 0
    for connection in crowd:
        try:
            connection.send(encode(StatusRequest()))
            served += connection.recv(MAX_PACKET) != b""
        except (BrokenPipeError, ConnectionResetError):
            continue
    assert served == MAX_CLIENTS - 1
    assert kiosk.status(10).state is DoorState.RELEASED
    for connection in crowd:
        connection.close()
    assert kiosk.status(10).state is DoorState.RELEASED
    assert client_of(door).status(10).state is DoorState.RELEASED


def test_a_log_that_nobody_reads_does_not_stop_the_door(doors: Doors, client_of: Connect, patience: float) -> None:
    pipe = doors.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        client = client_of(doors.start(log=pipe))
        for _ in range(2000):  # a line each: twice what the pipe holds
            assert client.secure(patience).state is DoorState.SECURED
    finally:
        os.close(reader)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_other_users_are_turned_away(doors: Doors, open_to_all: Callable[[RunningDoor], None], patience: float) -> None:
    door = doors.start()
    open_to_all(door)
    os.seteuid(65534)  # what SO_PEERCRED tells
    try:
        stranger = raw(door.socket, patience)
    finally:
        os.seteuid(0)
    with stranger:
        assert stranger.recv(MAX_PACKET) == b""
    refused = [event for event in door.events() if event["event"] == "client_refused"]
    assert [event["uid"] for event in refused] == [65534]


def test_the_configuration_gives_the_users_and_their_roles() -> None:
    users = users_of(DoorConfig(clients=("4321", "daemon"), operators=("77",), subscribers=("88",)))
    assert users.operators == {os.getuid(), 0, 77}
    assert users.clients == {4321, 1}
    assert users.commanding == users.operators | users.clients
    assert users.listening == users.commanding | {88}
    for key in ("clients", "operators", "subscribers"):
        with pytest.raises(ConfigError, match=f"door.{key}: there is no user 'nobody-has-this-name'"):
            users_of(DoorConfig(**{key: ("nobody-has-this-name",)}))


# Starts that must fail


def test_a_second_door_on_the_same_socket_is_refused(doors: Doors, client_of: Connect, patience: float) -> None:
    door = doors.start()
    log = doors.folder / "second"
    second = doors.launch("--socket", str(door.socket), "--lock", "simulated", log=log)
    assert second.wait(patience) == 2
    assert log.read_text().count("\n") == 1
    assert "kiosk-door is running here already" in log.read_text()
    assert client_of(door).status(10).state is DoorState.SECURED


def test_a_second_door_leaves_the_events_of_the_first_alone(doors: Doors, patience: float) -> None:
    """It would put a file in the place of the first door's, which then writes into one that nobody can find."""
    door = doors.start()
    second = doors.launch("--config", str(doors.folder / "kiosk.toml"), log=doors.folder / "second")
    assert second.wait(patience) == 2
    door.process.send_signal(signal.SIGTERM)
    assert door.process.wait(patience) == 0
    kept = (doors.folder / "state" / "events.jsonl").read_text()
    assert '"started"' in kept
    assert '"stopped"' in kept


def test_a_place_where_somebody_else_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(DoorError, match="another program answers"), listening(path, "kiosk-door"):
            pass
    with listening(path, "kiosk-door") as listener:  # nobody answers any more: a stale socket is replaced
        assert listener.getsockname() == str(path)
    assert not path.exists()


BAD_STARTS = {
    "no argument": ([], "--config"),
    "no lock": (["--socket", "{}/s"], "--lock simulated"),
    "a real lock without a configuration": (["--socket", "{}/s", "--lock", "gpio"], "--lock"),
    "a senseless time": (["--socket", "{}/s", "--lock", "simulated", "--release-seconds", "nan"], "release_seconds"),
    "a clock that stands": (["--socket", "{}/s", "--lock", "simulated", "--pace", "0"], "--pace"),
    "a slow clock before a configured lock": (["--config", "{}/c", "--pace", "0.5"], "belong to --socket"),
    "a missing folder": (["--socket", "{}/none/s", "--lock", "simulated"], "none/s"),
    "a path too long for a socket": (["--socket", "{}/" + "s" * 108, "--lock", "simulated"], "too long"),
    "something in the way": (["--socket", "{}/file", "--lock", "simulated"], "not a socket"),
    "two kinds of start": (["--config", "{}/c", "--socket", "{}/s"], "not allowed with"),
    "a missing configuration": (["--config", "{}/none.toml"], "cannot be read"),
}
BAD_CONFIGURATIONS = {
    "not TOML": ("[door", "not valid TOML"),
    "an unknown key": ("[door]\nrelase_seconds = 3", "relase_seconds: unknown key"),
    "no lock configured": ("[door]\nrelease_seconds = 3", "is missing: kiosk-door needs to be told"),
    "an unknown lock": ('[lock]\nkind = "paper"', "'paper' is not installed; installed are: gpio, simulated"),
    "an unknown key of the lock": ('[lock]\nkind = "simulated"\nrecrod = "x"', "recrod: unknown key"),
    "a lock that is not there": (
        '[lock]\nkind = "gpio"\nchip = "/dev/none"\nline = 17\nactive_high = true\nfail_mode = "secure"',
        "line 17 of /dev/none cannot be requested",
    ),
    "a lock that does not work": ('[lock]\nkind = "simulated"\nrecord = "/dev/full"', "cannot write its record"),
    "an unknown user": (
        '[lock]\nkind = "simulated"\n[door]\nclients = ["nobody-has-this"]',
        "no user 'nobody-has-this'",
    ),
}


def one_line(said: str, expected: str) -> None:
    assert said.count("\n") == 1
    assert said.startswith("kiosk-door: ")
    assert expected in said


@pytest.mark.parametrize(("arguments", "expected"), BAD_STARTS.values(), ids=BAD_STARTS.keys())
def test_a_bad_start_is_one_line(bad_start: BadStart, tmp_path: Path, arguments: list[str], expected: str) -> None:
    precious = tmp_path / "file"
    precious.write_text("precious")
    one_line(bad_start(*(argument.replace("{}", str(tmp_path)) for argument in arguments)), expected)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(("text", "expected"), BAD_CONFIGURATIONS.values(), ids=BAD_CONFIGURATIONS.keys())
def test_a_bad_configuration_is_one_line(bad_start: BadStart, tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(text)
    one_line(bad_start("--config", str(path)), expected)


def test_a_bad_start_of_the_process_ends_it_with_one_line(doors: Doors, patience: float) -> None:
    """The others run in this process; this one is started as systemd does."""
    path = doors.folder / "kiosk.toml"
    path.write_text("[door")
    assert doors.launch("--config", str(path)).wait(patience) == 2
    one_line((doors.folder / "log").read_text(), "not valid TOML")


# What it is made of


def test_the_process_holds_nothing_that_it_does_not_need(doors: Doors) -> None:
    """The modules of a kiosk-door that has started, served and stopped, with both locks loaded."""
    script = (
        "import sys, kiosk.locks.gpio, gpiod\n"
        "from kiosk.door.__main__ import main\n"
        "code = main(sys.argv[1:])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "sys.exit(code)\n"
    )
    arguments = ["--config", str(doors.write()), "--until-stdin-ends"]
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], input="", capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert {"pydantic", "gpiod", "kiosk"} <= loaded
    unwanted = "numpy cv2 onnxruntime PySide6 sqlite3 sqlite_utils cryptography structlog click torch osdp_sys"
    assert loaded & set(unwanted.split()) == set()
    assert doors.folder.joinpath("record").read_text().count("\n") == 1
