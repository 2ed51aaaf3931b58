"""The configuration: what is found, what is refused, and what a real lock asks of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kiosk import config
from kiosk.config import Config, find, parse, read, refuse_overrides
from kiosk.domain.errors import ConfigError

GPIO = '[lock]\nkind = "gpio"\nchip = "/dev/gpiochip0"\nline = 17\nactive_high = true\nfail_mode = "secure"\n'


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /etc/kiosk, which does not exist yet."""
    folder = tmp_path / "etc"
    monkeypatch.setattr(config, "SYSTEM_CONFIG", folder / "kiosk.toml")
    return folder


def test_without_any_configuration_it_is_the_demonstration(etc: Path) -> None:
    assert find(None) is None


def test_a_configuration_that_was_named_must_be_there(etc: Path, tmp_path: Path) -> None:
    """Never the demonstration instead: a real door hangs on it."""
    etc.mkdir()
    (etc / "kiosk.toml").touch()
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        find(tmp_path / "gone.toml")
    (tmp_path / "mine.toml").touch()
    assert find(tmp_path / "mine.toml") == tmp_path / "mine.toml"
    assert find(None) == etc / "kiosk.toml"


def test_a_machine_that_was_set_up_for_a_door_is_never_the_demonstration(etc: Path) -> None:
    etc.mkdir()
    with pytest.raises(ConfigError, match=r"exists but kiosk\.toml is missing"):
        find(None)
    (etc / "kiosk.toml").mkdir()
    with pytest.raises(ConfigError, match=r"exists but kiosk\.toml is missing"):
        find(None)


def test_a_place_that_cannot_be_looked_at_is_an_error(etc: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find(Path("x" * 5000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[door", "not valid TOML"),
        ("[dor]", "dor: unknown key"),
        ("[door]\nrelase_seconds = 3", "door.relase_seconds: unknown key"),
        ("[door]\nrelease_seconds = 0", "door.release_seconds"),
        ("[door]\nrelease_seconds = nan", "door.release_seconds"),
        ('[lock]\nkind = "simulated"\n[panel]\nkind = "osdp"\nfacility = 1', "the one or the other"),
        ('[notifiers.Big]\nkind = "led"', "notifiers"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_file_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "kiosk.toml", {})
    (line,) = str(raised.value).splitlines()
    assert line.startswith("kiosk.toml: ")
    assert said in line


def test_it_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().door = Config().door  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "real"),
    [("", False), ('[lock]\nkind = "simulated"', False), (GPIO, True), ('[panel]\nkind = "osdp"\nfacility = 1', True)],
)
def test_only_hardware_is_a_real_lock(text: str, real: bool) -> None:
    assert parse(text, "kiosk.toml", {}).drives_a_real_lock is real


def test_the_environment_overrides_a_key_but_nothing_about_who_is_let_in_before_a_real_lock() -> None:
    lax = {"KIOSK_POLICY__THRESHOLD": "0.1"}
    assert parse(GPIO, "kiosk.toml", lax).policy.threshold == 0.1
    with pytest.raises(ConfigError, match="KIOSK_POLICY__THRESHOLD: before a real lock"):
        refuse_overrides(lax)
    refuse_overrides({"KIOSK_CAMERA__KIND": "usb", "PATH": "/bin"})


def test_what_makes_a_pipeline_count_as_live_is_the_files_alone() -> None:
    with pytest.raises(ConfigError, match="KIOSK_CAMERA__LIVE, KIOSK_CAMERA__PIPELINE"):
        refuse_overrides({"KIOSK_CAMERA__PIPELINE": "rtspsrc", "KIOSK_CAMERA__LIVE": "true"})


@pytest.mark.parametrize("section", sorted(part for part in config.FROM_THE_FILE if "__" not in part))
def test_each_section_that_decides_is_the_files_alone(section: str) -> None:
    assert section in Config.model_fields
    with pytest.raises(ConfigError, match=f"KIOSK_{section.upper()}__X"):
        refuse_overrides({f"KIOSK_{section.upper()}__X": "1"})


def test_a_configuration_knows_the_hash_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[door]\nrelease_seconds = 3\n")
    assert read(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Config().sha256 == ""
