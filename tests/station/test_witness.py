"""The real kiosk-door beside a real gallery: whoever puts an old copy back is noticed."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kiosk.domain.door.roles import Verb
from kiosk.domain.door.state import DoorState
from kiosk.domain.door.witness import MOST_EPOCHS, Disbelief
from kiosk.domain.errors import DoorError, NotAllowedError, TamperedError
from kiosk.domain.people import NewReference
from kiosk.ipc.door_messages import DisbelievedMessage, RefusedMessage, StateMessage, encode
from kiosk.station import witness
from kiosk.station.door_client import DoorClient
from kiosk.station.witness import DOUBTS, GalleryWitness, doubted, shown, witnessed
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.storage.roster import unsealed
from kiosk.storage.rotation import rotate
from kiosk.storage.sealed import SealedRows
from kiosk.system.health import Health
from tests.storage import old_galleries

if TYPE_CHECKING:
    from tests.doors import Doors, RunningDoor
    from tests.station.conftest import Script

VECTOR = np.arange(128, dtype=np.float32) - 60


@pytest.fixture
def door(doors: Doors) -> RunningDoor:
    return doors.start()


def enrol(gallery: Gallery, name: str) -> str:
    return gallery.add_subject(name, [NewReference(VECTOR, "model", 1.0)]).id


def show(home: Home, door: RunningDoor) -> None:
    """What a kiosk does that starts now."""
    with closing(open_gallery(home)) as opened, closing(GalleryWitness(door.socket, home, opened.vault)) as witness:
        witness.show()


def put_back(copy: Path, home: Home) -> None:
    """As somebody would who has the card in another machine."""
    for rest in home.folder.glob("gallery.db-*"):
        rest.unlink()
    shutil.copy(copy, home.database)


def copied(home: Home, gallery: Gallery, to: Path) -> Path:
    """A copy of the whole gallery."""
    gallery.store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(home.database, to))


def test_an_old_copy_does_not_bring_back_who_was_removed(
    home: Home, gallery: Gallery, door: RunningDoor, doors: Doors, tmp_path: Path
) -> None:
    who = enrol(gallery, "Ben")
    show(home, door)
    copy = copied(home, gallery, tmp_path / "copy")
    gallery.remove(who)
    show(home, door)
    gallery.close()
    put_back(copy, home)
    with pytest.raises(TamperedError, match="forget-gallery"):
        show(home, door)
    door.process.terminate()
    door.process.wait(30)
    again = doors.start()
    with pytest.raises(TamperedError, match="older"):  # the door's memory outlasts its process
        show(home, again)
    with DoorClient(again.socket) as client:
        client.forget_gallery(5.0)
    show(home, again)


def test_nor_does_one_that_was_changed_until_it_is_as_new(
    home: Home, gallery: Gallery, door: RunningDoor, tmp_path: Path
) -> None:
    """Both list the same people with the same versions: only the marks of their changes differ."""
    who = enrol(gallery, "Ben")
    show(home, door)
    copy = copied(home, gallery, tmp_path / "copy")
    gallery.set_disabled(who, True)
    show(home, door)
    show(home, door)
    newest = gallery.data_version()
    gallery.close()
    put_back(copy, home)
    with closing(open_gallery(home)) as fork:
        fork.set_validity(who, None, None)
        assert fork.data_version() == newest
    with pytest.raises(TamperedError, match="put an old copy back and changed it"):
        show(home, door)


def test_another_master_key_or_a_restart_is_no_other_story(home: Home, gallery: Gallery, door: RunningDoor) -> None:
    enrol(gallery, "Ben")
    show(home, door)
    roster = SealedRows(gallery.store, gallery.vault).roster()
    assert unsealed(roster.seal(gallery.vault), gallery.vault).digest == roster.digest
    rotate(gallery.store, home.keys)
    show(home, door)
    show(home, door)


def test_a_state_that_another_command_has_overtaken_is_no_old_copy(
    home: Home, gallery: Gallery, door: RunningDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commands at once: the later state comes to the door first."""
    enrol(gallery, "Ada")
    ask, late = witness.doubted, []

    def overtaken(*asked: Any) -> Disbelief | None:
        if not late:
            late.append(enrol(gallery, "Ben"))
            show(home, door)
        return ask(*asked)

    with closing(GalleryWitness(door.socket, home, gallery.vault)) as first:
        monkeypatch.setattr(witness, "doubted", overtaken)
        late.append("no")
        show(home, door)
        late.clear()
        enrol(gallery, "Cleo")
        first.show()
    assert late


@pytest.mark.parametrize("doubt", Disbelief)
def test_each_doubt_says_what_it_is_and_what_to_do(scripted: Script, doubt: Disbelief) -> None:
    assert doubted(scripted([[encode(DisbelievedMessage(why=doubt))]]), "epoch", 1, "0" * 64) is doubt
    assert "sudo kiosk door forget-gallery" in DOUBTS[doubt]


def test_the_201st_gallery_is_not_called_an_old_copy(door: RunningDoor) -> None:
    for number in range(MOST_EPOCHS):
        assert doubted(door.socket, f"epoch {number}", 1, "0" * 64) is None
    assert doubted(door.socket, "another", 1, "0" * 64) is Disbelief.TOO_MANY
    assert doubted(door.socket, "another", 1) is Disbelief.OLDER, "a kiosk of before knows one answer"
    assert "old copy" not in DOUBTS[Disbelief.TOO_MANY]


def test_nor_does_a_copy_of_before_the_sealing(home: Home, door: RunningDoor, tmp_path: Path) -> None:
    """Its rows are sealed anew, with a new list: only the door knows that this was done before."""
    old_galleries.make(home, old_galleries.STEPS)
    copy = Path(shutil.copy(home.database, tmp_path / "copy"))
    show(home, door)
    with closing(open_gallery(home)) as gallery:
        gallery.remove(old_galleries.ADA)
    show(home, door)
    put_back(copy, home)
    with pytest.raises(TamperedError, match="older"):
        show(home, door)


def test_each_change_is_shown_while_the_kiosk_runs_and_a_gallery_put_back_is_lost(
    home: Home, gallery: Gallery, door: RunningDoor
) -> None:
    with closing(GalleryWitness(door.socket, home, gallery.vault, lambda _: None)) as witness:
        witness.turn()
        epoch, before = witness._rows.roster().epoch, gallery.data_version()
        enrol(gallery, "Ben")
        witness.turn()
        assert doubted(door.socket, epoch, before) is not None
        assert witness.lost is None
        assert doubted(door.socket, epoch, gallery.data_version() + 1) is None  # the door knows more than this gallery
        witness._shown = None
        witness.turn()
        assert witness.lost is not None
        assert "forget-gallery" in witness.lost


def test_a_door_that_is_away_is_told_later(home: Home, gallery: Gallery, doors: Doors) -> None:
    socket = doors.folder / "door.sock"
    with closing(GalleryWitness(socket, home, gallery.vault, lambda _: None)) as witness:
        with pytest.raises(DoorError, match="cannot be reached"):
            witness.show()
        witness.turn()
        assert witness.lost is None
        doors.start()
        witness.turn()
        assert doubted(socket, witness._rows.roster().epoch, gallery.data_version() - 1) is not None


def test_a_command_shows_what_it_changes_and_changes_no_old_copy(
    home: Home, gallery: Gallery, door: RunningDoor, tmp_path: Path
) -> None:
    who = enrol(gallery, "Ben")
    copy = copied(home, gallery, tmp_path / "copy")
    with shown(door.socket, home, gallery.vault):
        gallery.remove(who)
    assert doubted(door.socket, SealedRows(gallery.store, gallery.vault).roster().epoch, 1) is Disbelief.OLDER
    gallery.close()
    put_back(copy, home)
    with (
        closing(open_gallery(home)) as old,
        pytest.raises(TamperedError, match="older"),
        shown(door.socket, home, old.vault),
    ):
        pytest.fail("it began")


def test_a_door_that_is_away_hinders_no_command(home: Home, gallery: Gallery, tmp_path: Path) -> None:
    for door in (None, tmp_path / "nowhere"):
        with shown(door, home, gallery.vault):
            enrol(gallery, "Ben")
    assert len(gallery.subjects()) == 2


def test_what_a_command_changed_before_it_failed_is_shown_too(home: Home, gallery: Gallery, door: RunningDoor) -> None:
    def cut_off() -> None:
        with shown(door.socket, home, gallery.vault):
            enrol(gallery, "Ben")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    roster = SealedRows(gallery.store, gallery.vault).roster()
    assert doubted(door.socket, roster.epoch, roster.generation - 1) is Disbelief.OLDER


def test_a_kiosk_does_not_start_without_its_door(home: Home, gallery: Gallery, tmp_path: Path) -> None:
    with (
        pytest.raises(DoorError, match="cannot be reached"),
        witnessed(tmp_path / "nowhere", home, gallery.vault, Health(lambda: 0.0)),
    ):
        pytest.fail("it began")


def test_a_gallery_that_was_never_used_says_nothing(home: Home, gallery: Gallery, tmp_path: Path) -> None:
    with closing(GalleryWitness(tmp_path / "nowhere", home, gallery.vault)) as witness:
        gallery.store.execute("DELETE FROM meta WHERE key = 'roster'")
        gallery.store.commit()
        witness.show()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([encode(RefusedMessage(verb=Verb.WITNESS))], NotAllowedError, "clients"),
        ([encode(StateMessage(state=DoorState.SECURED))], DoorError, "something else"),
        ([], DoorError, "has not answered"),
    ],
)
def test_no_answer_is_no_belief(
    scripted: Script,
    answer: list[bytes],
    error: type[DoorError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk.station.witness.ANSWER_SECONDS", 0.05)
    with pytest.raises(error, match=words):
        doubted(scripted([answer]), "epoch", 1)
