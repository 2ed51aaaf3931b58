"""One network in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Image
from kiosk.vision import onnx_bytes
from kiosk.vision.manifest import Entry, Input, Manifest

NO_FOLDER = "/dev/null/none"
"""Where a network's weights may lie beside its file: nowhere, for onnxruntime too."""
CPUINFO = Path("/proc/cpuinfo")
EXACT = {"avx512_vnni", "avx_vnni", "amx_int8"}
"""Flags of x86 processors that add up products of bytes as they are. Others cut the sums of two off at 16 bits."""


def whole_products(cpuinfo: Path = CPUINFO) -> bool:
    """Whether int8 networks give here what they give on every other machine, as ARM does."""
    try:
        flags = {word for line in cpuinfo.read_text(encoding="ascii").splitlines() for word in line.split()}
    except (OSError, UnicodeDecodeError):
        return False
    return "sse2" not in flags or bool(flags & EXACT)


def make_exact(options: ort.SessionOptions) -> None:
    """Has onnxruntime take the longer way where products would be cut off: a template of a face was off by up to 0.19
    of the cosine on an x86 processor without VNNI, and the thresholds were measured on machines that cut nothing."""
    if not whole_products():
        options.add_session_config_entry("session.x64quantprecision", "1")


class Network:
    """A checked network, ready to run. Not for two threads at once."""

    def __init__(self, content: bytes, input_spec: Input, name: str, threads: int) -> None:
        """Raises ModelError when the file is not all of the network, or onnxruntime refuses it."""
        onnx_bytes.check(content, name)
        # OpenCV's own threads would only compete with these: its work here is small (measured: a third less time
        # without).
        cv2.setNumThreads(1)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A worker that spins while it waits burns a processor between two frames, and takes the other's time from it
        # within one (deploy/decisions/0020-idle.md). onnxruntime's shared pool cannot be told not to from Python.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        make_exact(options)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{name}: onnxruntime cannot load the model: {str(error).splitlines()[0]}") from error
        self._input = self._session.get_inputs()[0].name
        self._outputs = [o.name for o in self._session.get_outputs()]
        self.widths = [o.shape[-1] if o.shape else None for o in self._session.get_outputs()]
        """Of each output the last dimension: a number, or a name where it may be any."""
        self._spec = input_spec
        self._mean = np.array(input_spec.mean, np.float32).reshape(3, 1, 1)
        self._gain = (1.0 / np.array(input_spec.std, np.float32)).reshape(3, 1, 1)
        self._plain = not self._mean.any() and bool((self._gain == 1).all())

    @classmethod
    def load(cls, manifest: Manifest, entry: Entry, threads: int) -> Network:
        """Raises ModelError when the file is missing, altered or cannot be loaded."""
        return cls(manifest.bytes_of(entry), entry.input, entry.name, threads)

    def run(self, *pictures: Image) -> NDArray[np.float32]:
        """Runs BGR pictures of one size (the network's, where it has one) as a batch: its first output."""
        return self.run_batch(self.batch(*pictures))

    def run_all(self, *pictures: Image) -> list[NDArray[np.float32]]:
        """As `run`: all of its outputs."""
        outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, {self._input: self.batch(*pictures)})
        return outputs

    def batch(self, *pictures: Image) -> NDArray[np.float32]:
        """N x 3 x H x W float32 in the network's colour order and scale."""
        swap = self._spec.colour == "rgb"
        blob: NDArray[np.float32] = cv2.dnn.blobFromImages(list(pictures), swapRB=swap).astype(np.float32, copy=False)
        if not self._plain:
            blob -= self._mean
            blob *= self._gain
        return blob

    def run_batch(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raises whatever onnxruntime raises; the caller's boundary denies."""
        output: NDArray[np.float32] = self._session.run(self._outputs[:1], {self._input: blob})[0]
        return output
