"""`kiosk bench --pin`, in small: how long things take is for the command itself to judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import GalleryError
from kiosk.evaluation.benchmarks import pins as benchmark
from kiosk.evaluation.benchmarks.pins import Kind, PinTiming, auc
from kiosk.storage import pins

times = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)


@given(times, times)
def test_the_auc_is_the_share_of_pairs(ones: list[float], others: list[float]) -> None:
    pairs = [(one > other) + (one == other) / 2 for one in ones for other in others]
    assert auc(ones, others) == pytest.approx(sum(pairs) / len(pairs))


def test_a_difference_in_time_is_not_good() -> None:
    same, later = [1.0, 2.0, 3.0, 4.0], [2.1, 3.1, 4.1, 5.1]
    assert PinTiming(dict.fromkeys(Kind, same)).good
    assert not PinTiming({**dict.fromkeys(Kind, same), Kind.UNKNOWN: later}).good
    assert not PinTiming({**dict.fromkeys(Kind, same), Kind.DURESS: later}).good
    assert PinTiming({**dict.fromkeys(Kind, same), Kind.RIGHT: later, Kind.DURESS: later}).good, "the screen says that"


def test_each_kind_is_typed_and_answered_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)
    pins._nobodys.cache_clear()
    taken = benchmark.measure(15)
    pins._nobodys.cache_clear()
    assert {kind: len(seconds) for kind, seconds in taken.seconds.items()} == dict.fromkeys(Kind, 15)


def test_a_wrong_answer_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)
    monkeypatch.setattr(benchmark, "WRONG", benchmark.PIN)
    pins._nobodys.cache_clear()
    with pytest.raises(GalleryError, match="the kiosk says right"):
        benchmark.measure(1)
    pins._nobodys.cache_clear()
