"""`kiosk gallery check`: what it says of a gallery with planted faults, and of a good one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from kiosk.domain.people import NewReference
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from tests.cli.conftest import Command

MODEL = Manifest(default_folder()).entry("freefacenet", EmbedderEntry).model_id


def person(seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=128)
    return v / np.linalg.norm(v)


def pictures(who: int, first: int, count: int = 3) -> list[NewReference]:
    """Of one person, whose scores with one another are about .65."""
    vectors = [0.806 * person(who) + 0.592 * person(1000 * who + i) for i in range(first, first + count)]
    return [NewReference((317.5 * v).astype(np.float32), MODEL, 1.0) for v in vectors]


def enrolled(gallery: Gallery, who: int) -> str:
    return gallery.add_subject(f"Person {who}", pictures(who, 1)).id


def test_a_good_gallery_has_nothing_wrong(kiosk: Command, home: Path) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        for who in range(1, 6):
            enrolled(gallery, who)
    said = kiosk("gallery", "check")
    assert said.status == 0
    assert said.out[0].startswith("15 references of 5 people; ")
    assert said.out[1:] == ["nothing is wrong"]
    assert kiosk("gallery", "check", "--json").out == []


def test_it_tells_duplicates_and_mixtures_and_who_they_are(kiosk: Command, home: Path) -> None:
    with closing(open_gallery(Home(home))) as gallery:
        ids = {who: enrolled(gallery, who) for who in range(1, 6)}
        again = gallery.add_subject("Again", pictures(2, 10)).id
        mixed = gallery.add_subject("Mixed", pictures(8, 1, 2) + pictures(9, 1, 1)).id
    before = (home / "gallery.db").read_bytes()
    said = kiosk("gallery", "check")
    assert said.status == 1
    text = "\n".join(said.out)
    assert f"one person twice? {' and '.join(sorted((ids[2], again)))} (score 0." in text
    assert f"two people under one name? {mixed}: 2 + 1 references" in text
    assert "Again" not in text, "names are for terminals"
    twice, several = kiosk("gallery", "check", "--json").rows
    assert twice["kind"] == "one_person_twice"
    assert twice["subjects"] == [{"subject": s, "all_references": True} for s in sorted((ids[2], again))]
    assert (several["kind"], several["subject"]) == ("several_people", mixed)
    parts = several["references"]
    assert isinstance(parts, list)
    assert [part["person"] for part in parts] == [1, 1, 2]
    assert (home / "gallery.db").read_bytes() == before


def test_without_a_gallery_it_says_so(kiosk: Command, home: Path) -> None:
    said = kiosk("gallery", "check")
    assert said.status == 2
    assert len(said.err) == 1
    assert not home.exists()
