"""A kiosk that waits for the passphrase of its key."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kiosk.config import Config
from kiosk.domain.decision import Reason
from kiosk.domain.errors import GalleryError, HomeBusyError
from kiosk.domain.updates import Faulted, Recovered, Update
from kiosk.ipc.client import Connection
from kiosk.sections import ControlConfig, KeysConfig
from kiosk.station.control_client import RemoteRegister
from kiosk.station.locked import waiting
from kiosk.storage import passphrase
from kiosk.storage.home import Home
from kiosk.storage.passphrase import PassphraseKey
from tests.storage.test_passphrase import KEY, WORDS, Asked


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PassphraseKey:
    monkeypatch.setattr(passphrase, "MEMORY_KIB", 64)
    PassphraseKey(tmp_path / "sealed", Asked(WORDS)).write(KEY)
    return PassphraseKey(tmp_path / "sealed")


def test_it_takes_the_passphrase_and_nothing_else(tmp_path: Path, source: PassphraseKey) -> None:
    config = Config(control=ControlConfig(socket=tmp_path / "control.sock"), keys=KeysConfig(passphrase=True))
    home, told = Home(tmp_path / "home"), list[Update]()
    with waiting(config, home, source, told.append) as opened:
        assert [event.reason for event in told if isinstance(event, Faulted)] == [Reason.LOCKED]
        with closing(RemoteRegister(Connection(tmp_path / "control.sock"))) as register:
            assert register.locked
            for asked in (register.everybody, lambda: register.find("Ada"), lambda: register.erase("0" * 16, "asked")):
                with pytest.raises(GalleryError, match="waits for the passphrase"):
                    asked()
            with pytest.raises(GalleryError, match="not the passphrase"):
                register.unlock("something else entirely")
            assert not opened.is_set()
            with pytest.raises(HomeBusyError), home.lock():
                pass
            register.unlock(WORDS)
        assert opened.wait(20.0)
        assert source.read() == KEY
    assert [event.reason for event in told if isinstance(event, Recovered)] == [Reason.LOCKED]
    with home.lock():
        pass


def test_without_the_passphrase_it_is_never_told_to_work_again(tmp_path: Path, source: PassphraseKey) -> None:
    told: list[Update] = []
    with waiting(Config(), Home(tmp_path / "home"), source, told.append):
        pass
    assert not [event for event in told if isinstance(event, Recovered)]
    assert source.waiting
