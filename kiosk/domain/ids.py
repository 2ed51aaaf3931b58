"""What an id is: of grants, events, notices and runs of the kiosk.

Each is made by new_id. At every border where one comes in from outside (a socket, a command line, a file) it is
this or it is refused: an id then needs no escaping in a log, on a terminal or in a message to others, and no text of
somebody else's can travel as one.
"""

from __future__ import annotations

import re
import uuid

ID_PATTERN = r"^[0-9a-f]{32}$"
"""For pydantic, whose "$" is the end of the text. Python's also matches before a newline there: take is_id."""

SUBJECT_ID_PATTERN = r"^(?:[0-9a-f]{16}){1,2}$"
"""Of subjects: galleries hold ids of 16 digits."""

_ID = re.compile(r"[0-9a-f]{32}")
_SUBJECT_ID = re.compile(r"(?:[0-9a-f]{16}){1,2}")


def new_id() -> str:
    """A new one; nobody else makes the same."""
    return uuid.uuid4().hex


def is_id(text: str) -> bool:
    """Whether `text` is an id."""
    return _ID.fullmatch(text) is not None


def is_subject_id(text: str) -> bool:
    """Whether `text` is the id of a subject."""
    return _SUBJECT_ID.fullmatch(text) is not None
