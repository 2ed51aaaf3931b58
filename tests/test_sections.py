"""The bounds and defaults of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.config import Config, parse
from kiosk.domain.errors import ConfigError
from kiosk.sections import DOOR_EVENTS, DoorConfig, LockConfig


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[kiosk]\nhome = "here"', "from / on"),
        ('[keys]\nfile = "/a"\ncredential = "/b"', "the key has one place"),
        ('[keys]\nfile = "a"', "from / on"),
        ("[camera]\nrotate = 45", "camera.rotate"),
        ('[panel]\nkind = "osdp"\nfacility = 256', "0 to 255"),
        ('[door]\nname = "Main entrance"', "door.name"),
        ('[door]\nsocket = ".."', "no path of a file"),
        ("[door]\nrelease_seconds = 61", "door.release_seconds"),
        ("[door]\nrelease_seconds = 20\nmax_release_seconds = 10", "is longer than max_release_seconds"),
        ("[door]\nheld_seconds = 5\npre_alarm_seconds = 6", "is longer than held_seconds"),
        ("[door]\ndebounce_seconds = 0.6", "door.debounce_seconds"),
        ("[models]\npad = []", "models.pad"),
        ("[quality]\nguide = 1.1", "quality.guide"),
        ("[attempt]\nneeded = 6\nwindow = 5", "nobody could ever be let in"),
        ("[attempt]\nseconds = 3.5", "attempt.seconds"),
        ("[policy]\nfpir = 0.2", "policy.fpir"),
        ("[policy]\nthreshold = 1.0", "policy.threshold"),
        ("[policy]\npad_threshold = 0.0", "policy.pad_threshold"),
        ("[policy]\nrefusals_an_hour = 0", "policy.refusals_an_hour"),
        ("[policy]\ngrant_seconds = 1.6", "policy.grant_seconds"),
        ('[clock]\ntrust = "me"', "clock.trust"),
        ("[notify]\ncapacity = 9", "notify.capacity"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "kiosk.toml", {})
    assert said in str(raised.value)


def test_the_defaults_are_within_their_bounds() -> None:
    """pydantic does not check defaults."""
    given = {name: getattr(Config(), name) for name in Config.model_fields}
    for name, section in given.items():
        if section is not None and name != "notifiers":
            assert type(section).model_validate(section.model_dump()) == section, name


def test_a_lock_has_no_default() -> None:
    assert Config().lock is None
    with pytest.raises(ConfigError, match=r"lock\.kind"):
        parse("[lock]", "kiosk.toml", {})


def test_a_plug_ins_own_keys_are_kept_for_its_options() -> None:
    section = LockConfig.model_validate({"kind": "gpio", "line": 17, "chip": "/dev/gpiochip0"})
    assert section.options() == {"line": 17, "chip": "/dev/gpiochip0"}


def test_the_events_socket_is_beside_the_commands_but_in_the_unit() -> None:
    assert DoorConfig().events == DOOR_EVENTS
    assert DoorConfig(socket=Path("/tmp/x/door.sock")).events == Path("/tmp/x/door-events.sock")


def test_a_name_that_was_given_is_told_from_the_default() -> None:
    assert not DoorConfig().named
    assert DoorConfig(name="main").named
