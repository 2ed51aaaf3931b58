"""Qt, offscreen. Where it cannot be loaded its tests are skipped, naming the package; in CI that is a failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from kiosk.domain.errors import KioskError
from kiosk.gui.app import create_application
from tests.gui.kit import Kit

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication


@pytest.fixture(scope="session")
def _application() -> QApplication:
    try:
        return create_application(["kiosk"], offscreen=True)
    except KioskError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def application(_application: QApplication) -> Iterator[QApplication]:
    """The application. A warning of Qt during the test fails it."""
    from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

    said: list[str] = []

    def hear(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        if kind is not QtMsgType.QtDebugMsg and kind is not QtMsgType.QtInfoMsg:
            said.append(message)

    before = qInstallMessageHandler(hear)
    yield _application
    _application.processEvents()
    qInstallMessageHandler(before)
    # Qt's offscreen platform says so of every window, and nobody can do anything about it.
    assert [s for s in said if "propagateSizeHints" not in s] == []


@pytest.fixture
def make(application: QApplication) -> Iterator[Callable[..., Kit]]:
    """Makes windows (see Kit), which are closed after the test."""
    kits: list[Kit] = []

    def build(**options: Any) -> Kit:
        kits.append(Kit(application, **options))
        return kits[-1]

    yield build
    for kit in kits:
        kit.close()
