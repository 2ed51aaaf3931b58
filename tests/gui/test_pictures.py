"""The pictures of the README are what a user of the demonstration sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TAKE = Path(__file__).parents[2] / "deploy" / "pictures" / "take.py"


@pytest.mark.qt
@pytest.mark.prove
@pytest.mark.usefixtures("application")
def test_each_picture_is_taken_and_whoever_is_let_in_is_greeted_by_name(tmp_path: Path) -> None:
    """take.py itself looks at the name. It once opened the gallery without the key, and the picture had none."""
    done = subprocess.run([sys.executable, TAKE, tmp_path], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"idle.png", "checking.png", "granted.png", "refused.png"}
