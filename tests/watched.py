"""A command under strace: the sockets that it opened and the files that it made, its children's as well."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MAKING = "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (\d+)(<[^>]*>)?")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_INTERNET = re.compile(r"socket\((AF_INET6?)\b")


@dataclass
class Seen:
    """What a command did."""

    status: int
    output: str
    internet: list[str] = field(default_factory=list)
    """Lines of strace: each socket of the internet."""
    made: set[Path] = field(default_factory=set)
    """Each file, folder, link and name that came into being, those that were removed again too."""

    def outside(self, *places: Path) -> list[Path]:
        """What was made in none of these folders."""
        return sorted(p for p in self.made if not any(p.is_relative_to(place) for place in places))


def strace() -> str:
    """The program. Skips where it is missing or may not trace."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed (Debian package strace)")
    if subprocess.run([found, "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here (ptrace is forbidden)")
    return found


def watched(folder: Path, *command: str | Path, **environment: str) -> Seen:
    """Runs a command in `folder`/cwd, for a user whose home is the empty `folder`/user and whose environment says
    nothing of telemetry."""
    user, cwd, log = folder / "user", folder / "cwd", folder / "strace"
    for place in (user, cwd):
        place.mkdir(exist_ok=True)
    mute = {"ORT_DISABLE_TELEMETRY", "MPLCONFIGDIR"}
    # What Python compiles is the interpreter's own cache, written where the program was installed.
    keep = {k: v for k, v in os.environ.items() if k not in mute and not k.startswith(("XDG_", "KIOSK_"))}
    env = {**keep, "HOME": str(user), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    tracer = [strace(), "--seccomp-bpf", "-f", "-qq", "-y", "-s", "4096", "-e", f"trace=socket,{MAKING}", "-o", log]
    done = subprocess.run(
        [*map(str, (*tracer, *command))], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    seen = Seen(done.returncode, done.stdout + done.stderr)
    for line in log.read_text(errors="replace").splitlines():
        if _INTERNET.search(line):
            seen.internet.append(line)
        if path := _made(line, cwd):
            seen.made.add(path)
    return seen


def _made(line: str, cwd: Path) -> Path | None:
    """What a call made: the file behind the descriptor that it gave, else its last path."""
    call = _CALL.match(line)
    if call is None or call[1] == "socket":
        return None
    name, arguments, _, opened = call.groups()
    if name.startswith("open"):
        made = "O_CREAT" in arguments or "O_TMPFILE" in arguments
        return Path(opened[1:-1].removesuffix(" (deleted)")) if made and opened else None
    if name == "creat" and opened:
        return Path(opened[1:-1])
    # A path is relative to the folder named before it, else to where the command runs: none of ours changes that.
    *_, path = _QUOTED.findall(arguments)
    folders = re.findall(r"<([^>]*)>, ", arguments)
    return Path(os.path.normpath(Path(folders[-1] if folders else cwd) / path))
