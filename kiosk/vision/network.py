"""One network in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from kiosk.domain.face import Image
from kiosk.sections import Provider
from kiosk.vision import onnx_bytes, providers
from kiosk.vision.manifest import Entry, Input, Manifest
from kiosk.vision.pixels import scaled_part

NO_FOLDER = "/dev/null/none"
"""The folder for weights outside a network's file. It does not exist, so that onnxruntime finds none."""
CPUINFO = Path("/proc/cpuinfo")
EXACT = {"avx512_vnni", "avx_vnni", "amx_int8"}
"""Flags of x86 processors that add products of bytes exactly. Others clip the sum of two products to 16 bits."""


def whole_products(cpuinfo: Path = CPUINFO) -> bool:
    """Whether int8 networks give exact results on this processor, as they do on ARM."""
    try:
        flags = {word for line in cpuinfo.read_text(encoding="ascii").splitlines() for word in line.split()}
    except (OSError, UnicodeDecodeError):
        return False
    return "sse2" not in flags or bool(flags & EXACT)


def make_exact(options: ort.SessionOptions) -> None:
    """Makes onnxruntime compute exactly, which is slower, on processors that clip products. On an x86 processor without
    VNNI a template was wrong by up to 0.19 in the cosine, and the thresholds were measured with exact products."""
    if not whole_products():
        options.add_session_config_entry("session.x64quantprecision", "1")


class Network:
    """A checked network, ready to run. For one thread at a time."""

    def __init__(self, content: bytes, input_spec: Input, name: str, threads: int, provider: Provider = "cpu") -> None:
        """Raises ModelError when the file does not hold the whole network, or the provider does not compute it."""
        onnx_bytes.check(content, name)
        # OpenCV's own threads would only compete with these, because its work here is small (measured: a third less
        # time without them).
        cv2.setNumThreads(1)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A worker that spins while it waits uses a processor between two frames, and during a frame takes it from the
        # thread that it waits for (deploy/decisions/0020-idle.md). Python cannot switch this off in onnxruntime's
        # shared pool, so each network has its own pool.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # What a run needs, kept for the next one, would be 10 to 20 MB that the kernel never gets back (system.memory).
        # It costs no time that could be measured.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        make_exact(options)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
        self._session = providers.session(content, options, name, provider, threads)
        self._input = self._session.get_inputs()[0].name
        self._one_by_one = self._session.get_inputs()[0].shape[0] == 1
        self._outputs = [o.name for o in self._session.get_outputs()]
        self.widths = [o.shape[-1] if o.shape else None for o in self._session.get_outputs()]
        """The last dimension of each output: a number, or a name if it may be any number."""
        self._spec = input_spec
        self._mean = np.array(input_spec.mean, np.float32).reshape(3, 1, 1)
        self._gain = (1.0 / np.array(input_spec.std, np.float32)).reshape(3, 1, 1)
        self._plain = not self._mean.any() and bool((self._gain == 1).all())

    @classmethod
    def load(cls, manifest: Manifest, entry: Entry, threads: int, provider: Provider = "cpu") -> Network:
        """Loads a network of the manifest. Raises ModelError when the file is missing, altered or cannot be loaded."""
        return cls(manifest.bytes_of(entry), entry.input, entry.name, threads, provider)

    def run(self, *pictures: Image) -> NDArray[np.float32]:
        """Runs BGR pictures of one size as a batch: the network's size if it has one, or aligned faces if it sees a
        part of these. Returns its first output."""
        return self.run_batch(self.batch(*pictures))

    def run_all(self, *pictures: Image) -> list[NDArray[np.float32]]:
        """Like `run`, but returns all outputs. A network whose file says one picture at a time gets them so."""
        blob = self.batch(*pictures)
        if self._one_by_one and len(blob) > 1:
            each = [self._session.run(self._outputs, {self._input: blob[k : k + 1]}) for k in range(len(blob))]
            return [np.concatenate(rows) for rows in zip(*each, strict=True)]
        outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, {self._input: blob})
        return outputs

    def batch(self, *pictures: Image) -> NDArray[np.float32]:
        """The pictures as N x 3 x H x W float32 in the network's colour order and scale."""
        spec, swap = self._spec, self._spec.colour == "rgb"
        if spec.part is not None and spec.size is not None:
            pictures = tuple(scaled_part(p, spec.part, spec.size[0]) for p in pictures)
        blob: NDArray[np.float32] = cv2.dnn.blobFromImages(list(pictures), swapRB=swap).astype(np.float32, copy=False)
        if not self._plain:
            blob -= self._mean
            blob *= self._gain
        return blob

    def run_batch(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output for a batch. Raises the errors of onnxruntime; the caller's boundary denies."""
        output: NDArray[np.float32] = self._session.run(self._outputs[:1], {self._input: blob})[0]
        return output
