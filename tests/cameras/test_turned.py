"""A camera that is mounted turned."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from kiosk import config
from kiosk.cameras.turned import TurnedCamera, turned
from kiosk.domain.errors import CameraError, ConfigError
from kiosk.domain.face import Frame, Image
from kiosk.station import assembly

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


class Hanging:
    """A camera turned by so many quarters against the clock."""

    live = True

    def __init__(self, quarters: int) -> None:
        self.image: Image = np.ascontiguousarray(np.rot90(PICTURE, quarters))
        self.calls: list[str] = []

    def open(self) -> None:
        self.calls.append("open")

    def read(self, timeout: float) -> Frame:
        if timeout == 0:
            raise CameraError("nothing came")
        return Frame(self.image, 7, 12.5, datetime(2026, 1, 1, tzinfo=UTC))

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize(("quarters", "degrees"), [(1, 90), (2, 180), (3, 270)])
def test_a_turned_camera_gives_upright_pictures_and_changes_nothing_else(quarters: int, degrees: int) -> None:
    hanging = Hanging(quarters)
    camera = TurnedCamera(hanging, degrees)
    camera.open()
    frame = camera.read(1.0)
    np.testing.assert_array_equal(frame.image, PICTURE)
    assert (frame.number, frame.captured_at, camera.live) == (7, 12.5, True)
    with pytest.raises(CameraError, match="nothing came"):
        camera.read(0)
    camera.close()
    assert hanging.calls == ["open", "close"]


def test_four_quarter_turns_give_the_same_picture() -> None:
    image = PICTURE
    for _ in range(4):
        image = turned(image, 90)
    np.testing.assert_array_equal(image, PICTURE)
    assert turned(PICTURE, 0) is PICTURE


def test_the_configuration_turns_a_camera_of_any_kind() -> None:
    read = config.parse('[camera]\nkind = "replay"\nsource = "clip.avi"\nrotate = 270', "kiosk.toml", {})
    camera = assembly.camera(read.camera)
    assert isinstance(camera, TurnedCamera)
    assert not camera.live, "a recording stays one"
    with pytest.raises(ConfigError, match="rotate"):
        config.parse('[camera]\nkind = "usb"\nrotate = 45', "kiosk.toml", {})
