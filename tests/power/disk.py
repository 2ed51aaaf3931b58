"""What a power cut may leave of a folder, from the log of what was done to it (recorder.c).

The model is stricter than any file system in use. A file has what it had at its last fsync or fdatasync; of each write
and truncation after that: nothing, all, or some sectors. A folder has the names that it had at its own last fsync; of
what was done to names after that: nothing, all, the first few (as a file system with a journal has it), or some. A new
folder's name is one of its parent. A rename is there or not, never half. What was printed was seen by somebody.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTORS = (512, 4096)
"""Sizes of what a card writes whole."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One record of the log."""

    op: str
    inode: int
    offset: int
    path: str
    other: bytes
    """The new path of a rename or link; what was written or said."""


@dataclass(frozen=True, slots=True)
class Left:
    """A state of the folder: the folders in it, and its files with their contents."""

    folders: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...]

    @property
    def key(self) -> bytes:
        """The same for the same state."""
        digest = hashlib.sha256("\0".join(self.folders).encode())
        for name, content in self.files:
            digest.update(f"\0\0{name}\0{len(content)}\0".encode() + content)
        return digest.digest()

    def put(self, root: Path) -> None:
        """Makes it below `root`, which is empty."""
        for folder in self.folders:
            (root / folder).mkdir(parents=True, mode=0o700, exist_ok=True)
        for name, content in self.files:
            (root / name).write_bytes(content)
            (root / name).chmod(0o600)


def compiled(folder: Path) -> Path:
    """The shim, built. Raises CalledProcessError, FileNotFoundError where there is no compiler."""
    made = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return made


def read_log(path: Path, root: Path) -> list[Deed]:
    """The deeds of a log, their paths counted from `root`."""
    content, at, deeds = path.read_bytes(), 0, []
    while at < len(content):
        end = content.index(b"\n", at)
        op, inode, offset, first, second = content[at:end].decode("ascii").split()
        begin, middle = end + 1, end + 1 + int(first)
        at = middle + int(second)
        name, other = content[begin:middle].decode(), content[middle:at]
        assert op != "!", f"{name}: {other.decode()} is a call that this harness does not know"
        if op in "RL":
            other = _below(other.decode(), root).encode()
        deeds.append(Deed(op, int(inode), int(offset), _below(name, root) if name else "", other))
    return deeds


def _below(path: str, root: Path) -> str:
    return str(Path(path.removesuffix(" (deleted)")).relative_to(root))


@dataclass
class _File:
    kept: bytes = b""
    pending: list[Deed] = field(default_factory=list)

    def whole(self) -> bytes:
        content = bytearray(self.kept)
        for deed in self.pending:
            _apply(content, deed)
        return bytes(content)

    def some(self, chance: random.Random) -> bytes:
        """Some of what was written since the last sync; of each write all, nothing or some sectors."""
        content = bytearray(self.kept)
        for deed in self.pending:
            how = chance.choice(("all", "none", "torn"))
            if how == "all" or (how == "torn" and deed.op == "T"):
                _apply(content, deed)
            elif how == "torn":
                sector = chance.choice(SECTORS)
                begin, end = deed.offset, deed.offset + len(deed.other)
                for at in range(begin - begin % sector, end, sector):
                    if chance.random() < 0.5:
                        part = slice(max(at, begin), min(at + sector, end))
                        piece = deed.other[part.start - begin : part.stop - begin]
                        _apply(content, Deed("W", deed.inode, part.start, "", piece))
        return bytes(content)


def _apply(content: bytearray, deed: Deed) -> None:
    end = deed.offset if deed.op == "T" else deed.offset + len(deed.other)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if deed.op == "T":
        del content[end:]
    else:
        content[deed.offset : end] = deed.other


Names = dict[str, int]
"""What lies in one folder: names with inodes; a folder's inode is negative."""


@dataclass
class _Folder:
    kept: Names = field(default_factory=dict)
    pending: list[dict[str, int | None]] = field(default_factory=list)
    """What was done to names since the last sync: names that were given or (None) taken away in one piece."""

    def names(self, which: Sequence[bool]) -> Names:
        names: dict[str, int | None] = dict(self.kept)
        for change, there in zip(self.pending, which, strict=True):
            if there:
                names |= change
        return {name: inode for name, inode in names.items() if inode is not None}


class Disk:
    """Follows a log, and knows at each place what a cut there may leave."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._folders: dict[str, _Folder] = {".": _Folder()}
        self._now: dict[str, int] = {}
        """All paths as the living process sees them."""

    def do(self, deed: Deed) -> None:
        """The next deed of the log."""
        match deed.op:
            case "C":
                self._files[deed.inode] = _File()
                self._name(deed.path, deed.inode)
            case "M":
                self._folders[deed.path] = _Folder()
                self._name(deed.path, -deed.inode)
            case "W" | "T":
                self._files[deed.inode].pending.append(deed)
            case "S":
                self._sync(deed)
            case "U" | "X":
                self._name(deed.path, None)
            case "L":
                self._name(deed.other.decode(), self._now[deed.path])
            case "R":
                self._rename(deed.path, deed.other.decode())
            case "A":
                pass
            case _:
                raise ValueError(deed.op)

    def left(self, chance: random.Random, tries: int) -> Iterator[Left]:
        """What a cut now may leave: the four plain states, then `tries` random ones. Not all of them differ."""
        for names in (False, True):
            for content in (False, True):
                yield self._left(
                    {n: [names] * len(f.pending) for n, f in self._folders.items()},
                    {i: f.whole() if content else f.kept for i, f in self._files.items()},
                )
        for number in range(tries):
            which = {}
            for name, folder in self._folders.items():
                count = len(folder.pending)
                first = chance.randint(0, count)
                in_order = [at < first for at in range(count)]
                which[name] = in_order if number % 2 else [chance.random() < 0.5 for _ in range(count)]
            yield self._left(which, {i: f.some(chance) for i, f in self._files.items()})

    def _left(self, which: dict[str, list[bool]], contents: dict[int, bytes]) -> Left:
        folders, files, ahead = [], [], ["."]
        while ahead:
            at = ahead.pop()
            folders.append(at)
            for name, inode in sorted(self._folders[at].names(which[at]).items()):
                path = str(Path(at) / name)
                if inode < 0:
                    ahead.append(path)
                else:
                    files.append((path, contents[inode]))
        return Left(tuple(folders), tuple(files))

    def _name(self, path: str, inode: int | None) -> None:
        place = Path(path)
        self._folders[str(place.parent)].pending.append({place.name: inode})
        if inode is None:
            del self._now[path]
        else:
            self._now[path] = inode

    def _rename(self, old: str, new: str) -> None:
        assert Path(old).parent == Path(new).parent, "renames between folders are not modelled"
        inode = self._now.pop(old)
        assert inode > 0, "renames of folders are not modelled"
        self._now[new] = inode
        self._folders[str(Path(old).parent)].pending.append({Path(old).name: None, Path(new).name: inode})

    def _sync(self, deed: Deed) -> None:
        if deed.path in self._folders:
            folder = self._folders[deed.path]
            folder.kept, folder.pending = folder.names([True] * len(folder.pending)), []
        elif deed.inode in self._files:
            file = self._files[deed.inode]
            file.kept, file.pending = file.whole(), []
