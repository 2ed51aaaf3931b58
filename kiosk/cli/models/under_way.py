"""The change of the embedder that a configuration describes: how far it is, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import numpy as np

from kiosk.config import Config
from kiosk.domain.face import Image
from kiosk.domain.transition import Standing, standing
from kiosk.station.enrolment import MAX_REFERENCES
from kiosk.storage.audit import Audit
from kiosk.storage.database import open_database
from kiosk.storage.home import Home
from kiosk.storage.switching import begun, standing_of
from kiosk.system.owner import acting_for
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models

RUNS = 3
"""A network is timed so often; the median counts."""
BAR = 20
"""Characters of the bar."""
NAMED = 20
"""Most ids on one line."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the embedder that is under way, or about to begin."""

    new: EmbedderEntry
    old: EmbedderEntry


def under_way(config: Config) -> Change | None:
    """The change that the configuration describes; None if there is none. Raises ModelError."""
    if config.models.previous is None:
        return None
    manifest = manifest_of(config)
    new, old = (manifest.entry(n, EmbedderEntry) for n in (config.models.embedder, config.models.previous))
    return None if new.model_id == old.model_id else Change(new, old)


def progress_of(home: Home, change: Change) -> tuple[Standing, datetime | None]:
    """How far it is, and since when it is under way, if the log says. Needs no key. Raises GalleryError."""
    with acting_for(home.folder):
        if not home.database.exists():
            return standing({}, {}, ()), None
        with closing(open_database(home.database, read_only=True, check=False)) as store:
            new, old = change.new.model_id, change.old.model_id
            return standing_of(store, new, old), begun(Audit(store), new, old)


def told(change: Change, models: Models, far: Standing) -> Iterator[str]:
    """What the change means, for people."""
    new, old = change.new, change.old
    yield f"from {old.name} ({old.model_id}) to {new.name} ({new.model_id})"
    yield f"{len(far.left)} people have references of {old.name} only, {len(far.renewed)} of both"
    if far.others:
        yield f"{len(far.others)} have references of {new.name} only"
    room = models.thresholds.capacity(MAX_REFERENCES)
    yield f"{new.name} has room for {room} people with {MAX_REFERENCES} references each at this level of security"
    if models.earlier is None:
        return
    yield f"until they are, a face that {new.name} does not know is compared with references of {old.name},"
    if isinstance(models.earlier.source, FaceEmbedder):
        more, own = _milliseconds(models.earlier.source), _milliseconds(models.embedder)
        yield f"by {old.name} itself and its thresholds: {more:.0f} ms more for such a face, beside {own:.0f} ms"
    else:
        score = models.earlier.measure.thresholds.for_gallery({1: 1}).score
        yield f"by a map of {new.name}'s vectors, with the thresholds measured for it (from {score:.4f} on)"


def _milliseconds(embedder: FaceEmbedder) -> float:
    """The time of one face, by this processor as it is now."""
    picture: Image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    times = []
    for _ in range(RUNS + 1):
        began = monotonic()
        embedder.look(picture)
        times.append(1000 * (monotonic() - began))
    return sorted(times[1:])[RUNS // 2]


def bar(far: Standing) -> str:
    """How far it is, as a bar."""
    total, done = len(far.renewed) + len(far.left), round(BAR * far.share)
    return f"[{'#' * done}{'-' * (BAR - done)}] {len(far.renewed)} of {total} renewed ({far.share:.0%})"


def row(change: Change, far: Standing, since: datetime | None) -> dict[str, str | int | float | None]:
    """The same as a JSON object."""
    return {
        "from": change.old.model_id,
        "to": change.new.model_id,
        "since": since.isoformat() if since else None,
        "renewed": len(far.renewed),
        "left": len(far.left),
        "others": len(far.others),
        "share": round(far.share, 4),
    }


def manifest_of(config: Config) -> Manifest:
    """The networks of the configuration. Raises ModelError."""
    return Manifest(config.models.folder or default_folder())


def ids(who: Sequence[str]) -> str:
    """Subjects on one line."""
    more = len(who) - NAMED
    return ", ".join(who[:NAMED]) + (f" and {more} more" if more > 0 else "")
