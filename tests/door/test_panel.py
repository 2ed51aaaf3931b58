"""The real kiosk-door with a panel instead of a lock: libosdp's ControlPanel at the other end of the line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.badge import CardFormat
from kiosk.domain.decision import Decision, Evidence, Outcome, Reason
from kiosk.domain.door.freshness import MAX_GRANT_SECONDS
from kiosk.domain.door.grants import DoorResult, Grant, Refusal, Span
from kiosk.domain.door.state import DoorMode, DoorState
from kiosk.ipc.client import Connection
from kiosk.ipc.door_messages import GrantBody, ReleaseRequest, encode
from kiosk.station.access import Access
from kiosk.station.door_client import DoorClient
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.system.clock import boottime
from kiosk.testing.panel_rig import wait_until
from tests.control_panel import KEY, Attended, ControlPanel
from tests.doors import PATIENCE, BadStart, Doors, RunningDoor
from tests.ids import id_of

CARD = CardFormat(26, 118).encode(1603)


class PanelDoors(Doors):
    """As Doors, with [panel] in place of [lock]."""

    def write(self, **door: object) -> Path:
        path = super().write(**door)
        before, _, _ = path.read_text().partition("[lock]")
        keys = {"kind": "osdp", "device": f"{self.folder}/line", "key_file": f"{self.folder}/key", "facility": 118}
        path.write_text(f"{before}[panel]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in keys.items()))
        return path


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[PanelDoors]:
    key = tmp_path / "key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    doors = PanelDoors(tmp_path)
    yield doors
    doors.clean_up()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Attended]:
    attended = Attended(ControlPanel(tmp_path / "line"))
    yield attended
    attended.dies()
    attended.panel.hang_up()


@pytest.fixture
def door(doors: PanelDoors, far: Attended) -> RunningDoor:
    """Online."""
    door = doors.start()
    door.wait_for(DoorState.PANEL)
    return door


@pytest.fixture
def client(door: RunningDoor) -> Iterator[DoorClient]:
    with DoorClient(door.socket) as client:
        yield client


def grant(name: str, span: Span = Span.NORMAL, badge: int | None = 1603) -> Grant:
    now = boottime()
    return Grant(id_of(name), now, now + MAX_GRANT_SECONDS, span, badge=badge)


def test_a_grant_is_presented_and_the_answer_says_no_more(client: DoorClient, door: RunningDoor, far: Attended) -> None:
    assert client.ready()
    reply = client.release(grant("one"))
    assert (reply.result, reply.released_until) == (DoorResult.PRESENTED, None)
    wait_until(lambda: bool(far.panel.cards))
    assert client.release(grant("two")).result is DoorResult.PRESENTED
    wait_until(lambda: len(far.panel.cards) == 2)
    assert far.panel.cards == [CARD, CARD]
    status = client.status(PATIENCE)
    assert (status.state, status.simulated, status.released_until) == (DoorState.PANEL, False, None)
    assert {"presented"} == {e["result"] for e in door.events() if e["event"] == "grant"}
    assert "1603" not in door.log.read_text()
    assert KEY.hex() not in door.log.read_text()


@pytest.mark.parametrize(("span", "badge"), [(Span.EXTENDED, 1603), (Span.HOLD_OPEN, 1603), (Span.NORMAL, None)])
def test_requests_without_meaning_for_a_panel_are_refused(
    client: DoorClient, far: Attended, span: Span, badge: int | None
) -> None:
    reply = client.release(grant("one", span, badge))
    assert (reply.result, reply.reason) == (DoorResult.REFUSED, Refusal.PANEL_OWNS_LOCK)
    assert client.secure(PATIENCE).state is DoorState.PANEL
    assert far.panel.cards == []


def test_a_panel_that_dies_makes_the_door_unavailable(client: DoorClient, far: Attended) -> None:
    """The grant is over at its deadline, nothing else is accepted, and nothing is told when the panel is back."""
    far.dies()
    reply = client.release(grant("one"))
    assert (reply.result, reply.reason) == (DoorResult.UNAVAILABLE, Refusal.PANEL_OFFLINE)
    wait_until(lambda: not client.ready())
    assert client.release(grant("two")).result is DoorResult.UNAVAILABLE
    again = Attended(far.panel)
    wait_until(client.ready)
    assert client.release(grant("three")).result is DoorResult.PRESENTED
    wait_until(lambda: bool(far.panel.cards))
    again.dies()
    assert far.panel.cards == [CARD]


def test_lockdown_stops_presenting_over_restarts(
    client: DoorClient, door: RunningDoor, doors: PanelDoors, far: Attended
) -> None:
    assert client.lockdown(True, PATIENCE).mode is DoorMode.LOCKDOWN
    assert not client.ready()
    assert client.release(grant("one")).reason == Refusal.LOCKDOWN
    door.kill()
    again = doors.start()
    again.wait_for(DoorState.PANEL)
    with DoorClient(again.socket) as other:
        assert other.release(grant("two")).reason == Refusal.LOCKDOWN
    assert far.panel.cards == []


def test_a_client_that_goes_takes_its_grant_along(door: RunningDoor, far: Attended) -> None:
    """Killed before the panel has asked: nobody is presented to it on a kiosk's word that is dead."""
    far.dies()
    connection = Connection(door.socket)
    connection.send(encode(ReleaseRequest(grant=GrantBody.of(grant("one")))))
    connection.close()
    wait_until(lambda: any(event["event"] == "grant" for event in door.events()))
    again = Attended(far.panel)
    with DoorClient(door.socket) as client:
        wait_until(client.ready)
        assert client.release(grant("two")).result is DoorResult.PRESENTED
    again.dies()
    assert far.panel.cards in ([], [CARD])
    assert next(event["result"] for event in door.events() if event["event"] == "grant") != "presented"


def test_the_audit_log_says_presented_and_no_more(client: DoorClient, far: Attended, tmp_path: Path) -> None:
    """From decisions to the panel: one that was told, and one after the panel has died."""
    store = open_database(tmp_path / "gallery.db")
    audit = Audit(store)
    access = Access(audit, client, MAX_GRANT_SECONDS, boottime)

    def settle(name: str) -> str | None:
        evidence = Evidence(1, boottime(), datetime.now(UTC), frames=3)
        access.settle(Decision(id_of(name), Outcome.GRANTED, Reason.MATCHED, "s1", evidence, badge=1603))
        story = audit.story(id_of(name))
        assert story is not None
        assert story.outcome is not None
        return story.outcome.outcome

    assert settle("one") == "presented"
    far.dies()
    assert settle("two") == "unavailable"
    assert "1603" not in repr(audit.records())
    store.close()


def test_without_the_line_it_does_not_start(doors: PanelDoors) -> None:
    process = doors.launch("--config", str(doors.write()))
    assert process.wait(PATIENCE) == 2
    (line,) = (doors.folder / "log").read_text().splitlines()
    assert "the line to the panel cannot be opened" in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[door]\n", "[lock] or [panel] is missing"),
        ('[lock]\nkind = "simulated"\n[panel]\nkind = "osdp"\nfacility = 1\n', "[lock] and [panel] are both there"),
        ('[panel]\nkind = "osdp"\n', "panel.facility"),
        ('[panel]\nkind = "osdp"\nfacility = 256\n', "0 to 255"),
        ('[panel]\nkind = "osdp"\nfacility = 1\ncard_bits = 27\n', "panel.card_bits"),
        ('[panel]\nkind = "osdp"\nfacility = 1\n', "device"),
        ('[panel]\nkind = "osdp"\nfacility = 1\ndevice = "x"\nscbk = "00"\n', "scbk: unknown key"),
        ('[panel]\nkind = "wiegand"\nfacility = 1\n', "is not installed"),
    ],
)
def test_a_configuration_that_is_wrong_is_one_line(bad_start: BadStart, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(text)
    (line,) = bad_start("--config", str(path)).splitlines()
    assert says in line
