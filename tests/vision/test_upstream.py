"""The networks of others that the program knows."""

from __future__ import annotations

import pytest

from kiosk.domain.errors import ModelError
from kiosk.vision.manifest import EmbedderEntry
from kiosk.vision.upstream import known


def test_known_networks_are_described_in_full() -> None:
    """All that an installation needs but the file is in the table."""
    for u in known():
        entry = u.described().entry(u.sha256)
        assert entry.name == u.name
        assert entry.sha256 == u.sha256
        assert entry.licence
        if isinstance(entry, EmbedderEntry):
            assert not entry.operating_points(), "nothing of it was measured here"
        with pytest.raises(ModelError, match="another one"):
            u.described().entry("0" * 64)
    names = [u.name for u in known()]
    assert len(set(names)) == len(names)
    assert {"sface", "yunet"} <= set(names)
