"""Face-verification door kiosk."""

import os

__version__ = "0.1.0"

# Without this, onnxruntime reports each session to its makers, from its import on. It is set here because no module of
# ours and no plug-in can be imported before, and whatever the user's environment says. Children inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# OpenCV reads this when it is loaded. It then refuses a picture by the size in its header, before it allocates memory.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(64 * 1024 * 1024)
