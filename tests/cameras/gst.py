"""GStreamer's Python binding, which only the system brings, for the tests that want it."""

from __future__ import annotations

import sys
import warnings

import pytest

from kiosk.cameras import system_library
from kiosk.domain.errors import ConfigError


def needed() -> None:
    """Makes the system's binding visible. Skips the test where there is none for this Python."""
    if str(system_library.SYSTEM_PACKAGES) not in sys.path:
        sys.path.append(str(system_library.SYSTEM_PACKAGES))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyGObject 3.42 imports in a way that Python 3.12 no longer has
            gst, _ = system_library.gstreamer()
    except ConfigError as error:
        pytest.skip(f"no GStreamer for this Python (python3-gi, gir1.2-gst-plugins-base-1.0): {error}")
    lacking = [name for name in ("videotestsrc", "jpegenc", "avimux") if gst.ElementFactory.find(name) is None]
    if lacking:
        pytest.skip(f"GStreamer without {', '.join(lacking)} (gstreamer1.0-plugins-good)")
