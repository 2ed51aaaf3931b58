"""The parts that build the Debian package: lock, bill of materials, man pages, what is left out."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from kiosk.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "deploy" / "debian"


def part(name: str) -> ModuleType:
    spec = spec_from_file_location(f"debian_{name}", DEBIAN / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_the_lock_holds_every_dependency_with_a_hash(python: str) -> None:
    text = (DEBIAN / f"lock-{python}.txt").read_text()
    parts = re.split(r"\n(?=\S)", text)
    locked = {}
    for entry in parts:
        name, version = re.match(r"([\w.-]+)==([\w.]+)", entry).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
        locked[name] = version
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.match(r"[\w-]+", w)[0].lower() for w in wanted} <= set(locked)  # type: ignore[index]
    assert "://" not in text  # which index they come from is said by whoever installs


def test_of_qt_nothing_is_left_out_that_the_window_imports() -> None:
    kept = set(part("trim").MODULES)
    imported = set()
    for file in (ROOT / "kiosk").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("PySide6."):
                imported.add(node.module.split(".")[1])
            if isinstance(node, ast.ImportFrom) and node.module == "PySide6":
                imported |= {alias.name for alias in node.names}
    assert imported == kept


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf (binutils)")
def test_a_library_says_what_it_needs() -> None:
    import _ssl

    assert "libc.so.6" in part("trim").needs(Path(_ssl.__file__))
    assert part("trim").needs(Path(__file__)) == []


def test_the_bill_names_libraries_and_networks(tmp_path: Path) -> None:
    sbom = part("sbom")
    for name, licence in (
        ("Some.Thing", "License-Expression: MIT"),
        ("old", "Classifier: License :: OSI Approved :: BSD"),
    ):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{licence}\n\ntext\n")
    manifest = ROOT / "models" / "manifest.toml"
    text = sbom.bill(tmp_path, manifest, "1~x", "arm64", 1_700_000_000)
    assert text == sbom.bill(tmp_path, manifest, "1~x", "arm64", 1_700_000_000)
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    components = {c["name"]: c for c in bill["components"]}
    assert components["some-thing"]["purl"] == "pkg:pypi/some-thing@1.0"
    assert components["some-thing"]["licenses"] == [{"expression": "MIT"}]
    assert components["old"]["licenses"] == [{"license": {"name": "BSD"}}]
    for network in tomllib.loads(manifest.read_text())["model"]:
        assert components[network["name"]]["hashes"] == [{"alg": "SHA-256", "content": network["sha256"]}]
    assert len(bill["dependencies"][0]["dependsOn"]) == len(bill["components"])
    assert "License: old-1.0\n Stated: BSD." in sbom.licences(tmp_path)


def test_each_command_has_a_man_page_with_its_options() -> None:
    pages = part("manual").pages("1.0", "2026-01-01", '[kiosk]\n.hidden = "no-dash"\n')
    assert {f"kiosk-{command}.1" for command in COMMANDS} | {"kiosk.1", "kiosk-door.8", "kiosk.toml.5"} <= set(pages)
    assert "\\-\\-full\\-screen" in pages["kiosk-run.1"]
    assert '\n\\&.hidden = "no\\-dash"\n' in pages["kiosk.toml.5"]  # a line that begins like one of man's commands


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed (Debian package man-db)")
@pytest.mark.parametrize("page", ["kiosk.1", "kiosk-enrol.1", "kiosk-door.8", "kiosk.toml.5"])
def test_man_reads_the_pages_without_a_warning(tmp_path: Path, page: str) -> None:
    text = part("manual").pages("1.0", "2026-01-01", (ROOT / "deploy" / "kiosk.toml").read_text())[page]
    (tmp_path / page).write_text(text)
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(tmp_path / page)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == ""
    assert "NAME" in re.sub(".\b", "", done.stdout)


def test_completion_is_clicks_own_for_three_shells() -> None:
    found = part("manual").completions()
    assert len(found) == 3
    assert all("_KIOSK_COMPLETE" in text for text in found.values())


@pytest.fixture(name="doc")
def _doc(tmp_path: Path) -> Path:
    """The package's folder of documents, with all that its pages lead to."""
    build = part("build")
    doc, site = tmp_path / "usr" / "share" / "doc" / build.NAME, tmp_path / "usr" / "lib" / "tree" / "site-packages"
    build.files_of_the_system(tmp_path)
    (site / "kiosk").mkdir(parents=True)
    for module in (ROOT / "kiosk").iterdir():
        (site / "kiosk" / module.name).symlink_to(module)
    (site / "kiosk" / "_models").unlink(missing_ok=True)
    (site / "kiosk" / "_models").symlink_to(ROOT / "models")
    build.pages(doc, site)
    return doc


def test_every_page_and_file_that_a_line_of_the_programs_names_is_in_the_package(doc: Path) -> None:
    assert (doc / "deploy" / "door.md").read_bytes() == (ROOT / "deploy" / "door.md").read_bytes()
    named = {
        name
        for file in (ROOT / "kiosk" / "cli").rglob("*.py")
        for name in re.findall(r"deploy/[\w-]+\.(?:md|toml)", file.read_text())
    }
    assert {"deploy/door.md", "deploy/operating.md", "deploy/kiosk.toml"} <= named
    assert [name for name in sorted(named) if not (doc / name).exists()] == []
    assert (doc / "deploy" / "README.md").exists()


def test_links_in_the_package_lead_somewhere(doc: Path) -> None:
    pages = [page for page in doc.rglob("*.md") if doc in page.resolve().parents]
    assert {"operating.md", "0046-package.md"} <= {page.name for page in pages}
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())]
    assert {"decisions/0046-package.md", "../models/README.md", "../kiosk/domain/ports"} <= {link for _, link in links}
    missing = [
        f"{page.name}: {link}" for page, link in links if "://" not in link and not (page.parent / link).exists()
    ]
    assert missing == []


def test_a_link_to_what_the_package_has_not_leaves_its_words(tmp_path: Path) -> None:
    (tmp_path / "here.md").touch()
    text = "[a](here.md#part), [`b`](gone/c.md), [d](https://d.example), `[e](`"
    assert part("build").living(text, tmp_path) == "[a](here.md#part), `b`, [d](https://d.example), `[e](`"


def test_the_control_files_have_the_same_modes_whoever_builds(tmp_path: Path) -> None:
    build = part("build")
    before = os.umask(0o077)
    try:
        build.control(tmp_path, "1", "arm64", build.RELEASES["trixie"], part("trim").Needed((), ()))
    finally:
        os.umask(before)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "DEBIAN", *(tmp_path / "DEBIAN").iterdir())
    }
    scripts = {"preinst", "postinst", "prerm", "postrm"}
    assert {name for name, mode in modes.items() if mode == 0o755} == scripts | {"DEBIAN"}
    assert {name for name, mode in modes.items() if mode == 0o644} == {"control", "md5sums"}
