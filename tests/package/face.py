"""Writes the picture of one of the demonstration's visitors: in_root.sh enrols it in the installed kiosk."""

from __future__ import annotations

import sys

import cv2

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import STORY

if __name__ == "__main__":
    visitor = STORY[0].visitor
    cv2.imwrite(sys.argv[1], SimulatedCamera.enrolment_picture(visitor))
