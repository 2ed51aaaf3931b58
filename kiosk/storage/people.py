"""Subjects and references as rows of the gallery: checks before storing, and reading back."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from kiosk.domain.errors import GalleryError
from kiosk.domain.naming import cleaned
from kiosk.domain.people import Reference, Subject
from kiosk.storage.database import to_text, to_time
from kiosk.storage.vault import Vault


def as_written(text: str) -> str:
    """A name or id to find, in the form in which it would be stored."""
    try:
        return cleaned(text)
    except ValueError:
        return unicodedata.normalize("NFC", text.strip())


def checked_name(name: str) -> str:
    try:
        return cleaned(name)
    except ValueError as error:
        raise GalleryError(str(error)) from error


def check_validity(valid_from: datetime | None, valid_until: datetime | None) -> None:
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise GalleryError("the validity ends before it begins")


def optional_text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def subject_of(row: dict[str, Any]) -> Subject:
    return Subject(
        id=row["id"],
        name=row["name"],
        created_at=to_time(row["created_at"]),
        disabled=row["disabled"] != 0,
        valid_from=None if row["valid_from"] is None else to_time(row["valid_from"]),
        valid_until=None if row["valid_until"] is None else to_time(row["valid_until"]),
        badge=row["badge"],
    )


def reference_of(row: dict[str, Any], vault: Vault) -> Reference:
    return Reference(
        id=row["id"],
        subject_id=row["subject_id"],
        model_id=row["model_id"],
        template=vault.unseal(row["template"], row["id"], row["subject_id"], row["model_id"]),
        quality=row["quality"],
        created_at=to_time(row["created_at"]),
    )
