"""`kiosk subjects list` and other reading commands on a file system that cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.storage.conftest import Mount, a_reference, small_disk

__all__ = ["small_disk"]
Command = Callable[..., Any]


@pytest.mark.parametrize("state", ["read-only", "full"])
def test_subjects_list_works_on_a_read_only_card(kiosk: Command, small_disk: tuple[Path, Mount], state: str) -> None:
    folder, mount = small_disk
    folder.chmod(0o700)
    with closing(open_gallery(Home(folder))) as gallery:
        ada = gallery.add_subject("Ada", [a_reference(1)])
    if state == "full":
        with pytest.raises(OSError, match="No space"):
            (folder / "ballast").write_bytes(bytes(2**20))
    else:
        mount("-o", "remount,ro")
    before = sorted(p.name for p in folder.iterdir())
    assert [row["subject"] for row in kiosk("subjects", "list", "--json", at=folder).rows] == [ada.id]
    assert [row["subject"] for row in kiosk("subjects", "show", "--json", ada.id, at=folder).rows] == [ada.id]
    assert [row["outcome"] for row in kiosk("audit", "show", "--json", at=folder).rows] == ["enrolled"]
    checks = {row["name"]: row["state"] for row in kiosk("doctor", "--json", at=folder).checks}
    assert checks["gallery"] == "ok"
    assert sorted(p.name for p in folder.iterdir()) == before
    said = kiosk("subjects", "disable", ada.id, at=folder)
    assert (said.status, len(said.err)) == (2, 1)
    assert "cannot be written" in said.err[0] or "the disk is full" in said.err[0]
