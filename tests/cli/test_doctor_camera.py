"""`kiosk doctor` with a camera that is mounted turned. A recording stands in for the camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kiosk.cameras.turned import turned
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS

Command = Callable[..., Any]


def camera_findings(kiosk: Command, folder: Path, rotate: int) -> dict[str, str]:
    config = folder / "kiosk.toml"
    config.write_text(
        f'[camera]\nkind = "replay"\nsource = "{folder}"\nrotate = {rotate}\n'
        f'[lock]\nkind = "simulated"\n[door]\nsocket = "{folder}/door.sock"\n'
    )
    rows = kiosk("doctor", "--json", "--config", config).checks
    return {row["state"]: f"{row['what']}: {row['mend']}" for row in rows if row["name"] == "camera"}


@pytest.mark.parametrize(
    ("hangs", "rotate", "right"),
    [(0, 0, None), (90, 0, 270), (180, 0, 180), (270, 0, 90), (180, 180, None), (0, 90, 0)],
)
def test_doctor_reports_how_far_the_camera_is_turned(
    kiosk: Command, tmp_path: Path, hangs: int, rotate: int, right: int | None
) -> None:
    cv2.imwrite(str(tmp_path / "ada.png"), turned(SimulatedCamera.enrolment_picture(VISITORS[0]), hangs))
    found = camera_findings(kiosk, tmp_path, rotate)
    assert "512 x 512" in found["ok"]
    assert found.get("problem", "").endswith("" if right is None else f"rotate = {right}")
    assert ("problem" in found) is (right is not None)


def test_doctor_says_when_nobody_is_before_the_camera(kiosk: Command, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((240, 320, 3), 127, np.uint8))
    assert "nobody is before it" in camera_findings(kiosk, tmp_path, 0)["unknown"]
