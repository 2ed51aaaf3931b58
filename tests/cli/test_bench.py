"""`kiosk bench`, as far as it needs no camera and no second process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

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


def test_an_impossible_gallery_is_one_line(kiosk: Command) -> None:
    done = kiosk("bench", "--gallery", "0")
    assert (done.status, done.out, len(done.err)) == (2, [], 1)
