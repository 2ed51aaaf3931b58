"""Names are only displayed; no decision depends on them."""

from __future__ import annotations

from datetime import UTC, datetime

from kiosk.domain.errors import GalleryError
from kiosk.domain.people import Subject
from kiosk.station.names import Names


class Gallery:
    """With one subject, and a row that cannot be read."""

    def subject(self, subject_id: str) -> Subject | None:
        if subject_id == "damaged":
            raise GalleryError("damaged")
        return Subject("ada", "Ada Lovelace", datetime.now(UTC)) if subject_id == "ada" else None


def test_a_name_is_known_while_the_gallery_is_open() -> None:
    names = Names()
    assert names("ada") is None
    names.open(Gallery())
    assert names("ada") == "Ada Lovelace"
    names.close()
    assert names("ada") is None


def test_who_is_not_enrolled_or_cannot_be_read_has_no_name() -> None:
    names = Names()
    names.open(Gallery())
    assert (names("ben"), names("damaged")) == (None, None)
