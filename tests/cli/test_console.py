"""How a command finds its home: with a configuration it is never guessed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk import config
from kiosk.__main__ import main
from kiosk.cli.console import home_of
from kiosk.domain.errors import ConfigError
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home

Run = Callable[..., tuple[int, str, list[str]]]
WITHOUT_CONFIG = [
    ["subjects", "show", "Ada"],
    ["subjects", "disable", "Ada"],
    ["subjects", "enable", "Ada"],
    ["subjects", "erase", "Ada", "--yes"],
    ["audit", "show"],
]
"""Commands that know a configuration only as the machine's own."""
WITH_CONFIG = [
    ["subjects", "list"],
    ["subjects", "badge", "Ada", "--clear"],
    ["enrol", "--name", "Ada", "ada.png"],
    ["identify", "ada.png"],
    ["replay", "ada.png"],
    ["run", "--headless"],
    ["door", "status"],
    ["door", "release"],
    ["door", "hold-open"],
    ["door", "secure"],
    ["door", "lockdown"],
    ["door", "monitor"],
    ["door", "simulate", "open"],
    ["door", "pair"],
]


@pytest.fixture
def users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The caller's own folder."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("KIOSK_HOME", raising=False)
    return folder


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's configuration, of a door with a real lock; it does not say where the home is."""
    path = tmp_path / "etc" / "kiosk.toml"
    path.parent.mkdir()
    monkeypatch.setattr(config, "SYSTEM_CONFIG", path)
    path.write_text(f'[door]\nsocket = "{tmp_path}/door.sock"\n[camera]\nkind = "usb"\n')
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """A command without --home."""

    def call(*arguments: str) -> tuple[int, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["kiosk", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return int(stop.value.code or 0), out, err.splitlines()

    return call


@pytest.mark.parametrize("command", WITHOUT_CONFIG + WITH_CONFIG, ids=" ".join)
def test_no_command_makes_a_gallery_of_the_callers_own_beside_a_configured_door(
    run: Run, system: Path, users_own: Path, command: list[str]
) -> None:
    status, out, err = run(*command)
    assert (status, out) == (2, "")
    said = [line for line in err if line.startswith("kiosk: ") and "display" not in line]
    assert said == [
        f"kiosk: {system} does not say where the gallery is: set home in [kiosk], or name the place with --home"
    ]
    assert not (users_own / ".local").exists()


def test_the_doctor_says_that_the_home_is_not_known(run: Run, system: Path, users_own: Path) -> None:
    status, out, _ = run("doctor")
    assert status == 1
    assert f"problem  home       {system} does not say where the gallery is" in out
    assert not (users_own / ".local").exists()


def test_a_command_by_hand_is_recorded_in_the_configured_home(run: Run, system: Path, users_own: Path) -> None:
    home = system.parent / "home"
    open_gallery(Home(home)).close()
    system.write_text(f'[kiosk]\nhome = "{home}"\n[door]\nsocket = "{home}/none.sock"\n')
    status, _, err = run("door", "release")
    assert status == 2
    assert "kiosk-door cannot be reached" in err[0]
    shown = run("audit", "show", "--kind", "outcome")
    assert shown[0] == 0
    assert "unavailable" in shown[1]
    assert not (users_own / ".local").exists()


def test_the_home_that_is_named_comes_first_and_the_users_own_last(system: Path, users_own: Path) -> None:
    system.write_text('[kiosk]\nhome = "/var/lib/kiosk"\n')
    assert home_of(Path("/elsewhere"), None) == Path("/elsewhere")
    assert home_of(None, None) == Path("/var/lib/kiosk")
    other = system.with_name("other.toml")
    other.write_text('[kiosk]\nhome = "/srv/kiosk"\n')
    assert home_of(None, other) == Path("/srv/kiosk")
    system.unlink()
    system.parent.joinpath("other.toml").unlink()
    system.parent.rmdir()
    assert home_of(None, None) == users_own / ".local/share/kiosk"


def test_a_home_that_depends_on_where_a_command_is_given_is_refused() -> None:
    with pytest.raises(ConfigError, match="home must be a whole path"):
        config.parse('[kiosk]\nhome = "kiosk"\n', "kiosk.toml", {})
