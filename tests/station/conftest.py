"""A home with a gallery, for those who write to one."""

from __future__ import annotations

from tests.storage.conftest import gallery, home

__all__ = ["gallery", "home"]
