"""Events on disk until every subscriber has acknowledged them."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.domain.door.events import DoorEventKind, DoorNews, SecuredBy
from kiosk.domain.errors import DoorError
from kiosk.door import spool as door_spool
from kiosk.door.spool import FILE, MAX_NAMES, Spool
from tests.ids import id_of

Open = Callable[[], Spool]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A spool in one and the same folder, each time as a new process finds it."""
    spools: list[Spool] = []

    def open_() -> Spool:
        if spools:
            spools.pop().close()
        spools.append(Spool(tmp_path / "state", "main"))
        return spools[-1]

    yield open_
    spools.pop().close()


def put(spool: Spool, *kinds: DoorEventKind) -> None:
    """Appends, and waits until it can be offered."""
    last = max(spool.append(DoorNews(kind, 1.5, id_of("g"), SecuredBy.TIME)).sequence for kind in kinds)
    while spool._writer.written < last:
        assert select.select([spool], [], [], 30)[0]
        spool.take_progress()


def kinds(spool: Spool, after: int = 0) -> list[tuple[int, str]]:
    return [(event.sequence, event.kind.value) for event in spool.after(after)]


OPENED, CLOSED, FORCED = DoorEventKind.OPENED, DoorEventKind.CLOSED, DoorEventKind.FORCED_OPEN


def test_what_was_not_acknowledged_is_there_again(opened: Open) -> None:
    spool = opened()
    assert spool.subscribe("audit", None) == 0
    put(spool, OPENED, CLOSED, FORCED)
    before = list(spool.after(0))
    spool.acknowledge("audit", 1)
    assert kinds(spool) == [(2, "closed"), (3, "forced_open")]
    spool = opened()
    put(spool, CLOSED)
    assert list(spool.after(0))[:2] == before[1:]
    assert spool.subscribe("audit", None) == 1
    assert kinds(spool, 1) == [(2, "closed"), (3, "forced_open"), (4, "closed")]


def test_an_event_goes_once_all_have_it(opened: Open) -> None:
    spool = opened()
    spool.subscribe("audit", None)
    spool.subscribe("notify", None)
    put(spool, OPENED, CLOSED)
    spool.acknowledge("audit", 2)
    assert len(kinds(spool)) == 2
    spool.acknowledge("notify", 1)
    assert kinds(spool) == [(2, "closed")]


def test_what_happens_before_the_audit_log_has_ever_come_waits_for_it(opened: Open) -> None:
    spool = opened()
    spool.subscribe("notify", None)
    put(spool, OPENED, FORCED)
    spool.acknowledge("notify", 2)
    spool = opened()
    put(spool, CLOSED)
    assert spool.subscribe("notify", None) == 2
    assert spool.subscribe("audit", None) == 0
    assert kinds(spool) == [(1, "opened"), (2, "forced_open"), (3, "closed")]


def test_an_acknowledgement_does_not_go_back_nor_ahead(opened: Open) -> None:
    spool = opened()
    spool.subscribe("notify", None)
    put(spool, OPENED, CLOSED)
    spool.acknowledge("notify", 2)
    spool.acknowledge("notify", 1)
    assert spool.subscribe("notify", None) == 2
    with pytest.raises(DoorError, match="not sent"):
        spool.acknowledge("notify", 3)


def test_numbers_go_on_when_all_was_acknowledged(opened: Open) -> None:
    spool = opened()
    spool.subscribe("audit", None)
    put(spool, OPENED)
    spool.acknowledge("audit", 1)
    spool = opened()
    put(spool, CLOSED)
    assert kinds(spool) == [(2, "closed")]


def test_a_line_that_power_loss_cut_is_passed_over(opened: Open, tmp_path: Path) -> None:
    spool = opened()
    put(spool, OPENED, CLOSED)
    spool.close()
    path = tmp_path / "state" / FILE
    path.write_bytes(path.read_bytes()[:-20])
    assert [kind for _, kind in on_disk(opened)] == ["opened"]
    put(opened(), FORCED)
    assert [kind for _, kind in on_disk(opened)] == ["opened", "started", "forced_open"]


def test_alarms_are_kept_longest(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_spool, "CAPACITY", 3)
    spool = opened()
    put(spool, FORCED, OPENED, CLOSED, OPENED, FORCED)
    assert kinds(spool) == [(1, "forced_open"), (4, "opened"), (5, "forced_open")]
    put(spool, FORCED, FORCED)
    assert kinds(spool) == [(5, "forced_open"), (6, "forced_open"), (7, "forced_open")]


def test_the_file_stays_small(opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(door_spool, "LINES_BEFORE_REWRITE", 10)
    spool = opened()
    spool.subscribe("audit", None)
    for i in range(30):
        put(spool, OPENED)
        spool.acknowledge("audit", i + 1)
    spool.close()
    assert (tmp_path / "state" / FILE).read_text().count("\n") <= 12


def test_a_disk_that_fails_keeps_nothing_back_and_loses_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened()
    put(spool, OPENED)
    write = os.write

    def full(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kiosk.door.spool.os.write", full)
    put(spool, FORCED)
    assert kinds(spool) == [(1, "opened"), (2, "forced_open")]
    monkeypatch.setattr("kiosk.door.spool.os.write", write)
    put(spool, CLOSED)
    assert [kind for _, kind in on_disk(opened)] == ["opened", "forced_open", "closed"]


def test_a_disk_that_hangs_is_not_piled_up_for_and_loses_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_spool, "MAX_WAITING", 3)
    spool = opened()
    put(spool, OPENED)
    hangs, write = threading.Event(), os.write

    def slow(file: int, content: bytes) -> int:
        hangs.wait(30)
        return write(file, content)

    monkeypatch.setattr("kiosk.door.spool.os.write", slow)
    for _ in range(20):
        spool.append(DoorNews(CLOSED, 1.5))
    assert spool._writer._jobs.qsize() <= 3
    hangs.set()
    put(spool, FORCED)
    assert len(kinds(spool)) == 22
    assert len(on_disk(opened)) == 22


def on_disk(opened: Open) -> list[tuple[int, str]]:
    spool = opened()
    put(spool, DoorEventKind.STARTED)
    return kinds(spool)[:-1]


def test_a_name_is_its_users_over_restarts_and_each_user_has_a_few(opened: Open) -> None:
    spool = opened()
    for i in range(MAX_NAMES):
        spool.subscribe(f"s{i}", 1001)
    spool.subscribe("s0", 1001)
    with pytest.raises(DoorError, match="names already"):
        spool.subscribe("one-more", 1001)
    for again in range(2):
        with pytest.raises(DoorError, match="belongs to another user"):
            spool.subscribe("s0", 1002)
        spool.subscribe(f"mine{again}", 1002)
        spool.subscribe("audit", None)
        spool = opened()


def test_names_of_users_that_may_not_listen_any_more_hold_nothing_back(opened: Open) -> None:
    spool = opened()
    spool.subscribe("gone", 1001)
    spool.subscribe("audit", None)
    put(spool, OPENED)
    spool.acknowledge("audit", 1)
    assert kinds(spool) == [(1, "opened")]
    spool.forget_others(frozenset({1002}))
    spool = opened()
    assert spool.subscribe("gone", 1002) == 0
    assert spool.subscribe("audit", None) == 1


def test_an_acknowledgement_that_says_nothing_new_is_not_written(opened: Open, tmp_path: Path) -> None:
    """Somebody who sends it over and over does not wear the disk out."""
    spool = opened()
    spool.subscribe("audit", None)
    put(spool, OPENED, CLOSED)
    for _ in range(100):
        spool.acknowledge("audit", 1)
    put(spool, FORCED)
    assert (tmp_path / "state" / FILE).read_text().count('"acknowledge"') == 2


def test_an_unusable_spool_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DoorError, match="cannot be kept here"):
        Spool(tmp_path / "file", "main")
    with pytest.raises(DoorError, match="cannot be kept here"):
        Spool(tmp_path / "none" / "state", "main")
