"""Backups and the cut of the log, by a command and by the running kiosk: the same with the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.domain.errors import ConfigError, GalleryError, KioskError
from kiosk.ipc.client import Connection
from kiosk.station.control_client import RemoteRegister
from kiosk.station.desk import RegisterDesk
from kiosk.station.upkeep import Upkeep
from kiosk.storage import recovery
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import checkpoint_record, open_signer, tail
from kiosk.storage.erasure import Keeping
from kiosk.storage.gallery import Gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import verify
from tests.station.registers import MODEL, enrolment, erasing, served
from tests.storage.conftest import a_reference

Keeper = Upkeep | RemoteRegister


@pytest.fixture
def kept(tmp_path: Path) -> Keeping:
    (tmp_path / "stick").mkdir()
    return Keeping(tmp_path / "stick", 7, 4, 30)


@contextmanager
def asked(home: Home, gallery: Gallery, kept: Keeping, folder: Path) -> Iterator[RemoteRegister]:
    """The running kiosk, which keeps this gallery."""
    desk = RegisterDesk(gallery, (MODEL,), enrolment, erasing(folder), Upkeep(home, gallery, kept))
    with served(desk, folder) as path:
        register = RemoteRegister(Connection(path), MODEL)
        yield register
        register.close()


@pytest.fixture(params=["itself", "over the socket"])
def keeper(
    request: pytest.FixtureRequest, home: Home, gallery: Gallery, kept: Keeping, tmp_path: Path
) -> Iterator[Keeper]:
    if request.param == "itself":
        yield Upkeep(home, gallery, kept)
        return
    with asked(home, gallery, kept, tmp_path) as register:
        yield register


def test_a_backup_lies_in_the_folder_and_is_said_to_be_on_the_card(
    keeper: Keeper, home: Home, gallery: Gallery, kept: Keeping
) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    with pytest.raises(KioskError, match="without a recovery passphrase"):
        keeper.back_up()
    recovery.make(gallery.store, home.keys.read() or b"")
    made = keeper.back_up()
    assert kept.folder is not None
    assert list(kept.folder.iterdir()) == [made.path]
    assert not made.off_card


def test_old_records_are_cut_to_the_newest_checkpoint(
    keeper: Keeper, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add_subject("Ada", [a_reference(1)])
    number, link = tail(gallery.store)
    now = datetime.now(UTC)
    Audit(gallery.store).append(
        [checkpoint_record(open_signer(gallery.store, gallery.vault).sign(number, link, now), now)]
    )

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=60)

    assert keeper.cut(dry_run=False) == 0
    monkeypatch.setattr("kiosk.station.upkeep.datetime", Later)
    assert keeper.cut(dry_run=True) == number
    assert keeper.cut(dry_run=False) == number
    kinds = [record.kind.value for record in Audit(gallery.store).records()]
    assert "enrolment" not in kinds
    assert kinds[-2:] == ["chain", "checkpoint"]  # the cut, and what it can be verified from
    assert verify(gallery.store).faults == []


@pytest.mark.parametrize(
    ("act", "words"),
    [(lambda keeper: keeper.back_up(), "backup"), (lambda keeper: keeper.cut(True), "retention")],
)
def test_what_is_not_configured_is_said(
    home: Home, gallery: Gallery, tmp_path: Path, act: Callable[[Keeper], object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        act(Upkeep(home, gallery, Keeping()))
    with asked(home, gallery, Keeping(), tmp_path) as register, pytest.raises(GalleryError, match=words):
        act(register)
