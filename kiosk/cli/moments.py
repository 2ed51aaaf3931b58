"""Dates and times on the command line, read and printed in the machine's own time zone."""

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
"""Accepted formats: local time, or with an offset as --json prints it."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Allowed years. The first and last years of the calendar do not exist in every time zone."""


def begin(given: datetime | None) -> datetime | None:
    """The begin of a validity in UTC. If a local time has two meanings (the clock changes), the later one, so that
    nobody is let in too early. Raises click.UsageError."""
    return None if given is None else max(_readings(given))


def end(given: datetime | None) -> datetime | None:
    """The end of a validity in UTC; of two meanings the earlier one. The last day of the year 9999 often means "never"
    and gives None. Raises click.UsageError."""
    if given is None or (given.year, given.month, given.day) == (9999, 12, 31):
        return None
    return min(_readings(given))


def local(moment: datetime) -> datetime:
    """The time in the machine's zone; unchanged if it does not exist there."""
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment


def shown(moment: datetime) -> str:
    """The time as text in a format that the command line accepts: to the minute, or to the second if it is not 0."""
    at = local(moment)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at.second else f"{at:%Y-%m-%d %H:%M}"


def _readings(given: datetime) -> list[datetime]:
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise click.UsageError(f"{given}: a date is of the years {FIRST_YEAR} to {LAST_YEAR}, or 9999-12-31 for never")
    if given.tzinfo is not None:
        return [given.astimezone(UTC)]
    return [given.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
