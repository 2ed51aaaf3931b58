"""`kiosk doctor`: checks the configured networks."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.cli.doctor_door import Remark
from kiosk.config import Config
from kiosk.domain.errors import KioskError
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder


def remarks(settings: Config) -> Iterator[Remark]:
    """Networks that the program has since replaced, and an embedder without a bound against distorted pictures."""
    yield from _older_models(settings)
    yield from _ruins(settings)


def _older_models(settings: Config) -> Iterator[Remark]:
    """Shipped networks in the kiosk's own folder that the program has since replaced or measured again."""
    folder = settings.models.folder
    if folder is None:
        return
    try:
        own, brought = Manifest(folder).entries, {e.name: e for e in Manifest(default_folder()).entries}
    except KioskError:
        return  # the check before reports it
    for entry in own:
        newer = brought.get(entry.name, entry)
        if newer == entry:
            continue
        what, after = newer.model_id, " (after another embedder everybody enrols again)"
        if newer.model_id == entry.model_id:
            what, after = "other thresholds for it", " (nobody enrols again)"
        yield (
            "note",
            f"{folder} keeps {entry.model_id}, the program brings {what} by now: to have that, move that folder away"
            f" and install again what is not the program's{after}",
        )


def _ruins(settings: Config) -> Iterator[Remark]:
    """Whether the embedder has a bound against distorted pictures (evidence)."""
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
    except KioskError:
        return  # the checks before report it
    if entry.evidence is None:
        yield (
            "note",
            f"{entry.name}: where it puts ruined pictures (negatives, few grey levels...) has not been measured: only"
            " faces that do not stand upright are refused",
        )
