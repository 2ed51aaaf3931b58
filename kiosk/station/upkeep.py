"""What timers do with a gallery: a backup into its folder, and the cut of old records. For a command and for the
running kiosk, each with its own open gallery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kiosk.domain.errors import ConfigError
from kiosk.storage import backups
from kiosk.storage.erasure import Keeping
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.retention import cut_older
from kiosk.storage.switching import drop

NO_FOLDER = "[backup] folder says nowhere where backups are kept: see deploy/kiosk.toml, or export one"
NO_DAYS = "[retention] log_days does not say how long records are kept: see deploy/kiosk.toml"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup. `off_card`: whether it is on another file system than the gallery."""

    path: Path
    off_card: bool


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The upkeep of one open gallery, for one thread. Methods raise KioskError."""

    home: Home
    gallery: Gallery
    keeping: Keeping

    def back_up(self) -> Made:
        """Makes a backup in the folder of [backup], and removes those that are too many."""
        kept = self.keeping
        if kept.folder is None:
            raise ConfigError(NO_FOLDER)
        path = backups.to_folder(self.home, self.gallery, kept.folder, kept.daily, kept.weekly)
        return Made(path, backups.off_the_card(self.home, kept.folder))

    def drop(self, model_id: str) -> int:
        """Erases all references of a network that is not used any more. Returns how many they were."""
        return drop(self.gallery, model_id)

    def cut(self, dry_run: bool) -> int:
        """Cuts the records that are older than [retention] says. Returns how many; with `dry_run` only that."""
        if self.keeping.log_days is None:
            raise ConfigError(NO_DAYS)
        return cut_older(self.gallery.store, self.gallery.vault, self.keeping.log_days, datetime.now(UTC), dry_run)
