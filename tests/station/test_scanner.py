"""QR codes before the camera: when a frame is read, and when a code is a claim."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.entry import Claim, Claimed, EntryRequest, Means
from kiosk.domain.face import Frame, Image
from kiosk.domain.passes import SIGNATURE_BYTES, Pass
from kiosk.station.admission import Moment
from kiosk.station.scanner import GAP, GONE_SECONDS, Scanner, is_ours
from kiosk.storage.claims import new_code

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CODE, OTHER = "KQ1" + "A" * 32, new_code()
PASS = Pass("0" * 16, "1" * 16, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), ("door",), 1).text(
    bytes(SIGNATURE_BYTES)
)


class Bench:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.asked: list[tuple[EntryRequest, Moment]] = []
        self.reads = self.nudges = 0
        self.busy = False
        self.at = 100.0
        self.scanner = Scanner(self.read, lambda *asked: self.asked.append(asked), lambda: self.busy, self.nudge)

    def read(self, image: Image) -> list[str]:
        self.reads += 1
        return self.texts

    def nudge(self) -> None:
        self.nudges += 1

    def frames(self, count: int, gap: float = 1 / 15) -> None:
        for _ in range(count):
            self.at += gap
            self.scanner.offer(Frame(np.zeros((4, 4, 3), np.uint8), 1, self.at, NOON))
            self.scanner.turn()

    @property
    def claims(self) -> list[EntryRequest]:
        return [request for request, _ in self.asked]


def test_a_code_is_one_claim_as_old_as_its_frame_however_long_it_is_held_up() -> None:
    bench = Bench()
    bench.texts = [CODE]
    bench.frames(150)
    assert bench.claims == [Claimed(Claim(Means.QR, CODE))]
    assert bench.asked[0][1] == Moment(100 + 1 / 15, NOON)


def test_about_three_frames_a_second_are_read() -> None:
    bench = Bench()
    bench.frames(15 * 10)
    assert 25 <= bench.reads <= 10 / GAP + 1
    assert bench.nudges == bench.reads


def test_nothing_is_read_while_somebody_is_here() -> None:
    bench = Bench()
    bench.busy = True
    bench.texts = [CODE]
    bench.frames(50)
    assert bench.reads == 0
    bench.busy = False
    bench.frames(1, gap=1.0)
    assert len(bench.claims) == 1


def test_a_code_that_hangs_there_while_somebody_is_served_does_not_claim_again() -> None:
    bench = Bench()
    bench.texts = [CODE]
    bench.frames(5)
    bench.busy = True
    bench.frames(15 * 30)
    bench.busy = False
    bench.frames(30)
    assert bench.claims == [Claimed(Claim(Means.QR, CODE))]


def test_a_code_that_hangs_there_hides_no_other() -> None:
    bench = Bench()
    bench.texts = [CODE]
    bench.frames(30)
    bench.texts = [CODE, OTHER]
    bench.frames(30)
    assert bench.claims == [Claimed(Claim(Means.QR, text)) for text in (CODE, OTHER)]


def test_a_code_that_was_out_of_sight_may_claim_again() -> None:
    bench = Bench()
    bench.texts = [CODE]
    bench.frames(15)
    bench.texts = []
    bench.frames(int(15 * (GONE_SECONDS + 1)))
    bench.texts = [CODE]
    bench.frames(15)
    assert len(bench.claims) == 2


def test_another_code_is_another_claim() -> None:
    bench = Bench()
    for bench.texts in ([CODE], [OTHER], [PASS]):
        bench.frames(15)
    assert bench.claims == [Claimed(Claim(Means.QR, text)) for text in (CODE, OTHER, PASS)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org",
        CODE.lower(),
        " " + CODE,
        CODE + "\n",
        CODE + "A",
        CODE[:-1],
        CODE[:-1] + "é",
        CODE[:-1] + "1",
        "KQ1",
        "KQ1-poster of the week",
        "KQ1" + "A" * 198,
        "KP1",
        "KP1CCCC",
        PASS[:-1],
        PASS + "A",
        PASS.replace("A", "B"),
        "KP1" + "A" * 197,
    ],
)
def test_a_poster_makes_no_claim(text: str) -> None:
    bench = Bench()
    bench.texts = [text]
    bench.frames(30)
    assert bench.claims == []


@given(st.lists(st.text(max_size=300), max_size=4))
def test_whatever_a_code_says_a_claim_can_be_made_of_what_is_ours(texts: list[str]) -> None:
    bench = Bench()
    bench.texts = [*texts, *(f"KQ1{text}" for text in texts), *(f"KP1{text}" for text in texts)]
    bench.frames(1)
    assert len(bench.claims) == any(is_ours(text) for text in bench.texts)
