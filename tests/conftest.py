"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.far_side"]


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """`kiosk run` sets up the logs of its process; the next test begins without."""
    yield
    structlog.reset_defaults()
