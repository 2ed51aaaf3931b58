"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

import kiosk  # noqa: F401 - before any test imports OpenCV or onnxruntime: it sets what they read then

pytest_plugins = ["tests.far_side", "tests.doors"]

# No test is timed: the machines are shared. `kiosk bench` is where speed is checked.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """`kiosk run` sets up the logs of its process; the next test begins without."""
    yield
    structlog.reset_defaults()
