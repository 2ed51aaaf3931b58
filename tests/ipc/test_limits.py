"""Lines of the log and time of the loop, bounded for each user."""

from __future__ import annotations

import json
import selectors
import socket
from typing import Any

import pytest

from kiosk.ipc.limits import (
    LINE_SECONDS,
    LINES_AT_ONCE,
    LONGEST_PAUSE,
    MAX_KINDS,
    SAVED_SECONDS,
    SHARE,
    Seldom,
    Throttle,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_a_flood_is_a_few_lines_and_a_count(capfd: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    seldom = Seldom(clock)
    for _ in range(1000):
        seldom.log("warning", "client_dropped", 1001, reason="garbage")
    seldom.log("warning", "client_dropped", 1002, reason="garbage")
    seldom.log("warning", "client_refused", 1001)
    said = lines(capfd)
    assert [line["uid"] for line in said] == [1001] * LINES_AT_ONCE + [1002, 1001]
    seldom.flush()
    assert lines(capfd) == []
    clock.now += LINE_SECONDS
    seldom.flush()
    (told,) = lines(capfd)
    assert (told["event"], told["of"], told["uid"], told["count"]) == ("lines_left_out", "client_dropped", 1001, 990)
    clock.now += 100 * LINE_SECONDS
    for _ in range(1000):
        seldom.log("warning", "client_dropped", 1001, reason="garbage")
    assert len(lines(capfd)) == LINES_AT_ONCE


def test_many_users_do_not_fill_the_memory(capfd: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    seldom = Seldom(clock)
    for uid in range(10 * MAX_KINDS):
        for _ in range(LINES_AT_ONCE + 1):
            seldom.log("warning", "client_refused", uid)
    assert len(seldom._kinds) <= MAX_KINDS
    clock.now += 1000 * LINE_SECONDS
    capfd.readouterr()
    seldom.log("warning", "client_refused", 5_000)
    assert 5_000 in [line["uid"] for line in lines(capfd)]


def test_who_takes_more_than_a_share_is_not_read_from_until_that_is_made_up_for() -> None:
    clock = Clock()
    with selectors.DefaultSelector() as selector, socket.socket() as busy, socket.socket() as quiet:
        throttle = Throttle(selector, clock)
        for each in (busy, quiet):
            selector.register(each, selectors.EVENT_READ, "data")
        assert throttle.spend(1001, SAVED_SECONDS) == 0
        pause = throttle.spend(1001, 0.05)
        assert pause == pytest.approx(0.05 / SHARE)
        assert throttle.spend(1002, 0.05) == 0
        throttle.pause(busy.fileno(), pause)
        assert throttle.due_in == pytest.approx(pause)
        throttle.resume()
        assert busy not in selector.get_map()
        assert quiet in selector.get_map()
        clock.now += pause
        throttle.resume()
        assert selector.get_key(busy).data == "data"
        assert throttle.due_in is None
        throttle.pause(quiet.fileno(), 10)
        assert throttle.forget(quiet.fileno())
        assert not throttle.forget(busy.fileno())


def test_who_cannot_be_read_from_again_yet_is_tried_later() -> None:
    clock = Clock()
    room = True

    class Selector(selectors.DefaultSelector):
        def register(self, *arguments: Any) -> selectors.SelectorKey:
            if not room:
                raise OSError("no room")
            return super().register(*arguments)

    ours, theirs = socket.socketpair()
    with ours, theirs, Selector() as selector:
        throttle = Throttle(selector, clock)
        selector.register(ours, selectors.EVENT_READ, "data")
        throttle.pause(ours.fileno(), 0.1)
        clock.now += 0.1
        room = False
        throttle.resume()
        assert throttle.due_in == pytest.approx(LONGEST_PAUSE)
        clock.now += LONGEST_PAUSE
        room = True
        throttle.resume()
        assert throttle.due_in is None
        assert selector.get_key(ours).data == "data"
