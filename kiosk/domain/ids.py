"""Ids of grants, events, notices and runs of the kiosk.

new_id makes each of them. Every interface that takes an id from outside (a socket, a command line, a file) refuses any
other text. So an id needs no escaping in a log, on a terminal or in a message, and no foreign text can pass as an id.
"""

from __future__ import annotations

import re
import uuid

ID_PATTERN = r"^[0-9a-f]{32}$"
"""For pydantic, whose "$" matches only at the end of the text. In Python "$" also matches before a final newline; use
is_id there."""

SUBJECT_ID_PATTERN = r"^(?:[0-9a-f]{16}){1,2}$"
"""Ids of subjects. Galleries also hold ids of 16 digits."""

_ID = re.compile(r"[0-9a-f]{32}")
_SUBJECT_ID = re.compile(r"(?:[0-9a-f]{16}){1,2}")


def new_id() -> str:
    """A new unique id."""
    return uuid.uuid4().hex


def is_id(text: str) -> bool:
    """Whether `text` is an id."""
    return _ID.fullmatch(text) is not None


def is_subject_id(text: str) -> bool:
    """Whether `text` is the id of a subject."""
    return _SUBJECT_ID.fullmatch(text) is not None
