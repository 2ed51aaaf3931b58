"""Exposure in the configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kiosk.cameras.light import Exposure, PictureOptions
from kiosk.cameras.raspberry_pi import RaspberryPiOptions
from kiosk.cameras.usb import UsbOptions


@pytest.mark.parametrize(
    ("exposure", "fps", "possible"),
    [(None, 60.0, True), ("auto", 60.0, True), (10.0, 60.0, True), (40.0, 25.0, True), (40.1, 25.0, False)],
)
def test_a_frame_is_not_exposed_for_longer_than_it_lasts(exposure: Exposure | None, fps: float, possible: bool) -> None:
    def options() -> PictureOptions:
        return PictureOptions(exposure=exposure, fps=fps)

    if possible:
        assert options().exposure == exposure
    else:
        with pytest.raises(ValidationError, match="longer than a frame"):
            options()


@pytest.mark.parametrize(
    "wrong", [{"flicker": 55}, {"flicker": "on"}, {"exposure": 0}, {"exposure": "long"}, {"exposure": 50, "fps": 30}]
)
def test_what_no_camera_can_do_is_an_error_of_the_configuration(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UsbOptions.model_validate(wrong)


@pytest.mark.parametrize("flicker", [50, 60, "off", "auto"])
def test_what_a_camera_can_do_is_taken(flicker: int | str) -> None:
    assert UsbOptions.model_validate({"flicker": flicker, "exposure": 8}).flicker == flicker


@pytest.mark.parametrize("size", [{"width": 641}, {"height": 481}])
def test_only_a_board_s_own_camera_wants_even_sizes(size: dict[str, int]) -> None:
    assert UsbOptions.model_validate(size)
    with pytest.raises(ValidationError, match=next(iter(size))):
        RaspberryPiOptions.model_validate(size)
    with pytest.raises(ValidationError, match=next(iter(size))):
        UsbOptions.model_validate(dict.fromkeys(size, 100))
