"""`kiosk health`: what the running kiosk answers, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.domain.decision import Reason
from kiosk.domain.updates import Faulted, Recovered
from kiosk.sections import HealthConfig
from kiosk.station.vitals import telling

from .conftest import Command


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "health.sock"


@pytest.fixture
def config(tmp_path: Path, path: Path) -> Path:
    file = tmp_path / "kiosk.toml"
    file.write_text(f'[health]\nsocket = "{path}"\n')
    return file


def test_it_shows_the_text_and_fails_while_something_is_wrong(kiosk: Command, config: Path, path: Path) -> None:
    silent: list[str] = []
    with telling(HealthConfig(socket=path), lambda: silent, lambda _: None) as publish:
        well = kiosk("health", "--config", config)
        assert (well.status, "kiosk_silent_threads 0" in well.out) == (0, True)
        publish(Faulted(Reason.CAMERA_UNAVAILABLE, "unplugged"))
        ill = kiosk("health", "--config", config)
        assert (ill.status, 'kiosk_fault{reason="camera_unavailable"} 1' in ill.out) == (1, True)
        publish(Recovered(Reason.CAMERA_UNAVAILABLE))
        silent.append("camera")
        assert kiosk("health", "--config", config).status == 1


def test_a_kiosk_that_does_not_run_is_one_line(kiosk: Command, config: Path) -> None:
    told = kiosk("health", "--config", config)
    assert (told.status, len(told.err)) == (2, 1)
    assert "does it run?" in told.err[0]


def test_without_a_socket_it_says_what_to_set(kiosk: Command, tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text("")
    told = kiosk("health", "--config", tmp_path / "kiosk.toml")
    assert told.status == 2
    assert "[health] socket" in told.err[0]
