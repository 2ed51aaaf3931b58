"""QR codes in a picture, read by zxing-cpp. What a code says is hostile input: bounded here, believed nowhere."""

from __future__ import annotations

import numpy as np
import zxingcpp

from kiosk.domain.face import Image

MOST = 4
"""Codes of one picture that are told."""
LONGEST = 512
"""Bytes of a code's text; a longer one is no code of ours. A person's code has 35, a visitor pass at most 200."""
# QRCode alone would be read together with its relatives (Micro QR, rMQR), which nobody prints for a door.
_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)


def read(image: Image) -> list[str]:
    """The different texts of the QR codes in a picture (H x W x 3, BGR, or H x W, 0..255): at most MOST, of at most
    LONGEST bytes. Other kinds of code are not looked for. Never raises: a picture that cannot be read has no code."""
    if not (image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) and image.size):
        return []
    try:
        found = zxingcpp.read_barcodes(
            np.ascontiguousarray(image),
            formats=_FORMATS,
            try_invert=False,
            text_mode=zxingcpp.TextMode.Plain,
        )
        texts = dict.fromkeys(code.text for code in found if code.valid)
    except Exception:  # noqa: BLE001 - whatever the library meets in a picture, nobody is let in by it
        return []
    return [text for text in texts if 0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST][:MOST]
