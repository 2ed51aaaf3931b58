"""onnxruntime for the recipes, its telemetry off: they run without the kiosk's package, which does the same for itself.

It is read when onnxruntime is imported, so no recipe imports it in another way (tests/test_private.py).
"""

from __future__ import annotations

import os
from types import ModuleType

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort", "quantizer"]


def quantizer() -> ModuleType:
    """onnxruntime.quantization, which needs onnx: not every recipe does."""
    from onnxruntime import quantization  # noqa: PLC0415

    return quantization
