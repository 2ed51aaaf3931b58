"""Test suites for whoever writes a camera, lock, panel or notifier: what every plug-in of a kind must do.

The project's own plug-ins pass the same suites (tests/contract). They need pytest, and are imported by tests only:

    from kiosk.testing.notifiers import NotifierContract, NotifierRig

    class TestPaperNotifier(NotifierContract):
        @pytest.fixture
        def plugin(self) -> type:
            return PaperNotifier

        @pytest.fixture
        def rig(self, tmp_path: Path) -> NotifierRig:
            ...
"""

import pytest

NAMES = ("cameras", "locks", "notifiers", "panel_rig", "panels")
pytest.register_assert_rewrite(*(f"kiosk.testing.{name}" for name in NAMES))
