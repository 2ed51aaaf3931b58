"""onnxruntime for the recipes, its telemetry off: they run without the kiosk's package, which does the same for itself.

It is read when onnxruntime is imported, so no recipe imports it in another way (tests/test_private.py).
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

if TYPE_CHECKING:
    import onnx

__all__ = ["ort", "quantizer", "session"]


def quantizer() -> ModuleType:
    """onnxruntime.quantization, which needs onnx: not every recipe does."""
    from onnxruntime import quantization  # noqa: PLC0415

    return quantization


def session(model: onnx.ModelProto | str, threads: int = 1) -> ort.InferenceSession:
    """Of a network, or of the file of one. Its threads do not spin: recipes run beside each other."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, str) else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
