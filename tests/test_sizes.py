"""No file of kiosk/ is so long that a reader loses the thread."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "kiosk"
LONGEST = 300
"""Lines."""


def test_no_file_is_longer_than_300_lines() -> None:
    lines = {str(p.relative_to(PACKAGE)): len(p.read_text("utf-8").splitlines()) for p in PACKAGE.rglob("*.py")}
    assert "station/pipeline.py" in lines
    assert {file: n for file, n in lines.items() if n > LONGEST} == {}
