"""The embedder's teacher: InsightFace's MobileFaceNet "y1" in onnxruntime, with its maps between the bottlenecks.

Its terms: non-commercial research only, which the student's model card repeats.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from models.train.common.faces import clean_crops
from models.train.common.runtime import ort
from models.train.embedder.mobilefacenet import BOTTLENECKS

TEACHER = Path("weights") / "mobilefacenet_y1.onnx"
FEATURES = [5, 11, 14]  # bottlenecks whose maps are targets in phase 2: ends of the 28, the 14 and the 7 stages


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
    """The unit embeddings of the clean views, kept in a file; the teacher finds them when they are first needed."""

    def __init__(self, path: Path, teacher: Teacher, count: int) -> None:
        if not path.exists():
            np.save(path, np.zeros((count, 128), np.float32))
        self.kept = np.load(path, mmap_mode="r+")
        if len(self.kept) != count:
            raise SystemExit(f"{path} is of {len(self.kept)} views, the faces have {count}: remove it, it is made anew")
        self.is_known = self.kept.any(1)
        self.teacher = teacher

    def known(self, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those views of `among` whose embedding is kept."""
        return among[self.is_known[among]]

    def of(self, views: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(self.kept[views])

    def complete(self, x: NDArray[np.uint8], views: NDArray[np.int64]) -> torch.Tensor:
        """The embeddings of these views of the pictures `x`; those that are not known yet are found first."""
        new = np.unique(views[~self.is_known[views]])
        if len(new):
            self._keep(new, self.teacher.run(clean_crops(x, new))[0])
        return self.of(views)

    def with_maps(self, x: torch.Tensor, views: NDArray[np.int64]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The embeddings of clean views, `x` themselves, and the teacher's maps of FEATURES."""
        e, maps = self.teacher.run(x, FEATURES)
        new = ~self.is_known[views]
        self._keep(views[new], e[torch.from_numpy(new)])
        return self.of(views), maps

    def _keep(self, views: NDArray[np.int64], e: torch.Tensor) -> None:
        self.kept[views], self.is_known[views] = torch.nn.functional.normalize(e).numpy(), True
