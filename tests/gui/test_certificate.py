"""The certificate says everything that is out of reach, in each complete language."""

from __future__ import annotations

import pytest

from kiosk.domain.certificate import OutOfReach, Remains
from kiosk.gui.catalogue import COMPLETE, texts
from kiosk.gui.certificate import sentences


@pytest.mark.parametrize("language", COMPLETE)
@pytest.mark.parametrize("kind", OutOfReach)
def test_each_kind_has_its_sentences_with_its_values(language: str, kind: OutOfReach) -> None:
    known = texts(language)
    assert f"left.{kind}" in known
    assert f"left_until.{kind}" in known
    said = " ".join(sentences(known, Remains(kind, 417, "/media/stick", "2026-11-29", "gone")))
    assert "{" not in said
    wanted = {
        OutOfReach.FOLDER_AWAY: ("/media/stick", "gone"),
        OutOfReach.FOLDER_LEFT: ("417", "/media/stick"),
        OutOfReach.EXPORTED: ("417", "2026-11-29"),
        OutOfReach.SET_ASIDE: ("/media/stick",),
        OutOfReach.LOG_CUT: ("417",),
    }
    assert all(value in said for value in wanted.get(kind, ()))
