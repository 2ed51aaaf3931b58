"""Face-verification door kiosk."""

import os

__version__ = "0.1.0"

# onnxruntime tells its makers about each session, from its import on, unless this is set: here, where nothing of ours
# and no plug-in can be imported before it, and whatever the user's environment says. Children inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# OpenCV reads this when it is loaded: a picture is refused by the size in its header, before its pixels have a place.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(64 * 1024 * 1024)
