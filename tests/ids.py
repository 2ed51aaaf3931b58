"""Makes valid ids from names that are readable in a test."""

from __future__ import annotations

import uuid


def id_of(name: str) -> str:
    """The same id for the same name."""
    return uuid.uuid5(uuid.NAMESPACE_OID, name).hex
