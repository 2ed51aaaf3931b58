"""The sentences of an erasure's certificate about what is out of reach, in the language of whoever reads it. No Qt."""

from __future__ import annotations

from dataclasses import asdict

from kiosk.domain.certificate import Remains
from kiosk.gui.catalogue import Texts


def sentences(texts: Texts, remains: Remains) -> tuple[str, str]:
    """What is left, and when or by what that ends."""
    values = asdict(remains)
    what, ends = (texts(".".join((section, remains.kind)), **values) for section in ("left", "left_until"))
    return what, ends
