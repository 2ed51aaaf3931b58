"""Installs a foreign network into the kiosk's own folder, beside copies of the shipped networks.

The folder does not change before everything is checked. The new manifest replaces the old one last, in one step, so
that an interruption or a full disk leaves the folder as it was.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kiosk.domain.errors import ModelError
from kiosk.system.files import locked, sync
from kiosk.vision.entry_text import render
from kiosk.vision.manifest import AnyEntry, EmbedderEntry, Manifest, files_of
from kiosk.vision.measured import PairEntry
from kiosk.vision.model_files import default_folder, read_file, refuse_bendable

SYSTEM_FOLDER = Path("/var/lib/kiosk-models")
"""The folder in which root installs. It belongs to root (deploy/tmpfiles.conf); the kiosk can only read it."""
LFS_POINTER = b"version https://git-lfs"
_ROOM = ".install"


class Staging:
    """A folder beside the installed networks in which the next one is prepared."""

    def __init__(self, folder: Path, room: Path) -> None:
        self._folder = folder
        self._room = room
        self.target = room / "received.onnx"
        """The path for the new network's file."""

    def copy(self, source: Path) -> None:
        """Copies a file to `target`. Raises ModelError unless it is a plain file of an allowed size."""
        try:
            content = read_file(source)
        except OSError as error:
            raise ModelError(f"{source}: cannot be read ({error.strerror})") from error
        self.target.write_bytes(content)

    def sha256(self, source: str) -> str:
        """The hash of the file `target`. Raises ModelError, which names its `source`, if it cannot be a network."""
        with self.target.open("rb") as file:
            head = file.read(len(LFS_POINTER))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not head:
            raise ModelError(f"{source}: is empty")
        if head == LFS_POINTER:
            raise ModelError(f"{source}: is a pointer of git-LFS, not the network: see `kiosk models upstream`")
        return digest

    def install(self, entry: AnyEntry, check: Callable[[Path, str], None]) -> tuple[AnyEntry, AnyEntry | None]:
        """Installs the network in `target` into the folder. Returns its new entry, and the earlier one with the same
        name.

        `check` tries it first, given a folder with a manifest and the network's name. Raises ModelError, as `check`
        does, when the name is taken or the network does not do what the entry says.
        """
        installed = self._installed()
        old = next((e for e in installed if e.name == entry.name), None)
        if old is not None and old.model_id != entry.model_id:
            raise ModelError(f"the name {entry.name!r} is taken by {old.model_id}: choose another with --name")
        entry = _with_thresholds(entry, old)
        entries = [entry if e is old else e for e in installed] + ([entry] if old is None else [])
        self.target.rename(self._room / entry.file)
        pairs = self._pairs()
        for part in (part for e in (*entries, *pairs) for part in files_of(e)):
            if part.file != entry.file and not (self._folder / part.file).exists():
                (self._room / part.file).write_bytes(Manifest(default_folder()).bytes_of(part))
        (self._room / "manifest.toml").write_text(render(entries, pairs), encoding="utf-8")
        written = Manifest(self._room)
        if (written.entries, written.pairs) != (tuple(entries), tuple(pairs)):
            raise ModelError(f"{entry.name}: its entry cannot be written as TOML")
        self._open_to_readers()
        check(self._room, entry.name)
        self._publish()
        return entry, old

    def _installed(self) -> list[AnyEntry]:
        """The entries of the folder, and the shipped ones with other names."""
        packaged = Manifest(default_folder()).entries
        if not (self._folder / "manifest.toml").exists():
            return list(packaged)
        own = Manifest(self._folder).entries
        return [*own, *(e for e in packaged if e.name not in {o.name for o in own})]

    def _pairs(self) -> list[PairEntry]:
        """The maps of the folder, and the shipped ones of other networks."""
        packaged = Manifest(default_folder()).pairs
        own = Manifest(self._folder).pairs if (self._folder / "manifest.toml").exists() else ()
        return [*own, *(p for p in packaged if (p.new, p.old) not in {(o.new, o.old) for o in own})]

    def _open_to_readers(self) -> None:
        """Lets every user read the files, because trial and kiosk run as other users than the installer."""
        for path in self._room.iterdir():
            path.chmod(0o644)

    def _publish(self) -> None:
        manifest = self._room / "manifest.toml"
        files = [path for path in self._room.iterdir() if path != manifest]
        for path in [*files, manifest]:
            sync(path)
        for path in files:
            path.rename(self._folder / path.name)
        sync(self._folder)
        manifest.rename(self._folder / manifest.name)
        sync(self._folder)


@contextmanager
def staging(folder: Path) -> Iterator[Staging]:
    """Prepares one installation into `folder`, and makes the folder if it is missing. Raises ModelError, also for
    errors of the file system in the block."""
    folder = folder.absolute()
    if folder == default_folder():
        raise ModelError(f"{folder}: is the program's own folder, which an update replaces: name another")
    refuse_bendable(folder)
    made = not folder.exists()
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        if made:
            folder.chmod(0o755)
        refuse_bendable(folder)
        with _alone(folder):
            room = folder / _ROOM
            shutil.rmtree(room, ignore_errors=True)
            room.mkdir(mode=0o700)
            try:
                yield Staging(folder, room)
            finally:
                shutil.rmtree(room, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror or error}: nothing was installed") from error
    finally:
        if made:
            with suppress(OSError):  # it is not empty, because another process uses it now
                folder.rmdir()


def _with_thresholds(entry: AnyEntry, old: AnyEntry | None) -> AnyEntry:
    """Keeps the old thresholds of the same network if the new entry states none."""
    if isinstance(entry, EmbedderEntry) and isinstance(old, EmbedderEntry) and not entry.operating_points():
        kept = {"threshold": old.threshold, "threshold_fmr": old.threshold_fmr, "thresholds": old.thresholds}
        return entry.model_copy(update=kept)
    return entry


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except BlockingIOError as error:
            raise ModelError(f"{folder}: another installation is under way: wait for it") from error
        yield
