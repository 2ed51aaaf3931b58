"""One client of the door in two threads: the pipeline asks whether the door is ready while the reception releases."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from kiosk.domain.door.grants import DoorReply, DoorResult, Grant
from kiosk.station.door_client import DoorClient
from tests.doors import Doors, RunningDoor

TIMES = 100


def test_each_thread_gets_the_answers_to_its_own_questions(
    doors: Doors, client_of: Callable[[RunningDoor], DoorClient], grant: Callable[..., Grant]
) -> None:
    client = client_of(doors.start())
    assert client.ready()
    ready: list[bool] = []
    replies: list[tuple[Grant, DoorReply]] = []

    def ask() -> None:
        ready.extend(client.ready() for _ in range(TIMES))

    def release() -> None:
        for number in range(TIMES):
            wanted = grant(f"g{number}")
            replies.append((wanted, client.release(wanted)))

    threads = [Thread(target=ask), Thread(target=release), Thread(target=ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(reply.grant_id == wanted.id for wanted, reply in replies)
    answered = sum(reply.result is not DoorResult.UNAVAILABLE for _, reply in replies)
    # A busy machine may be too late for some answers, but it mixes up none.
    assert (len(ready), len(replies)) == (2 * TIMES, TIMES)
    assert sum(ready) > TIMES
    assert answered > TIMES / 2
