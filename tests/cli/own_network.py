"""A foreign network for tests: its description, and the check of a refusal."""

from __future__ import annotations

from typing import Any

ABOUT = """
name = "own"
role = "embedder"
licence = "ours"
data = "ours"
teacher = "none"
input = { colour = "rgb", mean = [127.5, 127.5, 127.5], std = [128.0, 128.0, 128.0], size = [112, 112] }
dimension = 128
template_scale = 317.5
"""


def refused(result: Any, *words: str) -> None:
    """One line on standard error with these words, and status 2."""
    assert result.status == 2, result
    (line,) = result.err
    for word in words:
        assert word in line, line
