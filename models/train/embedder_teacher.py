"""The embedder's teacher: InsightFace's MobileFaceNet "y1" in onnxruntime, with its maps between the bottlenecks.

Its terms: non-commercial research only, which the student's model card repeats.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from faces import clean_crops
from mobilefacenet import BOTTLENECKS
from numpy.typing import NDArray
from tqdm import tqdm

TEACHER = Path("weights") / "mobilefacenet_y1.onnx"


def _map_names(graph: onnx.GraphProto) -> list[str]:
    """The names of the 15 tensors between the pieces: after each bottleneck, the shortcut added where there is one."""
    ends: list[str] = []  # the last tensor of each convolution (or Gemm) with its batch norm and activation
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            ends.append("")
        elif node.op_type in ("BatchNormalization", "PRelu") and ends:
            ends[-1] = node.output[0]
    names, unit = [], 2
    for _, _, repeats, stride in BOTTLENECKS:
        for k in range(repeats):
            end = ends[unit + 2]
            if k > 0 or stride == 1:  # a residual bottleneck
                end = next(n.output[0] for n in graph.node if n.op_type in ("Add", "Sum") and end in n.input)
            names.append(end)
            unit += 3
    return names


class Teacher:
    def __init__(self, shared: Path, threads: int) -> None:
        model = onnx.load(shared / TEACHER)
        self.maps = _map_names(model.graph)
        for name in self.maps:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name

    def run(self, x: torch.Tensor, maps: list[int] | None = None) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """RGB 0..255 -> embeddings (n x 128, not normalised) and the maps after the bottlenecks that `maps` lists."""
        names = [self.output] + [self.maps[i] for i in maps or []]
        got = self.session.run(names, {self.input: np.ascontiguousarray(x.numpy())})
        tensors = [torch.from_numpy(v) for v in got]
        inner = [t.contiguous(memory_format=torch.channels_last) for t in tensors[1:]]
        return tensors[0].flatten(1), inner


class Targets:
    """The teacher's unit embeddings of each clean picture and its mirror image, computed when first asked for."""

    def __init__(self, work: Path, teacher: Teacher, x: NDArray[np.uint8]) -> None:
        path = work / "y1.npy"
        shape = (len(x), 2, 128)
        if not path.exists():
            new = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            new[:] = 0
            new.flush()
        self.known = np.lib.format.open_memmap(path, mode="r+")
        self.teacher = teacher
        self.x = x

    def of(self, ids: NDArray[np.int64], flip: NDArray[np.bool_]) -> torch.Tensor:
        side = flip.astype(int)
        new = ~self.known[ids, side].any(1)
        if new.any():
            e, _ = self.teacher.run(clean_crops(self.x, ids[new], flip[new]))
            self.known[ids[new], side[new]] = torch.nn.functional.normalize(e).numpy()
        return torch.from_numpy(self.known[ids, side].copy())

    def fill(self, ids: NDArray[np.int64]) -> None:
        """Computes the first side of these pictures ahead: a second process that a training shares its cache with."""
        for k in tqdm(range(0, len(ids), 16), desc="teacher", mininterval=20):
            some = ids[k : k + 16]
            self.of(some, first_side(some))


def first_side(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pictures are mirrored at first: every other one. The teacher need not embed both sides at once."""
    return ids % 2 == 1
