"""`kiosk bench`, as far as it needs no camera and no second process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from kiosk.storage import pins

Command = Callable[..., Any]


def test_a_gallery_is_measured_beside_numpy(kiosk: Command) -> None:
    with mock.patch.dict(sys.modules, {"faiss": None}):
        done = kiosk("bench", "--gallery", "12", "--frames", "10")
    assert done.status == 0
    assert "s to load 12 sealed references" in done.out[0]
    assert "faiss is not installed" in done.out[-2]
    row = json.loads(done.out[-1])
    assert (row["references"], row["searches"], row["ratio"]["faiss"]) == (12, 10, None)
    assert set(row["search"]) == {"kiosk", "numpy"}


def test_the_time_of_answers_is_measured(kiosk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "MEMORY_KIB", 64)
    pins._nobodys.cache_clear()
    done = kiosk("bench", "--pin", "--runs", "10")
    pins._nobodys.cache_clear()
    row = json.loads(done.out[-1])
    assert done.status == (0 if row["good"] else 1)
    assert set(row["p50_ms"]) == {"wrong", "right", "duress", "unknown"}
    assert 0 <= row["auc_unknown_wrong"] <= 1


def test_an_impossible_gallery_is_one_line(kiosk: Command) -> None:
    done = kiosk("bench", "--gallery", "0")
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
