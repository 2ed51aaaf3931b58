"""The measurement of kiosk-door: its counts are right, and the secured level comes first."""

from __future__ import annotations

from kiosk.evaluation.benchmarks.door import measure


def test_every_grant_is_timed() -> None:
    taken = measure(5)
    assert taken.grants == 5
    assert 0 < taken.start_to_secured < taken.start_to_ready
    assert 0 < taken.relay_p50 <= taken.relay_p99
    assert taken.rss_mb > 1
