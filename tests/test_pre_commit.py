"""The hooks before a commit are the commands of `make lint`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_commit_is_checked_by_what_lint_runs() -> None:
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    commands = {line.strip().replace("$(BIN)/", ".venv/bin/") for line in lint.splitlines()[1:]}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    entries = set(re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE))
    assert len(commands) == 5
    # ruff is given the files of the commit, and mends their format instead of only checking it.
    named = {command.removesuffix(" --check .").removesuffix(" .") for command in commands}
    assert named == entries
    assert "repo: local" in hooks
    assert hooks.count("repo:") == 1, "nothing is fetched"
