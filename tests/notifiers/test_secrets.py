"""A secret is a file that only its owner may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.errors import NotifierError
from kiosk.notifiers.secrets import read_secret


def test_a_secret_is_the_files_text_without_what_editors_add(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  pass word\n\n")
    file.chmod(0o640)
    assert read_secret(file) == "pass word"


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (None, 0, "cannot be read"),
        (b"\xff\xfe", 0o600, "cannot be read"),
        (b" \n", 0o600, "is empty"),
        (b"word", 0o604, "chmod o="),
    ],
)
def test_what_is_no_secret_says_why(tmp_path: Path, content: bytes | None, mode: int, problem: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(NotifierError, match=problem) as refused:
        read_secret(file)
    assert str(file) in str(refused.value)
