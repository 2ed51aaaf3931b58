"""`kiosk doctor`: is this machine fit to stand at a door?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from kiosk import build, config
from kiosk.cli import doctor_door, notify
from kiosk.cli.console import config_option, emit, home_of, json_option, say
from kiosk.config import Config
from kiosk.domain.errors import KioskError
from kiosk.domain.matching import enrol_again
from kiosk.gui.app import display_available, missing_packages
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision.manifest import EmbedderEntry, Manifest, default_folder
from kiosk.vision.models import load, thresholds

SWAPS = Path("/proc/swaps")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `level` is ok, note (worth knowing) or bad (the kiosk will not run, or not safely)."""

    check: str
    level: str
    message: str


@click.command()
@config_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, config_file: Path | None, as_json: bool) -> None:
    """Checks what the kiosk needs: models, home, gallery and key, camera, door, window, the machine.

    Exit status 0 when nothing is bad, else 1. Nothing is changed and no door is opened.
    """
    bad = False
    for finding in findings(config_file, ctx.obj):
        bad = bad or finding.level == "bad"
        if as_json:
            emit({"check": finding.check, "level": finding.level, "message": finding.message})
        else:
            say(f"{finding.level:<5} {finding.check:<9} {finding.message}")
    ctx.exit(1 if bad else 0)


def findings(config_file: Path | None, named: Path | None) -> Iterator[Finding]:
    """All checks, one after another; one that fails does not keep the next from being made. `named`: by --home."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.machine()}")
    try:
        found = config.find(config_file)
        settings = config.parse("", "the defaults") if found is None else config.read(found)
    except KioskError as error:
        yield Finding("config", "bad", str(error))
        return
    yield Finding("config", "ok" if found else "note", str(found or "none: `kiosk run` would be the demonstration"))
    yield _check("models", lambda: _models(settings))
    yield from _older_models(settings)
    yield from _at_home(settings, found, named)
    if found is not None:
        yield _check("camera", lambda: _camera(settings))
        yield from _door(settings)
        yield from (Finding("notify", level, message) for level, message in notify.findings(settings))
    yield _window()
    yield from _machine()


def _at_home(settings: Config, found: Path | None, named: Path | None) -> Iterator[Finding]:
    """What is in the home. Bad where nobody can say which home the kiosk has."""
    try:
        home = Home(home_of(named, found))
    except KioskError as error:
        yield Finding("home", "bad", str(error))
        return
    yield _check("gallery", lambda: _gallery(home))
    yield _threshold(settings, home)
    yield from _other_models(settings, home)
    yield from _badges(settings, home)


def _check(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except KioskError as error:
        return Finding(name, "bad", str(error))


def _models(settings: Config) -> str:
    models = load(settings.models, settings.policy)
    return f"{models.embedder.model_id}, PAD threshold {models.pad.threshold:g}"


def _older_models(settings: Config) -> Iterator[Finding]:
    """Networks of the program's that it has replaced, or measured anew, since they were copied into a folder of the
    kiosk's own."""
    folder = settings.models.folder
    if folder is None:
        return
    try:
        own, brought = Manifest(folder).entries, {e.name: e for e in Manifest(default_folder()).entries}
    except KioskError:
        return  # said by the check before
    for entry in own:
        newer = brought.get(entry.name, entry)
        if newer == entry:
            continue
        what, after = newer.model_id, " (after another embedder everybody enrols again)"
        if newer.model_id == entry.model_id:
            what, after = "other thresholds for it", " (nobody enrols again)"
        yield Finding(
            "models",
            "note",
            f"{folder} keeps {entry.model_id}, the program brings {what} by now: to have that, move that folder away"
            f" and install again what is not the program's{after}",
        )


def _threshold(settings: Config, home: Home) -> Finding:
    """What a score must reach for the references that there are now, and how sure that is."""
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
        references = 0
        if home.database.exists():
            with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as gallery:
                references = gallery.counts().get(entry.model_id, 0)
        chosen = thresholds(entry, settings.policy).for_gallery(references)
    except KioskError as error:
        return Finding("threshold", "bad", f"cannot be told: {error}")
    rate = "unknown" if chosen.fpir is None else f"{chosen.fpir:.2g}"
    message = f"{chosen.score:.4f} for {references} references, expected FPIR {rate} a search"
    if not chosen.caution:
        return Finding("threshold", "ok", message)
    return Finding("threshold", "bad" if chosen.unsafe else "note", f"{message}; {chosen.caution}")


def _other_models(settings: Config, home: Home) -> Iterator[Finding]:
    """References of another network than the one configured; bad where there are no others."""
    if not home.database.exists():
        return
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
        with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as gallery:
            unusable, usable = gallery.unusable(entry.model_id), gallery.counts().get(entry.model_id, 0)
    except KioskError:
        return  # said by the checks before
    if unusable:
        yield Finding("references", "note" if usable else "bad", enrol_again(unusable))


def _badges(settings: Config, home: Home) -> Iterator[Finding]:
    """Whom a panel would never hear of."""
    largest = build.largest_badge(settings)
    if largest is None or not home.database.exists():
        return
    try:
        with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as gallery:
            without = sum(s.badge is None or s.badge > largest for s in gallery.subjects())
    except KioskError:
        return  # said by the checks before
    if without:
        yield Finding("badges", "note", f"{without} subjects without a badge number for the panel are never let in")


def _gallery(home: Home) -> str:
    if not home.database.exists():
        return f"{home.folder}: empty, made on first use"
    with closing(open_gallery(home, read_only=True)) as gallery:
        counts = ", ".join(f"{n} of {model}" for model, n in gallery.counts().items()) or "none"
        return f"{home.folder}: {len(gallery.subjects())} subjects, references: {counts}"


def _camera(settings: Config) -> str:
    camera = build.camera(settings.camera)
    try:
        camera.open()
        height, width = camera.read(3.0).image.shape[:2]
    except EOFError:
        return f"{settings.camera.kind}: the recording is empty"
    finally:
        camera.close()
    return f"{settings.camera.kind}: {width} x {height}"


def _door(settings: Config) -> Iterator[Finding]:
    try:
        for level, message in doctor_door.remarks(settings):
            yield Finding("door", level, message)
    except KioskError as error:
        yield Finding("door", "bad", str(error))


def _window() -> Finding:
    missing = missing_packages("xcb" if display_available() else "offscreen")
    if missing:
        return Finding("window", "bad", f"sudo apt-get install {' '.join(missing)}")
    if not display_available():
        return Finding("window", "note", "no display answers: `kiosk run` would be headless")
    return Finding("window", "ok", "a display answers")


def _machine() -> Iterator[Finding]:
    """Plain swap would write templates to a disk in clear. Core dumps are off in every command."""
    swaps = SWAPS.read_text(encoding="ascii").splitlines()[1:] if SWAPS.exists() else []
    plain = [line.split()[0] for line in swaps if "zram" not in line and "/dm-" not in line]
    if plain:
        yield Finding("swap", "note", f"swap that may be unencrypted: {', '.join(plain)}; kiosk.service does not swap")
    else:
        yield Finding("swap", "ok", "no plain swap")
    if sys.maxsize < 2**32:
        yield Finding("machine", "bad", "a 64-bit system is needed: onnxruntime has no 32-bit build")
