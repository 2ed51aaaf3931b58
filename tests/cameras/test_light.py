"""Exposure in the configuration."""

from __future__ import annotations

import pytest

from kiosk.cameras.light import Exposure, too_long
from kiosk.cameras.usb import UsbOptions


@pytest.mark.parametrize(
    ("exposure", "fps", "possible"),
    [(None, 60.0, True), ("auto", 60.0, True), (10.0, 60.0, True), (40.0, 25.0, True), (40.1, 25.0, False)],
)
def test_a_frame_is_not_exposed_for_longer_than_it_lasts(exposure: Exposure | None, fps: float, possible: bool) -> None:
    assert (too_long(exposure, fps) is None) is possible


@pytest.mark.parametrize(
    "wrong", [{"flicker": 55}, {"flicker": "on"}, {"exposure": 0}, {"exposure": "long"}, {"exposure": 50, "fps": 30}]
)
def test_what_no_camera_can_do_is_an_error_of_the_configuration(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UsbOptions.model_validate(wrong)


@pytest.mark.parametrize("flicker", [50, 60, "off", "auto"])
def test_what_a_camera_can_do_is_taken(flicker: int | str) -> None:
    assert UsbOptions.model_validate({"flicker": flicker, "exposure": 8}).flicker == flicker
