"""The guest's kernel and root file system: Debian's arm64 packages and wheels, unpacked into an initramfs.

Nothing of the guest runs here, nothing is configured and the host's own packages are left alone: apt works in a folder
of its own, with Debian's keys. What was fetched stays in build/vm; the checkout is laid over it anew each time.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import checkout
from checkout import ROOT, say

CACHE = ROOT / "build" / "vm"
SUITE = "trixie"
PYTHON = "3.13"
PACKAGES = (
    # The small kernel for clouds has PL061, virtio's console and debugfs built in: no module is needed.
    "linux-image-cloud-arm64",
    *("base-files", "base-passwd", "busybox-static", f"python{PYTHON}", "systemd", "udev", "apparmor"),
    "libstdc++6",  # numpy's
)
WHEELS = (
    *("gpiod", "pydantic", "paho-mqtt", "stamina"),  # kiosk-door runs on the first two, kiosk-notify on the last three
    *("pytest", "pytest-timeout"),
    *("cryptography", "numpy", "sqlite-utils"),  # the gallery's
)
"""Of pyproject.toml, and what they need."""
BLOCK = "kernel/drivers/block/virtio_blk.ko.xz"
"""The one module that is needed: for the disk whose power is cut."""
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UNNEEDED = (
    "usr/lib/modules",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/lib/udev/hwdb.d",
)
MERGED = ("bin", "sbin", "lib")
"""Folders that are links into /usr; made first, so that no package's own folder takes their place."""
VENV = "usr/lib/face-kiosk"
"""Where the Debian package has it (deploy/debian)."""
SITE = f"{VENV}/lib/python{PYTHON}/site-packages"


@dataclass(frozen=True)
class Image:
    """What QEMU starts."""

    kernel: Path
    initramfs: Path


def build() -> Image:
    """The image, with the checkout as it is now. Raises CalledProcessError, OSError."""
    kernel, base = _base()
    say("the checkout is laid over it")
    overlay = CACHE / "overlay"
    shutil.rmtree(overlay, ignore_errors=True)
    checkout.lay_over(overlay, VENV, SITE)
    _compile(overlay, [overlay / SITE])
    _pack(overlay, CACHE / "overlay.cpio")
    image = CACHE / "initramfs.cpio"
    with image.open("wb") as whole:  # the kernel unpacks several archives one after the other
        for part in (base, CACHE / "overlay.cpio"):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    return Image(kernel, image)


def _base() -> tuple[Path, Path]:
    """Kernel and archive; made anew when what is said here has changed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = CACHE / "stamp"
    recipe = hashlib.sha256(repr((Path(__file__).read_text(), _requirements())).encode()).hexdigest()
    base, kernel = CACHE / "base.cpio", CACHE / "vmlinuz"
    if not stamp.exists() or stamp.read_text() != recipe:
        tree = CACHE / "root"
        _unpack(_packages("guest", "arm64", PACKAGES), tree)
        (found,) = (tree / "boot").glob("vmlinuz-*")
        found.replace(kernel)
        shutil.rmtree(tree / "boot")
        _take_module(tree)
        _install(tree)
        _compile(tree, [tree / f"usr/lib/python{PYTHON}", tree / SITE])
        _pack(tree, base)
        shutil.rmtree(tree)
        stamp.write_text(recipe)
    return kernel, base


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return [line for line in asked if line.split(">")[0] in WHEELS]


def _packages(place: str, architecture: str, names: Iterable[str]) -> list[Path]:
    """The packages and what they depend on; apt checks their signatures."""
    home = CACHE / place
    archives = home / "cache/archives"
    for folder in (home / "state/lists/partial", archives / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    (home / "debian.sources").write_text(
        f"Types: deb\nURIs: http://deb.debian.org/debian\nSuites: {SUITE} {SUITE}-updates\nComponents: main\n"
        f"Architectures: {architecture}\nSigned-By: {KEYS}\n"
    )
    options = {
        "Dir::State": home / "state",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "Dir::Etc::sourcelist": home / "debian.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "5",
    }
    apt = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]
    say(f"fetches the list of Debian {SUITE}'s {architecture} packages, 10 MB")
    _run([*apt, "update"])
    _run([*apt, "autoclean"])
    say(f"fetches {' '.join(names)} for {architecture}, with all they need")
    _run([*apt, "--no-install-recommends", "--download-only", "install", *names])
    return sorted(archives.glob("*.deb"))


def _compile(tree: Path, folders: Iterable[Path]) -> None:
    """Compiles Python's files with the guest's version of Python, run here: emulated, it would take minutes."""
    home = CACHE / "interpreter"
    if not home.exists():
        native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
        _unpack(_packages("compiler", native.strip(), [f"python{PYTHON}-minimal"]), home)
    say("compiles Python's files")
    (loader,) = (home / "usr/lib").glob("*/ld-linux*.so.?")
    python = [loader, "--library-path", loader.parent, home / f"usr/bin/python{PYTHON}"]
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "-s", tree, "-p", "/"]
    _run([*python, *compile_all, *folders], PYTHONHOME=str(home / "usr"))


def _unpack(packages: list[Path], tree: Path) -> None:
    say(f"unpacks {len(packages)} packages")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for name in MERGED:
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    excluded = [f"--exclude=./{path}" for path in UNNEEDED]
    for package in packages:
        archive = CACHE / "archive.tar"
        with archive.open("wb") as file:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=file, check=True)
        _run(["tar", "-x", "-f", archive, "-C", tree, "--keep-directory-symlink", *excluded])
        archive.unlink()


def _take_module(tree: Path) -> None:
    (package,) = (CACHE / "guest/cache/archives").glob("linux-image-[0-9]*.deb")
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        (member,) = (member for member in members if member.name.endswith(BLOCK))
        packed = members.extractfile(member)
        assert packed is not None
        (tree / "usr/lib/virtio_blk.ko").write_bytes(lzma.decompress(packed.read()))


def _install(tree: Path) -> None:
    """What the packages' scripts would have made, and a virtual environment as the units expect it."""
    for name in ("passwd", "group"):
        shutil.copy(tree / f"usr/share/base-passwd/{name}.master", tree / f"etc/{name}")
    for name in ("sh", "mount", "mkdir", "ln", "poweroff", "cat", "ls", "sleep"):
        if not (tree / "usr/bin" / name).exists():
            (tree / "usr/bin" / name).symlink_to("busybox")
    for folder in ("proc", "sys", "dev", "run", "tmp", "root", "var/lib"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    say("fetches wheels for arm64, 26 MB")
    site = tree / SITE
    platforms = [f"--platform=manylinux_{tag}_aarch64" for tag in ("2_28", "2_17")]
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile"]
    only = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    _run([*pip, *only, *platforms, "--target", site, *_requirements()])
    shutil.rmtree(site / "bin", ignore_errors=True)
    for tests in [*site.rglob("tests"), *site.rglob("*.pyi")]:
        shutil.rmtree(tests) if tests.is_dir() else tests.unlink(missing_ok=True)
    (tree / VENV / "bin").mkdir()
    for name in ("python", "python3"):
        (tree / VENV / "bin" / name).symlink_to(f"/usr/bin/python{PYTHON}")
    (tree / VENV / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {PYTHON}\n")


def _pack(tree: Path, archive: Path) -> None:
    """Not compressed: an emulated processor would take longer to unpack it than the memory is worth."""
    names = sorted(os.fsencode(path.relative_to(tree)) for path in tree.rglob("*"))
    with archive.open("wb") as out:
        command = ["cpio", "--quiet", "--null", "--create", "--format=newc", "--owner=0:0"]
        subprocess.run(command, cwd=tree, input=b"\0".join([*names, b""]), stdout=out, check=True)


def _run(command: Iterable[str | Path], **environment: str) -> None:
    subprocess.run(["nice", "-n", "7", *command], stdout=subprocess.DEVNULL, check=True, env=os.environ | environment)
