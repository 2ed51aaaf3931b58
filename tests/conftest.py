"""What all tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

import kiosk  # noqa: F401 - before any test imports OpenCV or onnxruntime: it sets what they read then

pytest_plugins = ["tests.far_side", "tests.doors"]

# No test is timed: the machines are shared. `kiosk bench` is where speed is checked. `make prove` runs all
# properties again, with many more examples.
settings.register_profile("untimed", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=max(100, int(os.environ.get("PROVE_ROUNDS", "1000"))))
settings.load_profile("untimed")

LONG = (
    "cli/test_run.py",
    "faults",
    "cli/test_enrol.py",
    "cli/test_replay.py",
    "notify/test_process.py",
    "power",
    "door",
    "cli",
)
"""Files and folders that take longest. They begin first, so that at the end no worker is alone with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of LONG first. The Makefile keeps pytest-xdist from ordering files by their number of tests."""
    tests = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        return next((n for n, part in enumerate(LONG) if item.path.is_relative_to(tests / part)), len(LONG))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """`kiosk run` sets up the logs of its process; the next test begins without."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of this user's that everybody may pass through, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
