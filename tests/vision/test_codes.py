"""QR codes in pictures."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import segno
import zxingcpp

from kiosk.domain.face import Image
from kiosk.vision import codes

PASS = "KP1" + "A2" * 98
"""As long as a visitor pass may be."""


def printed(text: str | bytes, scale: int = 4) -> Image:
    """The code as it is printed: black on white, H x W x 3."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=scale, border=4)
    return np.asarray(cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), cv2.IMREAD_COLOR), np.uint8)


def in_a_room(*shown: Image) -> Image:
    """Codes side by side in a frame of a camera."""
    frame = np.random.default_rng(1).integers(60, 120, (720, 1280, 3), dtype=np.uint8)
    left = 10
    for code in shown:
        frame[100 : 100 + code.shape[0], left : left + code.shape[1]] = code
        left += code.shape[1] + 10
    return frame


@pytest.mark.parametrize("text", ["KQ1" + "A7" * 16, PASS])
@pytest.mark.parametrize("turn", range(4))
def test_a_code_held_before_the_camera_is_read_however_it_is_turned(text: str, turn: int) -> None:
    shown = np.ascontiguousarray(np.rot90(printed(text), turn))
    assert codes.read(in_a_room(shown)) == [text]
    assert codes.read(cv2.cvtColor(in_a_room(shown), cv2.COLOR_BGR2GRAY)) == [text]


def test_a_room_without_a_code_has_none() -> None:
    assert codes.read(in_a_room()) == []


def test_a_code_of_the_longest_text_fits_a_small_print() -> None:
    assert segno.make(PASS, error="m", micro=False).version <= 10


def test_there_are_a_few_texts_and_each_once() -> None:
    many = [printed(f"A{number}", 2) for number in (1, 1, 2, 3, 4, 5, 6, 7)]
    found = codes.read(in_a_room(*many))
    assert len(found) == codes.MOST
    assert len(set(found)) == codes.MOST
    assert codes.read(in_a_room(*[printed("A1", 2)] * 8)) == ["A1"]


def test_a_text_is_bounded_and_never_cut() -> None:
    assert codes.read(printed("x" * codes.LONGEST)) == ["x" * codes.LONGEST]
    assert codes.read(printed("x" * (codes.LONGEST + 1))) == []
    assert codes.read(printed("é" * codes.LONGEST)) == [], "in bytes"


@pytest.mark.parametrize("kind", ["Aztec", "DataMatrix", "Code128", "RMQRCode", "MicroQRCode", "PDF417", "EAN13"])
def test_other_codes_are_not_looked_for(kind: str) -> None:
    made = zxingcpp.create_barcode("4006381333931", getattr(zxingcpp, kind))
    shown = np.pad(np.array(made.to_image(scale=4)), 40, constant_values=255)
    assert zxingcpp.read_barcodes(shown), "it can be read"
    assert codes.read(shown) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((1, 70_000, 3), np.uint8),
        np.zeros((3, 3, 4), np.uint8),
        np.zeros((5, 5), np.float32),
        np.zeros((2, 2, 3, 3), np.uint8),
        np.zeros(9, np.uint8),
    ],
)
def test_what_is_no_picture_has_no_code(picture: Image) -> None:
    assert codes.read(picture) == []


def test_a_fault_of_the_library_is_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("zxing")

    monkeypatch.setattr(zxingcpp, "read_barcodes", fault)
    assert codes.read(printed("A1")) == []


def test_a_binary_code_is_a_text_that_means_nobody() -> None:
    for text in codes.read(printed(b"\xff\xfe\x80\x00\n")):
        assert isinstance(text, str)
