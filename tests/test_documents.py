"""What the documents say of the program is so: names, paths, layers."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.walks import LANDMARKS

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PAGES = sorted(p for p in ROOT.rglob("*.md") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts))


def defined(file: Path) -> set[str]:
    """Functions, classes and methods of a module: "Class.method"."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return found


def steps(text: str) -> list[tuple[str, str]]:
    """(file, function) of the walks: each function belongs to the file that was named last."""
    found, file = [], ""
    for word in re.findall(r"`([^`\n]+)`", text):
        if word.startswith("kiosk/"):
            file = word
        elif re.fullmatch(r"_?[a-z]\w*|[A-Z]\w*\.\w+", word):
            found.append((file, word))
    return found


def test_the_walks_name_functions_that_are_there() -> None:
    walks = ARCHITECTURE.split("## Three walks")[1].split("### How long they are")[0]
    named = steps(walks)
    assert len(named) > 30
    missing = [(file, function) for file, function in named if function not in defined(ROOT / file)]
    assert missing == []


def test_the_layers_are_those_that_are_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    (told,) = re.findall(r"```text\n(.*?)```", ARCHITECTURE.split("## Layers")[1], re.DOTALL)
    assert told.splitlines() == layers


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_paths_in_the_architecture_are_there() -> None:
    named = re.findall(r"`((?:kiosk|tests|deploy)/[\w/.-]+\.\w+)`", ARCHITECTURE)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_short(page: Path) -> None:
    """But for tables, and for what cannot be broken: a link, a word."""
    lines = [line for line in page.read_text().splitlines() if not line.lstrip(" *").startswith("|")]
    assert [line for line in lines if len(line) > 120 and " " in line.strip()] == []


DECISIONS = sorted((ROOT / "deploy" / "decisions").glob("0*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_decisions_have_one_shape(page: Path) -> None:
    number = page.stem.split("-")[0]
    head = rf"# {number} [^\n]+\n\n- Date: \d{{4}}-\d\d-\d\d\n- Status: (accepted|replaced)"
    assert re.match(head, page.read_text())
    assert re.findall(r"^## (.*)", page.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_changes_are_sorted() -> None:
    parts = re.findall(r"^(##+) (.*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert parts[0][0] == "##"
    assert {name for marks, name in parts if marks == "###"} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed"}


def test_decisions_are_all_in_their_list_by_number() -> None:
    listed = re.findall(r"^- \[(\d{4})\]\(([^)]+)\)", (ROOT / "deploy/decisions/README.md").read_text(), re.MULTILINE)
    assert listed == [(page.stem.split("-")[0], page.name) for page in DECISIONS]
    numbers = [int(number) for number, _ in listed]
    assert numbers == sorted(set(numbers)), "a number stands for one decision; several are written at the same time"


def test_the_walks_are_counted_at_functions_that_are_there() -> None:
    there = {function for file in (ROOT / "kiosk").rglob("*.py") for function in defined(file)}
    assert LANDMARKS - there == set()
