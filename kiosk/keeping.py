"""The sections of the configuration about what is kept of people: backups, for how long, with whose consent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from kiosk.section import Section


def _whole(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("it must be a whole path, from / on: it is one place, wherever a command is given")
    return path


Folder = Annotated[Path, AfterValidator(_whole)]
"""An absolute path."""


class BackupConfig(Section):
    """[backup]: where `kiosk backup make` keeps backups, and how many."""

    folder: Folder | None = None
    """A folder on another medium than the gallery's."""
    daily: Annotated[int, Field(strict=True, ge=1, le=366)] = 7
    """Of so many days the newest backup is kept."""
    weekly: Annotated[int, Field(strict=True, ge=0, le=520)] = 4
    """And of so many weeks."""


class RetentionConfig(Section):
    """[retention]: what `kiosk retention` removes by itself. Without a number nothing of that kind."""

    ended_days: Annotated[int, Field(strict=True, ge=0, le=36500)] | None = None
    """Whoever's validity ended more than so many days ago is erased."""
    log_days: Annotated[int, Field(strict=True, ge=1, le=36500)] | None = None
    """Records of the audit log that are older are cut, up to a checkpoint."""


class ConsentConfig(Section):
    """[consent]: what people agree to before they are enrolled (station.consent)."""

    required: bool = False
    """Whether nobody is enrolled without it."""
    folder: Folder | None = None
    """Texts of the site's own, VERSION.LANGUAGE.txt, in place of the package's."""
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] = "en"
    """Of a text that is named without one."""
    alternative: Annotated[str, Field(min_length=1, max_length=200)] = "another way in, without the face"
    """What is offered instead, as it is recorded."""
