"""Dates and times on the command line: the machine's own zone, both ways."""

from __future__ import annotations

from datetime import UTC, datetime

import click

MOMENT = click.DateTime(
    [
        "%Y-%m-%d",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S%z",
    ]
)
"""In local time, or with an offset, as --json shows it."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The ends of the calendar are no times in every zone."""


def begin(given: datetime | None) -> datetime | None:
    """Where a validity begins, in UTC. Of two readings (clocks that go back or forward) the later one, so that nobody
    is let in too early. Raises click.UsageError."""
    return None if given is None else max(_readings(given))


def end(given: datetime | None) -> datetime | None:
    """Where a validity ends, in UTC; of two readings the earlier one. The last day of the year 9999 is how "never" is
    often written: None. Raises click.UsageError."""
    if given is None or (given.year, given.month, given.day) == (9999, 12, 31):
        return None
    return min(_readings(given))


def local(moment: datetime) -> datetime:
    """In the machine's zone; as it is where it is no time there."""
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment


def shown(moment: datetime) -> str:
    """For people, as it could be given: to the minute, or to the second where that says more."""
    at = local(moment)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at.second else f"{at:%Y-%m-%d %H:%M}"


def _readings(given: datetime) -> list[datetime]:
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise click.UsageError(f"{given}: a date is of the years {FIRST_YEAR} to {LAST_YEAR}, or 9999-12-31 for never")
    if given.tzinfo is not None:
        return [given.astimezone(UTC)]
    return [given.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
