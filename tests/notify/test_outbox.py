"""What waits in the outbox, what is dropped when there is no room, and that nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from kiosk.domain.errors import OutboxError
from kiosk.domain.notices import DROPPED, TEST, Notice
from kiosk.notifiers.conditions import Condition
from kiosk.notify.file import claimed
from kiosk.notify.outbox import Outbox, Place

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def notice(number: int, urgent: bool = False) -> Notice:
    return Notice(f"n{number}", "door.forced_open" if urgent else "door.opened", "main", NOW, urgent=urgent)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Opens the same file again and again."""
    outboxes: list[Outbox] = []

    def open_(capacity: int = 10, **notifiers: bool) -> Outbox:
        outboxes.append(Outbox(tmp_path / "outbox.db", "main", capacity, notifiers or {"a": False}))
        outboxes[-1].forget_removed_notifiers()
        return outboxes[-1]

    yield open_
    for outbox in outboxes:
        outbox.close()


def drain(outbox: Outbox, notifier: str = "a") -> list[Notice]:
    """Delivers everything."""
    told = []
    while (waiting := outbox.head(notifier)) is not None:
        told.append(waiting.notice)
        outbox.done(waiting)
    return told


def test_notices_stay_in_order_for_each_notifier(opened: Callable[..., Outbox]) -> None:
    outbox = opened(a=False, b=True)
    notices = [notice(n, urgent=n % 2 == 1) for n in range(6)]
    for each in notices:
        assert outbox.put(each)
    assert drain(outbox, "a") == notices
    assert drain(outbox, "b") == notices[1::2]
    assert outbox.head("a") is None


def test_the_outbox_survives_a_restart_and_recognises_repetitions(
    opened: Callable[..., Outbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.notify.outbox.REMEMBERED", 8)
    opened().put(notice(1))
    again = opened()
    assert not again.put(notice(1))
    assert drain(again) == [notice(1)]
    assert not again.put(notice(1)), "delivered and sent again by the door: not delivered again"
    for n in range(2, 10):
        again.put(notice(n))
    assert again.put(notice(1)), "long forgotten"


def test_a_full_outbox_drops_the_oldest_ordinary_ones_and_tells_how_many(opened: Callable[..., Outbox]) -> None:
    outbox = opened(capacity=10)
    for n in range(30):
        outbox.put(notice(n, urgent=n < 3))
    told = drain(outbox)
    assert (told[0].kind, told[0].count, told[0].reason, told[0].door) == (DROPPED, 20, "no room", "main")
    assert told[1:] == [*(notice(n, urgent=True) for n in range(3)), *(notice(n) for n in range(23, 30))]
    assert outbox.standing()["a"].dropped == 20


def test_a_count_that_is_being_told_does_not_change(opened: Callable[..., Outbox]) -> None:
    outbox = opened(capacity=10)
    numbers = count()
    for _ in range(12):
        outbox.put(notice(next(numbers)))
    first = outbox.head("a")
    assert first is not None
    assert first.notice.count == 2
    for _ in range(5):
        outbox.put(notice(next(numbers)))
    assert outbox.head("a") == first, "asked again it is the same, under the same id"
    outbox.done(first)
    second = outbox.head("a")
    assert second is not None
    assert (second.notice.kind, second.notice.count) == (DROPPED, 5)
    assert second.notice.id != first.notice.id


def test_an_outbox_full_of_alarms_drops_the_oldest(opened: Callable[..., Outbox]) -> None:
    outbox = opened(capacity=10)
    for n in range(15):
        outbox.put(notice(n, urgent=True))
    outbox.put(notice(99))
    told = drain(outbox)
    assert told[0].count == 6, "five old alarms, and the newcomer that is none"
    assert told[1:] == [notice(n, urgent=True) for n in range(5, 15)]


def test_a_notice_that_is_dropped_while_it_is_delivered(opened: Callable[..., Outbox]) -> None:
    outbox = opened(capacity=10)
    for n in range(10):
        outbox.put(notice(n))
    under_way = outbox.head("a")
    assert under_way is not None
    for n in range(10, 25):
        outbox.put(notice(n))
    outbox.done(under_way)
    assert [n.id for n in drain(outbox)[1:]] == [f"n{n}" for n in range(15, 25)]


def test_what_the_other_side_refuses_is_counted_and_a_refused_count_ends(opened: Callable[..., Outbox]) -> None:
    outbox = opened()
    outbox.put(notice(1))
    outbox.put(notice(2))
    first = outbox.head("a")
    assert first is not None
    outbox.refuse("a", first)
    told = outbox.head("a")
    assert told is not None
    assert (told.notice.kind, told.notice.count, told.notice.reason) == (DROPPED, 1, "refused")
    outbox.refuse("a", told)
    assert drain(outbox) == [notice(2)]


def test_events_that_never_came_are_counted(opened: Callable[..., Outbox]) -> None:
    outbox = opened()
    outbox.put(notice(1), Place("door", "", 40))
    outbox.put(notice(2), Place("door", "", 41))
    outbox.put(notice(3), Place("kiosk", "x", 7))
    assert drain(outbox) == [notice(1), notice(2), notice(3)]
    outbox.put(notice(4), Place("door", "", 45))
    outbox.put(notice(5), Place("door", "", 1))  # its spool was lost: nothing can be said
    outbox.put(notice(6), Place("kiosk", "y", 3))
    told = drain(opened())
    assert [(n.count, n.reason) for n in told if n.kind == DROPPED] == [(3, "door"), (2, "kiosk")]


def test_who_is_no_longer_configured_is_forgotten(opened: Callable[..., Outbox]) -> None:
    opened(a=False, b=False).put(notice(1))
    outbox = opened(b=False, c=False)
    assert set(outbox.standing()) == {"b", "c"}
    assert outbox.standing()["b"].waiting == 1
    outbox.trouble("b", "nobody answers")
    assert outbox.standing()["b"].trouble == "nobody answers"
    assert opened(b=False).standing()["b"].trouble == ""


def test_the_outbox_knows_which_notifiers_have_not_delivered_a_notice(opened: Callable[..., Outbox]) -> None:
    outbox = opened(a=False, b=False)
    test = Notice("t", TEST, "main", NOW)
    outbox.put(test)
    assert outbox.waits("t") == {"a", "b"}
    drain(outbox, "a")
    assert outbox.waits("t") == {"b"}


# A disk that fails


def test_a_damaged_file_is_put_aside(opened: Callable[..., Outbox], tmp_path: Path) -> None:
    opened().put(notice(1))
    path = tmp_path / "outbox.db"
    path.write_bytes(b"no database at all" * 1000)
    for leftover in tmp_path.glob("outbox.db-*"):
        leftover.unlink()
    with pytest.raises(OutboxError, match="not a database"):
        opened()
    assert path.read_bytes().startswith(b"no database"), "only kiosk-notify itself puts it aside"
    with claimed(path):
        outbox = opened()
        assert outbox.put(notice(2))
        assert drain(outbox) == [notice(2)]
    assert (tmp_path / "outbox.db.damaged").read_bytes().startswith(b"no database")


def test_a_notice_of_another_version_does_not_stop_the_rest(opened: Callable[..., Outbox], tmp_path: Path) -> None:
    outbox = opened()
    outbox.put(notice(1))
    outbox.put(notice(2))
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("""UPDATE waiting SET body = '{"what": 1}' WHERE id = 'n1'""")
    db.close()
    told = drain(outbox)
    assert [(n.kind, n.count, n.reason) for n in told[:1]] == [(DROPPED, 1, "unreadable")]
    assert told[1:] == [notice(2)]


def test_an_unusable_outbox_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="cannot be kept"), claimed(tmp_path / "file" / "outbox.db"):
        pass
    with pytest.raises(OutboxError, match="cannot be opened"):
        Outbox(tmp_path / "none" / "outbox.db", "main", 10, {})


def test_a_second_kiosk_notify_on_the_same_outbox_is_refused(tmp_path: Path) -> None:
    with (
        claimed(tmp_path / "outbox.db"),
        pytest.raises(OutboxError, match="another kiosk-notify"),
        claimed(tmp_path / "outbox.db"),
    ):
        pass
    with claimed(tmp_path / "outbox.db"):
        pass


# Death

FILLER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from kiosk.domain.notices import Notice
from kiosk.notify.outbox import Outbox, Place
outbox = Outbox(Path(sys.argv[1]), "main", 100000, {"a": False})
number = int(sys.argv[2])
while True:
    outbox.put(Notice(f"n{number}", "door.opened", "main", datetime.now(UTC)))
    print(number, flush=True)
    number += 1
"""


def test_what_was_acknowledged_survives_kill_9(opened: Callable[..., Outbox], tmp_path: Path) -> None:
    acknowledged = -1
    for _ in range(4):
        command = [sys.executable, "-c", FILLER, str(tmp_path / "outbox.db"), str(acknowledged + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(25):
                acknowledged = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        assert process.returncode == -signal.SIGKILL
    ids = [n.id for n in drain(opened(capacity=100_000))]
    assert ids[: acknowledged + 1] == [f"n{n}" for n in range(acknowledged + 1)]
    assert len(ids) <= acknowledged + 2, "at most the last one, which was on disk and not yet told"


# What holds now


def test_what_holds_is_known_over_restarts_and_of_notices_that_were_dropped(opened: Callable[..., Outbox]) -> None:
    outbox = opened(10)
    outbox.put(Notice("f", "door.forced_open", "main", NOW, urgent=True))
    for n in range(50):
        outbox.put(Notice(f"o{n}", "door.opened" if n % 2 == 0 else "door.closed", "main", NOW))
    outbox.put(Notice("f", "door.forced_open", "main", NOW, urgent=True))
    assert outbox.standing()["a"].dropped > 0
    outbox.close()
    again = opened(10)
    assert again.present() == {Condition.FORCED_OPEN: True, Condition.OPEN: False}
    again.put(Notice("s", "door.started", "main", NOW))
    assert again.present()[Condition.FORCED_OPEN] is False
    assert again.present()[Condition.OPEN] is None
    again.put(Notice("t", TEST, "main", NOW, urgent=True))
    assert opened(10).present() == again.present()
