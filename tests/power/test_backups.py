"""After a power cut at any moment of a backup, a restore or an erasure: the gallery is the one of before or the one
after, each backup that has its name is whole, and whoever was erased is in none that the home's key opens.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.storage import backups, restoring
from kiosk.storage.backup_format import opened
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from tests.power.conftest import Scene
from tests.power.test_power import TRIES, Judge, contents, goes_on, look, whole


def whole_backups(left: Path) -> dict[str, str]:
    """The backups that have their name: what opens each, "key" or "paper"."""
    home, found = Home(left / "home"), {}
    for path in sorted((left / "stick").glob("kiosk-*.backup")):
        with opened(path) as backup, closing(open_gallery(home)) as gallery:
            key = backups.opens_with(home, gallery.vault, backup.header)
            if key is not None:
                restoring.check(backup, key)
            found[path.name] = "paper" if key is None else "key"
    return found


@pytest.fixture
def place(place: Path) -> Path:
    """As for the others, and empty: some deeds are cut before there is a home."""
    shutil.rmtree(place, ignore_errors=True)
    return place


@pytest.mark.parametrize("tries", TRIES[1:])
def test_backups(scene: Scene, place: Path, tries: int) -> None:
    scene.deed("backups", "home")

    def check(left: Path, _program: int, said: list[str]) -> None:
        home = Home(left / "home")
        look(home)
        enrolled = [line.split()[1] for line in said if line.startswith("enrolled")]
        with closing(open_gallery(home)) as gallery:
            there = [subject.id for subject in gallery.subjects()]
        assert enrolled == there[1 : len(enrolled) + 1]
        made = [line.split()[1] for line in said if line.startswith("made")]
        found = whole_backups(left)
        # The second one of the day takes the place of the first.
        assert not made or {made[-1]} <= set(found) or len(found) == 1
        assert all(found.get(name, "key") == "key" for name in made)
        whole(home)
        goes_on(home)

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 60
    assert judged > 60


@pytest.mark.parametrize("tries", TRIES[1:])
def test_a_restore_and_an_erasure(scene: Scene, place: Path, tmp_path: Path, tries: int) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[backup]\nfolder = "{scene.root}/stick"\n')
    scene.deed("backups", "home")
    judge = Judge(scene, tmp_path / "spare")
    judge.states = [judge.states[-1], judge.states[-1]]  # the first program is the other test's
    (old,) = (scene.root / "stick").iterdir()
    with closing(open_gallery(Home(tmp_path / "spare"))) as gallery:
        ada = gallery.subjects()[0].id
    scene.kiosk("restore", old, "--yes")
    judge.remember()
    scene.kiosk("subjects", "erase", ada, "--yes", "--config", config)
    judge.remember()
    assert [len(state.subjects) for state in judge.states] == [3, 3, 2, 1]

    def check(left: Path, program: int, said: list[str]) -> None:
        if program == 0:
            return
        home = Home(left / "home")
        look(home)
        found, (before, after) = contents(home), judge.states[program : program + 2]
        assert found == after or (not said and found == before), f"program {program}, said {said}"
        there = whole_backups(left)
        if program == 1 or not said:
            assert there
        else:
            assert set(there.values()) == {"key"}
            assert old.name not in there, "a backup of before the erasure is there again"
        whole(home)
        goes_on(home)

    cuts, judged = scene.cut_everywhere(check, tries, place)
    assert cuts > 100
    assert judged > 100
