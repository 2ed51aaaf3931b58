"""Decodes HEIC, as telephones store photographs, by libheif (pillow-heif)."""

from __future__ import annotations

import numpy as np

from kiosk.cameras.files import MAX_PIXELS, too_many_pixels
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Image


def decode_heif(content: bytes, name: str) -> Image:
    """The main picture of a file, upright as it says: H x W x 3, BGR. Raises SampleError for anything that cannot be
    decoded, and for more than MAX_PIXELS, which the header tells."""
    import pillow_heif  # noqa: PLC0415 - the running kiosk never needs it

    try:
        picture = pillow_heif.open_heif(content, convert_hdr_to_8bit=True, bgr_mode=True)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise too_many_pixels(name)
        image = np.asarray(picture)
    except SampleError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]  # of several lines, from libheif
        raise SampleError(f"{name}: not a readable picture (HEIC: {why})") from error
    if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] not in {3, 4}:
        raise SampleError(f"{name}: a HEIC picture of an unusual kind: convert it to JPEG or PNG")
    return np.ascontiguousarray(image[:, :, :3])
