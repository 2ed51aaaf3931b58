"""Dates and times in the machine's zone: they are printed as given, and no clock change makes a validity longer."""

# ruff: noqa: DTZ001, DTZ901 - times without a zone are what the command line gives
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.cli import moments
from kiosk.cli.subject_lines import line, row
from kiosk.domain.people import Subject

Command = Callable[..., Any]
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Australia/Lord_Howe", "UTC"]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def choose(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield choose
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_time_is_the_machines_and_comes_back_as_it_was_given(zone: Callable[[str], None]) -> None:
    zone("Europe/Berlin")
    until = moments.end(datetime(2026, 12, 31))
    assert until == utc("2026-12-30T23:00:00")
    subject = Subject("a1", "Ada", utc("2026-01-01T00:00:00"), valid_until=until)
    assert row(subject)["valid_until"] == "2026-12-31T00:00:00+01:00"
    assert line(subject) == "a1  Ada  (until 2026-12-31 00:00)"
    assert moments.shown(utc("2026-06-30T21:59:59")) == "2026-06-30 23:59:59"


@pytest.mark.parametrize(
    ("local", "later", "earlier"),
    [
        ("2026-03-29T02:30", "2026-03-29T01:30", "2026-03-29T00:30"),  # does not exist
        ("2026-10-25T02:30", "2026-10-25T01:30", "2026-10-25T00:30"),  # exists twice
        ("2026-07-01T12:00", "2026-07-01T10:00", "2026-07-01T10:00"),
    ],
)
def test_where_the_clocks_change_the_shorter_validity_is_meant(
    zone: Callable[[str], None], local: str, later: str, earlier: str
) -> None:
    zone("Europe/Berlin")
    given_at = datetime.fromisoformat(local)
    assert (moments.begin(given_at), moments.end(given_at)) == (utc(later), utc(earlier))


@pytest.mark.parametrize("name", ZONES)
def test_dates_at_the_ends_of_the_calendar_give_one_line_or_mean_never(zone: Callable[[str], None], name: str) -> None:
    zone(name)
    assert moments.end(datetime(9999, 12, 31, 23, 59, 59)) is moments.end(datetime(9999, 12, 31)) is None
    for bad in (datetime(1, 1, 1), datetime(1969, 12, 31), datetime(9999, 12, 30), datetime.max):
        with pytest.raises(click.UsageError, match="1970 to 9998"):
            moments.begin(bad)
    for extreme in (datetime.min, datetime.max):
        assert moments.shown(extreme.replace(tzinfo=UTC))


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)), st.sampled_from(ZONES))
def test_a_validity_never_grows_by_its_zone(given_at: datetime, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        first, last = moments.begin(given_at), moments.end(given_at)
    time.tzset()
    assert first is not None
    assert last is not None
    assert timedelta(0) <= first - last <= timedelta(hours=2)


def test_a_time_may_have_an_offset(kiosk: Command, zone: Callable[[str], None]) -> None:
    zone("America/New_York")
    at = moments.MOMENT.convert("2026-12-31T00:00:00+01:00", None, None)
    assert moments.end(at) == utc("2026-12-30T23:00:00")


@pytest.mark.parametrize("option", ["--valid-until", "--valid-from"])
@pytest.mark.parametrize("value", ["0001-01-01", "9999-12-30", "nonsense", "\udcff", "2026-02-30"])
def test_a_wrong_date_gives_one_line(kiosk: Command, option: str, value: str) -> None:
    result = kiosk("enrol", "--name", "Ada", option, value, "gone.png")
    assert (result.status, len(result.err)) == (2, 1), result
