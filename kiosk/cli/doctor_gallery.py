"""`kiosk doctor`: checks the home: the gallery, its key, its threshold, and who in it is never let in."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kiosk.cli import calibrate_study
from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.cli.models.under_way import progress_of, under_way
from kiosk.cli.moments import shown
from kiosk.config import Config
from kiosk.domain.errors import GalleryError, HomeError
from kiosk.domain.matching import enrol_again
from kiosk.station import assembly
from kiosk.station.enrolment import MAX_REFERENCES
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import thresholds


def gallery(patient: Patient) -> Iterator[Finding]:
    """Whether the gallery is undamaged, has its key, and is closed to other users. Raises GalleryError, OSError."""
    home = patient.home
    try:
        mode = home.folder.stat().st_mode
    except FileNotFoundError:
        yield ok(f"{home.folder}: not there yet: made when somebody is enrolled", "kiosk enrol")
        return
    if not stat.S_ISDIR(mode):
        raise HomeError(f"{home.folder}: the home is no folder: name another one with --home")
    if mode & stat.S_IWOTH:
        yield problem(f"{home.folder}: others may write there", f"sudo chmod 700 {home.folder}")
    # stat() raises if a file may not be accessed. So such a file does not count as missing.
    database, key = _there(home.database), _there(home.key)
    if not database:
        if key:
            raise GalleryError(
                f"{home.database}: the gallery is gone although its key is there: put a backup back (kiosk restore "
                f"FILE), or move {home.key.name} away to begin a new one"
            )
        said = "nobody is enrolled yet" if patient.file is not None else "empty, made on first use"
        yield ok(f"{home.folder}: {said}", "kiosk enrol")
        return
    with closing(open_gallery(home, read_only=True)) as opened:
        counts = ", ".join(f"{n} of {model}" for model, n in opened.counts().items()) or "none"
        yield ok(f"{home.folder}: {len(opened.subjects())} subjects, references: {counts}")
        yield from calibrate_study.findings(opened)


def keys(patient: Patient) -> Iterator[Finding]:
    """Where the master key is, and whether an older one was left beside the gallery."""
    home = patient.home
    if not _there(home.database):
        return
    yield ok(home.keys.protection, "deploy/operating.md, The key" if home.named_keys is None else "")
    if _there(home.key) and home.named_keys is not None:
        yield ok(f"{home.key}: an older key lies there", f"if nothing uses it: sudo shred -u {home.key}")


def threshold(patient: Patient) -> Iterator[Finding]:
    """The threshold for the present number of references, and how well it is measured."""
    settings, home = patient.settings, patient.home
    entry = _embedder(settings)
    sizes: dict[int, int] = {}
    if home.database.exists():
        with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as opened:
            sizes = opened.sizes(entry.model_id)
    table = thresholds(entry, settings.policy)
    chosen = table.for_gallery(sizes)
    rate = "unknown" if chosen.fpir is None else f"{chosen.fpir:.2g}"
    message = (
        f"{chosen.score:.4f} for {chosen.references} references, expected FPIR {rate} a search; {chosen.subjects} "
        f"subjects of up to {table.capacity(MAX_REFERENCES)} with {MAX_REFERENCES} references each"
    )
    if not chosen.caution:
        yield ok(message)
    elif chosen.unsafe:
        yield problem(f"{message}; {chosen.caution}")
    else:
        yield ok(f"{message}; {chosen.caution}", "sudo kiosk level show")


def references(patient: Patient) -> Iterator[Finding]:
    """References of another network than the configured one. A problem if there are no usable references. And how far
    a change of the embedder is."""
    home = patient.home
    if not home.database.exists():
        return
    entry, change = _embedder(patient.settings), under_way(patient.settings)
    with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as opened:
        counts = opened.counts()
    usable = counts.pop(entry.model_id, 0)
    if change is not None:
        usable += counts.pop(change.old.model_id, 0)
        far, since = progress_of(home, change)
        begun = f" since {shown(since)}" if since else ""
        how_far = f"{len(far.renewed)} renewed, {len(far.left)} not yet"
        yield ok(
            f"a change of the embedder is under way{begun}, from {change.old.name} to {change.new.name}: {how_far}",
            "sudo kiosk models switch --status" if far.left else "sudo kiosk models switch --finish",
        )
    if unusable := sum(counts.values()):
        again = "sudo kiosk enrol --again WHO"
        yield ok(enrol_again(unusable), again) if usable else problem(enrol_again(unusable), again)


def badges(patient: Patient) -> Iterator[Finding]:
    """Subjects without a badge number, whom a panel never lets in."""
    home, largest = patient.home, assembly.largest_badge(patient.settings)
    if largest is None or not home.database.exists():
        return
    with closing(open_gallery(home, read_only=True, check=False)) as opened:
        without = sum(s.badge is None or s.badge > largest for s in opened.subjects())
    if without:
        yield ok(
            f"{without} subjects without a badge number for the panel are never let in", "sudo kiosk subjects badge WHO"
        )


def names(home: Home) -> list[str]:
    """The names of all subjects."""
    if not home.database.exists():
        return []
    with closing(open_gallery(home, read_only=True, check=False)) as opened:
        return [subject.name for subject in opened.subjects()]


def _embedder(settings: Config) -> EmbedderEntry:
    """The configured embedder's entry. Raises ModelError."""
    return Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)


def _there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
