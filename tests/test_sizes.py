"""No file is so long that a reader loses the thread."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 300
"""Lines."""


def test_no_file_is_longer_than_300_lines() -> None:
    files = [p for part in ("kiosk", "models") for p in (ROOT / part).rglob("*.py")]
    lines = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in files}
    assert {"kiosk/station/pipeline.py", "models/train/embedder/training.py"} <= set(lines)
    assert {file: n for file, n in lines.items() if n > LONGEST} == {}
