"""The client with a scripted door, which can answer as a real one would not."""

from __future__ import annotations

import errno
import math
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.domain.door.state import DoorState, DoorStatus
from kiosk.domain.errors import DoorError
from kiosk.ipc.door_messages import MAX_PACKET, ReplyMessage, StateMessage, StatusMessage, encode
from kiosk.ipc.kiosk_event_messages import KioskEventStream
from kiosk.station.door_client import DoorClient, DoorWatcher
from kiosk.system.clock import boottime
from tests.ids import id_of

if TYPE_CHECKING:
    from tests.station.conftest import Script


def answered(name: str, result: DoorResult = DoorResult.RELEASED) -> bytes:
    return encode(ReplyMessage.of(DoorReply(id_of(name), result)))


def status(state: DoorState, simulated: bool = True) -> bytes:
    return encode(StatusMessage.of(DoorStatus(state, simulated, started_at=1.0)))


def short(name: str = "g") -> Grant:
    now = boottime()
    return Grant(id_of(name), now, now + 0.05)


def test_a_reply_for_another_grant_is_not_taken_for_this_one(scripted: Script) -> None:
    path = scripted([[answered("other"), answered("g", DoorResult.REFUSED)]])
    with DoorClient(path) as client:
        assert client.release(Grant(id_of("g"), boottime(), boottime() + 1.5)).result is DoorResult.REFUSED


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([], id="silent"),
        pytest.param([answered("other")], id="another grant"),
        pytest.param([status(DoorState.RELEASED)], id="another answer"),
        pytest.param([b"released"], id="garbage"),
        pytest.param([answered("g") + b"x" * MAX_PACKET], id="too long"),
        pytest.param([answered("g").replace(b"released", b"perhaps", 1)], id="not a result"),
    ],
)
def test_without_its_reply_a_grant_is_unavailable(scripted: Script, packets: list[bytes]) -> None:
    with DoorClient(scripted([packets])) as client:
        reply = client.release(short())
    assert (reply.grant_id, reply.result) == (id_of("g"), DoorResult.UNAVAILABLE)
    assert "kiosk-door" in reply.reason or "packet" in reply.reason


def test_giving_up_ends_the_connection_and_so_the_release(scripted: Script) -> None:
    """The scripted door returns from its last recv only when the client hangs up; the fixture joins it."""
    client = DoorClient(scripted([[]]))
    assert client.release(short()).result is DoorResult.UNAVAILABLE


def test_it_waits_no_longer_than_the_deadline(scripted: Script) -> None:
    path = scripted([[]])
    begun = time.monotonic()
    with DoorClient(path) as client:
        client.release(Grant(id_of("g"), begun, begun + 1e6))
    assert time.monotonic() < begun + 10


@pytest.mark.parametrize("grant", [Grant(id_of("g"), math.nan, 1), Grant(id_of("g"), 1, math.inf), Grant("g", 1, 2)])
def test_a_senseless_grant_is_unavailable_and_not_sent(tmp_path: Path, grant: Grant) -> None:
    with DoorClient(tmp_path / "none") as client:
        reply = client.release(grant)
    assert reply.result is DoorResult.UNAVAILABLE
    assert "cannot be sent" in reply.reason


def test_a_client_without_a_door_is_not_ready_and_its_grants_are_unavailable(tmp_path: Path) -> None:
    with DoorClient(tmp_path / "none") as client:
        assert not client.ready()
        assert client.release(short()).result is DoorResult.UNAVAILABLE
        with pytest.raises(DoorError, match="cannot be reached"):
            client.status()
        with pytest.raises(DoorError, match="cannot be reached"):
            client.secure()


@pytest.mark.parametrize(
    ("packets", "ready"),
    [
        ([status(DoorState.SECURED)], True),
        ([status(DoorState.RELEASED)], True),
        ([status(DoorState.FAULT)], False),
        ([status(DoorState.UNKNOWN)], False),
        ([b"{}"], False),
        ([answered("g")], False),
        ([], False),
    ],
)
def test_ready_only_if_the_door_can_act_on_a_grant(scripted: Script, packets: list[bytes], ready: bool) -> None:
    with DoorClient(scripted([packets])) as client:
        assert client.ready() is ready


def test_a_kiosk_that_may_not_never_sends_a_grant_to_a_real_lock(scripted: Script) -> None:
    real = status(DoorState.SECURED, simulated=False)
    with DoorClient(scripted([[real], [real], []]), only_simulated=True) as client:
        assert not client.ready()
        reply = client.release(short())
    assert reply.result is DoorResult.UNAVAILABLE
    assert "real lock" in reply.reason


def test_a_kiosk_that_may_not_asks_the_door_before_its_first_grant(scripted: Script) -> None:
    path = scripted([[status(DoorState.SECURED)], [answered("g")], [answered("h")]])
    with DoorClient(path, only_simulated=True) as client:
        now = boottime()
        assert [client.release(Grant(id_of(name), now, now + 1.5)).result for name in "gh"] == [DoorResult.RELEASED] * 2


def test_a_watcher_tells_each_change_once(scripted: Script) -> None:
    states = [DoorState.SECURED, DoorState.SECURED, DoorState.RELEASED, DoorState.FAULT]
    watcher = DoorWatcher(scripted([[encode(StateMessage(state=state)) for state in states]]))
    told = [watcher.wait(10) for _ in range(4)]
    assert told == [DoorState.SECURED, DoorState.RELEASED, DoorState.FAULT, DoorState.UNKNOWN]
    watcher.close()


def test_a_watcher_of_a_silent_door_waits_its_time(scripted: Script) -> None:
    watcher = DoorWatcher(scripted([[]]))
    assert watcher.wait(0.05) is None
    watcher.close()


def test_a_watcher_without_a_door_says_so_once(tmp_path: Path) -> None:
    watcher = DoorWatcher(tmp_path / "none")
    assert watcher.wait(10) is DoorState.UNKNOWN
    assert watcher.wait(0.05) is None


def test_without_a_descriptor_left_nothing_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("kiosk.ipc.client.socket.socket", none_left)
    grant = Grant(id_of("g"), boottime(), boottime() + 1.0)
    with DoorClient(tmp_path / "s") as client:
        assert client.release(grant).result is DoorResult.UNAVAILABLE
        assert not client.ready()
        with pytest.raises(DoorError, match="Too many open files"):
            client.status()
    assert DoorWatcher(tmp_path / "s").wait(0.0) is DoorState.UNKNOWN
    assert KioskEventStream(tmp_path / "s").next(0.0) is None
