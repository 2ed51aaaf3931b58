"""`kiosk doctor`: checks whether this machine is fit for use at a door."""

from __future__ import annotations

import platform
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from kiosk import config
from kiosk.cli import (
    attempts,
    audit_chain,
    backup,
    clock,
    consent,
    doctor_camera,
    doctor_door,
    doctor_models,
    doctor_window,
    notify,
)
from kiosk.cli.asking import Terminal
from kiosk.cli.console import config_option, emit, home_of, json_option, say
from kiosk.config import Config
from kiosk.domain.errors import ConfigError, GalleryError, HomeError, KioskError, os_trouble
from kiosk.domain.matching import enrol_again
from kiosk.station import assembly
from kiosk.station.enrolment import MAX_REFERENCES
from kiosk.station.safeguards import weaknesses
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.keys import chosen
from kiosk.system.owner import acting_for
from kiosk.system.time_sync import synchronised
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load, thresholds

SWAPS = Path("/proc/swaps")
Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: `level` is ok, note (worth knowing) or bad (the kiosk will not run, or not safely)."""

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
    """Runs all checks, one after another, also when one fails. `named` is the home of --home."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.machine()}")
    try:
        found = config.find(config_file)
        settings = config.parse("", "the defaults") if found is None else config.read(found)
    except KioskError as error:
        yield Finding("config", "bad", str(error))
        if named is not None:
            yield from _sure("gallery", lambda: _as_owner(Home(named), lambda: _gallery(Home(named), True)))
    else:
        nothing = "none: `kiosk run` would be the demonstration"
        yield Finding("config", "ok" if found else "note", str(found or nothing))
        yield from _policy(settings)
        yield _check("models", lambda: _models(settings))
        yield from _remarks("models", doctor_models.remarks(settings))
        yield from _sure("home", lambda: _at_home(settings, found, named))
        if found is not None:
            yield from _sure("camera", lambda: _remarks("camera", doctor_camera.findings(settings)))
            yield from _sure("door", lambda: _remarks("door", doctor_door.remarks(settings)))
            yield from _sure("notify", lambda: _remarks("notify", notify.findings(settings)))
    yield from _sure("window", lambda: _remarks("window", doctor_window.remarks()))
    yield from _machine()


def _at_home(settings: Config, found: Path | None, named: Path | None) -> Iterator[Finding]:
    """Checks the home. Bad if it is not clear which home the kiosk has."""
    home = Home(home_of(named, found), chosen(settings.keys, home_of(named, found), Terminal()))
    told = settings.clock.trust == "ntp" and synchronised()
    inside = list(_sure("gallery", lambda: _as_owner(home, lambda: _in_home(settings, home, found is not None, told))))
    yield from inside
    if not any(finding.check == "gallery" and finding.level == "bad" for finding in inside):
        yield from _sure("fonts", lambda: _remarks("fonts", doctor_window.fonts(_as_owner(home, lambda: _names(home)))))


def _as_owner(home: Home, look: Callable[[], Iterable[Seen]]) -> list[Seen]:
    """Calls `look` with the rights of the home's owner. `look` must start no process: its real user would still be
    root, and Qt, for example, refuses to run like that."""
    with acting_for(home.folder):
        return list(look())


def _in_home(settings: Config, home: Home, configured: bool, told: bool) -> Iterator[Finding]:
    gallery = list(_sure("gallery", lambda: _gallery(home, configured)))
    yield from gallery
    if any(finding.level == "bad" for finding in gallery):
        return
    yield _threshold(settings, home)
    yield from _sure("audit", lambda: _remarks("audit", audit_chain.remarks(home)))
    yield from _sure("backup", lambda: _remarks("backup", backup.remarks(settings, home)))
    yield from _sure("consent", lambda: _remarks("consent", consent.remarks(home)))
    yield from _sure("clock", lambda: _remarks("clock", clock.findings(settings, home, told)))
    yield from _sure("attempts", lambda: _remarks("attempts", attempts.findings(settings, home)))
    yield from _other_models(settings, home)
    yield from _badges(settings, home)


def _check(name: str, look: Callable[[], str]) -> Finding:
    (finding,) = _sure(name, lambda: [Finding(name, "ok", look())])
    return finding


def _sure(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of `look`; an error in it becomes a finding too."""
    try:
        yield from look()
    except KioskError as error:
        yield Finding(name, "bad", str(error))
    except OSError as error:
        yield Finding(name, "bad", os_trouble(error))


def _remarks(name: str, remarks: Iterable[doctor_door.Remark]) -> Iterator[Finding]:
    for level, message in remarks:
        yield Finding(name, level, message)


def _policy(settings: Config) -> Iterator[Finding]:
    """Settings that `kiosk run` refuses with a real lock. Those that depend on the gallery's size are checked later."""
    level = "bad" if settings.drives_a_real_lock else "note"
    if settings.drives_a_real_lock:
        try:
            config.refuse_overrides()
        except KioskError as error:
            yield Finding("policy", "bad", str(error))
    for weakness in weaknesses(settings):
        yield Finding("policy", level, f"{weakness}; refused before a real lock")


def _models(settings: Config) -> str:
    models = load(settings.models, settings.policy)
    if models.pad.threshold < models.pad.measured and settings.drives_a_real_lock:
        raise ConfigError(f"[policy] pad_threshold is below {models.pad.measured:g}, the manifest's: remove it")
    if models.left_out and settings.drives_a_real_lock:
        raise ConfigError(f"[models] pad is without {', '.join(models.left_out)}, which it was measured with: add them")
    return f"{models.embedder.model_id}, PAD threshold {models.pad.threshold:g}"


def _threshold(settings: Config, home: Home) -> Finding:
    """The threshold for the present number of references, and how well it is measured."""
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
        sizes: dict[int, int] = {}
        if home.database.exists():
            with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as gallery:
                sizes = gallery.sizes(entry.model_id)
        table = thresholds(entry, settings.policy)
        chosen = table.for_gallery(sizes)
    except KioskError as error:
        return Finding("threshold", "bad", f"cannot be told: {error}")
    rate = "unknown" if chosen.fpir is None else f"{chosen.fpir:.2g}"
    message = (
        f"{chosen.score:.4f} for {chosen.references} references, expected FPIR {rate} a search; {chosen.subjects} "
        f"subjects of up to {table.capacity(MAX_REFERENCES)} with {MAX_REFERENCES} references each"
    )
    if not chosen.caution:
        return Finding("threshold", "ok", message)
    return Finding("threshold", "bad" if chosen.unsafe else "note", f"{message}; {chosen.caution}")


def _other_models(settings: Config, home: Home) -> Iterator[Finding]:
    """References of another network than the configured one. Bad if there are no usable references."""
    if not home.database.exists():
        return
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
        with closing(open_gallery(home, read_only=True, with_key=False, check=False)) as gallery:
            unusable, usable = gallery.unusable(entry.model_id), gallery.counts().get(entry.model_id, 0)
    except KioskError:
        return  # the checks before report it
    if unusable:
        yield Finding("references", "note" if usable else "bad", enrol_again(unusable))


def _badges(settings: Config, home: Home) -> Iterator[Finding]:
    """Subjects without a badge number, whom a panel never lets in."""
    largest = assembly.largest_badge(settings)
    if largest is None or not home.database.exists():
        return
    try:
        with closing(open_gallery(home, read_only=True, check=False)) as gallery:
            without = sum(s.badge is None or s.badge > largest for s in gallery.subjects())
    except KioskError:
        return  # the checks before report it
    if without:
        yield Finding("badges", "note", f"{without} subjects without a badge number for the panel are never let in")


def _gallery(home: Home, configured: bool) -> Iterator[Finding]:
    """Whether the gallery is undamaged, has its key, and is closed to other users. `configured`: there is a
    configuration, so a door needs the gallery. Raises OSError."""
    try:
        mode = home.folder.stat().st_mode
    except FileNotFoundError:
        yield Finding("gallery", "note", f"{home.folder}: not there yet: made when somebody is enrolled")
        return
    if not stat.S_ISDIR(mode):
        raise HomeError(f"{home.folder}: the home is no folder: name another one with --home")
    if mode & stat.S_IWOTH:
        yield Finding("gallery", "bad", f"{home.folder}: others may write there: chmod 700 {home.folder}")
    # stat() raises if a file may not be accessed. So such a file does not count as missing.
    database, key = _there(home.database), _there(home.key)
    if not database:
        if key:
            raise GalleryError(
                f"{home.database}: the gallery is gone although its key is there: put a backup back (kiosk restore "
                f"FILE), or move {home.key.name} away to begin a new one"
            )
        said = "nobody is enrolled yet: kiosk enrol" if configured else "empty, made on first use"
        yield Finding("gallery", "note", f"{home.folder}: {said}")
        return
    with closing(open_gallery(home, read_only=True)) as gallery:
        counts = ", ".join(f"{n} of {model}" for model, n in gallery.counts().items()) or "none"
        yield Finding("gallery", "ok", f"{home.folder}: {len(gallery.subjects())} subjects, references: {counts}")
    yield Finding("keys", "note" if home.named_keys is None else "ok", home.keys.protection)
    if key and home.named_keys is not None:
        yield Finding("keys", "note", f"{home.key}: an older key lies there: if nothing uses it, shred -u it")


def _there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _names(home: Home) -> list[str]:
    if not home.database.exists():
        return []
    with closing(open_gallery(home, read_only=True, check=False)) as gallery:
        return [subject.name for subject in gallery.subjects()]


def _machine() -> Iterator[Finding]:
    """Checks swap, because unencrypted swap would write templates to a disk in clear, and the machine. (Core dumps are
    off in every command.)"""
    swaps = SWAPS.read_text(encoding="ascii").splitlines()[1:] if SWAPS.exists() else []
    plain = [line.split()[0] for line in swaps if "zram" not in line and "/dm-" not in line]
    if plain:
        yield Finding("swap", "note", f"swap that may be unencrypted: {', '.join(plain)}; kiosk.service does not swap")
    else:
        yield Finding("swap", "ok", "no plain swap")
    if sys.maxsize < 2**32:
        yield Finding("machine", "bad", "a 64-bit system is needed: onnxruntime has no 32-bit build")
