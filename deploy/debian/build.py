"""Builds the Debian package face-kiosk: the program, its locked dependencies, units, pages.

Wheels are unpacked for the package's architecture, never run: a package for arm64 is built on any machine. The same
commit, lock and tools give the same bytes (SOURCE_DATE_EPOCH, by default the time of the commit).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import manual  # noqa: E402 - lies beside this file, which is no package
import sbom  # noqa: E402
import trim  # noqa: E402

APPARMOR = ROOT / "deploy" / "apparmor"
MACHINE = {"logind.conf": "systemd/logind.conf.d", "system.conf": "systemd/system.conf.d", "sysctl.conf": "sysctl.d"}
"""Files of deploy/machine, and their folders in /usr/lib."""
EXAMPLES = ("kiosk.toml", "setup.toml")
PAGES = (
    "deploy/*.md",
    "deploy/decisions/*.md",
    "models/README.md",
    "deploy/*.conf",
    "deploy/machine/*",
    "deploy/apparmor/**/*",
)
"""Documents, and the small files that they link to and that a package installs under other names."""
UNITS = Path("usr/lib/systemd/system")
NAME = "face-kiosk"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
TREE = Path("usr/lib/face-kiosk")
PROGRAMS = {"kiosk": "kiosk.__main__", "kiosk-door": "kiosk.door.__main__", "kiosk-notify": "kiosk.notify.__main__"}
LATEST_GLIBC = "manylinux_2_39"
"""Wheels for at most this glibc: what both releases have (trixie 2.41, noble 2.39)."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Release:
    """A release of an operating system: its Python, and what package versions for it end with."""

    python: str
    suffix: str


RELEASES = {"trixie": Release("3.13", "+deb13"), "noble": Release("3.12", "+ubuntu24.04")}


def main() -> None:
    """The command `python deploy/debian/build.py`; prints the path of the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=MACHINES, default="amd64")
    parser.add_argument("--release", choices=RELEASES, default="trixie")
    parser.add_argument("--version", help="of the package, without the release's ending; by default from the commit")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--level", type=int, default=1, help="of compression: 0 (none), 1 (quick) to 9 (small)")
    parser.add_argument("--tools", type=Path, required=True, help="bin folder with uv and hatchling (lock-build.txt)")
    options = parser.parse_args()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    release = RELEASES[options.release]
    version = (options.version or default_version(epoch)) + release.suffix
    stage = ROOT / "build" / ".deb" / f"{options.release}-{options.arch}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    site = stage / TREE / "lib" / f"python{release.python}" / "site-packages"
    unpack(site, options.tools, options.arch, release, stage.parent)
    environment(stage / TREE, release)
    needed = trim.trim(site)
    files_of_the_system(stage)
    bill = sbom.bill(site, ROOT / "models" / "manifest.toml", version, options.arch, epoch)
    documents(stage, site, version, epoch, bill, HERE / f"lock-{release.python}.txt")
    normalise(stage)
    control(stage, version, options.arch, release, needed)
    options.out.mkdir(exist_ok=True)
    package = options.out / f"{NAME}_{version}_{options.arch}.deb"
    packing = ["dpkg-deb", "--root-owner-group", "--threads-max=2"]
    packing += ["-Zxz", f"-z{options.level}"] if options.level else ["-Znone"]
    _run(*packing, "--build", str(stage), str(package))
    Path(f"{package}.cdx.json").write_text(bill)
    print(package)


def default_version(epoch: int) -> str:
    """The program's version where the commit has its tag, else one before it that says when and which."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "kiosk" / "__init__.py").read_text())
    assert found is not None
    plain = found[1]
    if f"v{plain}" in _git("tag", "--points-at", "HEAD").split():
        return plain
    when = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d%H%M%S")
    return f"{plain}~{when}.{_git('rev-parse', '--short=8', 'HEAD')}"


def maintainer() -> str:
    """Who answers for the package: as Debian's tools ask it of the environment."""
    name, address = os.environ.get("DEBFULLNAME"), os.environ.get("DEBEMAIL")
    return f"{name or 'The Face Kiosk authors'} <{address or 'root@localhost'}>"


def unpack(site: Path, tools: Path, arch: str, release: Release, work: Path) -> None:
    """Puts the locked wheels and the program's own into `site`, for another machine than this one too."""
    wheels = work / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    _run(str(tools / "hatchling"), "build", "--target", "wheel", "--directory", str(wheels))
    install = [str(tools / "uv"), "pip", "install", "--quiet", "--target", str(site), "--no-deps", "--no-config"]
    install += ["--python", str(tools / "python"), "--python-version", release.python, "--link-mode", "copy"]
    install += ["--python-platform", f"{MACHINES[arch]}-{LATEST_GLIBC}", "--only-binary", ":all:"]
    _run(*install, "--require-hashes", "--requirements", str(HERE / f"lock-{release.python}.txt"))
    _run(*install, *(str(w) for w in wheels.glob("*.whl")))


def environment(tree: Path, release: Release) -> None:
    """What makes `tree` a virtual environment that sees the system's packages, and its programs."""
    lines = ["home = /usr/bin", "include-system-site-packages = true", f"version = {release.python}.0"]
    (tree / "pyvenv.cfg").write_text("".join(f"{line}\n" for line in lines))
    (tree / "bin").mkdir()
    (tree / "bin" / "python3").symlink_to("/usr/bin/python3")
    for name in ("python", f"python{release.python}"):
        (tree / "bin" / name).symlink_to("python3")
    programs = tree.parents[1] / "bin"
    programs.mkdir()
    for name, module in PROGRAMS.items():
        start = f"#!/{TREE}/bin/python3 -Ps\nimport sys\n\nfrom {module} import main\n\nsys.exit(main())\n"
        (tree / "bin" / name).write_text(start)
        (programs / name).symlink_to(f"../lib/face-kiosk/bin/{name}")


def files_of_the_system(stage: Path) -> None:
    """Units, users, folders, rules, profiles, examples, and what maintainer scripts call."""
    lib, examples = stage / "usr" / "lib", stage / "usr" / "share" / "doc" / NAME / "examples"
    units = stage / UNITS
    for unit in sorted((ROOT / "systemd").glob("kiosk*.*")):
        _copy(unit, units / unit.name)
        if unit.suffix == ".service":
            _copy(HERE / "unchecked.conf", units / f"{unit.name}.d" / "10-unchecked.conf")
    _copy(ROOT / "deploy" / "sysusers.conf", lib / "sysusers.d" / f"{NAME}.conf")
    _copy(ROOT / "deploy" / "tmpfiles.conf", lib / "tmpfiles.d" / f"{NAME}.conf")
    _copy(ROOT / "deploy" / "udev.rules", lib / "udev" / "rules.d" / f"70-{NAME}.rules")
    for name, folder in MACHINE.items():
        _copy(ROOT / "deploy" / "machine" / name, lib / folder / f"70-{NAME}.conf")
    for profile in sorted(APPARMOR.rglob("*kiosk*")):
        _copy(profile, stage / "etc" / "apparmor.d" / profile.relative_to(APPARMOR))
    for name in EXAMPLES:
        _copy(ROOT / "deploy" / name, examples / name)
    for drop_in in sorted((ROOT / "deploy").glob("*.d/*.conf")):
        _copy(drop_in, examples / drop_in.parent.name / drop_in.name)
    for script in ("worse.py", "pin.py", "present.py"):
        _copy(HERE / script, stage / "usr" / "share" / NAME / script)


def documents(stage: Path, site: Path, version: str, epoch: int, bill: str, lock: Path) -> None:
    """Copyright, changes, man pages, completion, the bill of materials, the lock, and the pages that others name."""
    share = stage / "usr" / "share"
    doc = share / "doc" / NAME
    when = datetime.fromtimestamp(epoch, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    entry = f"{NAME} ({version}) unstable; urgency=medium\n\n  * See CHANGES.md.gz beside this file.\n\n"
    _packed(doc / "changelog.gz", f"{entry} -- {maintainer()}  {when}\n")
    _packed(doc / "CHANGES.md.gz", (ROOT / "CHANGELOG.md").read_text())
    _packed(doc / "sbom.cdx.json.gz", bill)
    _packed(doc / "lock.txt.gz", lock.read_text())
    (doc / "copyright").write_text((HERE / "copyright").read_text() + sbom.licences(site))
    pages(doc, site)
    date = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d")
    for page, text in manual.pages(version, date, (ROOT / "deploy" / "kiosk.toml").read_text()).items():
        _packed(share / "man" / f"man{page[-1]}" / f"{page}.gz", text)
    for path, text in manual.completions().items():
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        (share / path).write_text(text)
    overrides = share / "lintian" / "overrides" / NAME
    _copy(HERE / "lintian-overrides", overrides)


def pages(doc: Path, site: Path) -> None:
    """The pages of deploy/ in the same places below `doc`, so that `deploy/door.md` in a line of the programs is a file
    there, and what they link to beside them. `doc` and `site` lie in one stage; units and examples are there already.
    """
    for page in (p for pattern in PAGES for p in sorted(ROOT.glob(pattern)) if p.is_file()):
        _copy(page, doc / page.relative_to(ROOT))
    for example in sorted((doc / "examples").iterdir()):
        (doc / "deploy" / example.name).symlink_to(f"../examples/{example.name}")
    manifest = Path("kiosk") / "_models" / "manifest.toml"
    there = {"kiosk": site / "kiosk", "models/manifest.toml": site / manifest, "systemd": doc.parents[3] / UNITS}
    for name, installed in there.items():
        link = doc / name
        link.symlink_to(os.path.relpath(installed, link.parent))
    for page in sorted(p for p in doc.rglob("*.md") if not p.is_symlink()):
        page.write_text(living(page.read_text(), page.parent))


def living(text: str, folder: Path) -> str:
    """A page without its links to what a package has not: only their words stay."""
    return re.sub(r"\[([^]]*)\]\(([^)#\s]+)[^)]*\)", lambda found: _link(found, folder), text)


def _link(found: re.Match[str], folder: Path) -> str:
    leads = "://" in found[2] or (folder / found[2]).exists()
    return found[0] if leads else found[1]


def normalise(stage: Path) -> None:
    """The same modes and times, whoever builds."""
    for path in (stage, *sorted(stage.rglob("*"))):
        if not path.is_symlink():
            runs = path.is_dir() or path.is_relative_to(stage / TREE / "bin")
            path.chmod(0o755 if runs else 0o644)
        epoch = int(os.environ["SOURCE_DATE_EPOCH"])
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def control(stage: Path, version: str, arch: str, release: Release, needed: trim.Needed) -> None:
    """DEBIAN/: what dpkg reads, and the maintainer scripts."""
    folder = stage / "DEBIAN"
    folder.mkdir()
    size = sum(p.lstat().st_size for p in stage.rglob("*") if p.is_file() and not p.is_symlink()) // 1024
    major, minor = release.python.split(".")
    python = f"python3 (>= {release.python}~), python3 (<< {major}.{int(minor) + 1}~)"
    values = {"version": version, "arch": arch, "size": str(size), "python": python}
    values["maintainer"] = maintainer()
    values |= {"libraries": ", ".join(needed.packages), "window": ", ".join(needed.window)}
    (folder / "control").write_text((HERE / "control").read_text().format(**values))
    library = (HERE / "library.sh").read_text()
    for script in SCRIPTS:
        (folder / script).write_text((HERE / script).read_text().replace("# LIBRARY\n", library))
    kept = [f"/{p.relative_to(stage)}\n" for p in sorted((stage / "etc").rglob("*")) if p.is_file()]
    if kept:
        (folder / "conffiles").write_text("".join(kept))
    (folder / "md5sums").write_text("".join(_sums(stage)))
    for path in (folder, *folder.iterdir()):  # whatever the umask of whoever builds
        path.chmod(0o755 if path == folder or path.name in SCRIPTS else 0o644)


def _sums(stage: Path) -> Iterator[str]:
    for path in sorted(stage.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.is_relative_to(stage / "DEBIAN"):
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            yield f"{digest}  {path.relative_to(stage)}\n"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _packed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _run(*words: str) -> None:
    subprocess.run(words, cwd=ROOT, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"] == NAME
    main()
