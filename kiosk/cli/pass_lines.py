"""A visitor pass as commands print it."""

from __future__ import annotations

from kiosk.cli.console import Row
from kiosk.cli.moments import local, shown
from kiosk.domain.passes import Issued


def row(issued: Issued) -> Row:
    """A pass as a JSON object."""
    told = issued.told
    return {
        "pass": told.id,
        "sponsor": told.sponsor,
        "from": local(told.begins).isoformat(),
        "until": local(told.ends).isoformat(),
        "uses": told.uses,
        "doors": {door: issued.used.get(door, 0) for door in told.doors},
        "revoked": None if issued.revoked is None else local(issued.revoked).isoformat(),
    }


def line(issued: Issued) -> str:
    """A pass as a line of text."""
    told = issued.told
    doors = ", ".join(f"{door} {issued.used.get(door, 0)} of {told.uses}" for door in told.doors)
    revoked = "" if issued.revoked is None else f", revoked {shown(issued.revoked)}"
    return f"{told.id}  of {told.sponsor}  {shown(told.begins)} to {shown(told.ends)}  used: {doors}{revoked}"
