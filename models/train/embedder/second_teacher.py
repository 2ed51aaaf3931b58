"""A second teacher, InsightFace's w600k_mbf, mapped linearly into the space of the first; their sum is the target.

The 512-d teacher is the better one (LFW View 1, all pairs: TAR .985 at 1e-4, the first .965), but its space is not
128-d: what a linear map (ridge regression over the training pictures) carries over is added to the first teacher's
vector. The training pictures fit the map.
Its terms: non-commercial research only, as the first's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tqdm import tqdm

from models.train.common.faces import clean_crops, pictures, read_faces, training_faces, views_of
from models.train.common.runtime import ort
from models.train.embedder.teacher import Targets, Teacher

SECOND = Path("weights") / "w600k_mbf_int8_dynamic.onnx"
DIMENSION = 512
SHARE = 1.0  # of the mapped second teacher in the target, the first's being 1
RIDGE = 1.0


def dequantized(path: Path) -> onnx.ModelProto:
    """The dynamically quantized network with float weights: its activations lose nothing, and it is faster."""
    model = onnx.load(path)
    graph = model.graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    makers = {o: n for n in graph.node for o in n.output}
    nodes = []
    for n in graph.node:
        if n.op_type in ("ConvInteger", "MatMulInteger"):
            base = n.input[1].removesuffix("_quantized")
            weight = (values[n.input[1]].astype(np.float32) - float(values[n.input[3]])) * float(
                values[base + "_scale"]
            )
            graph.initializer.append(numpy_helper.from_array(weight.astype(np.float32), base + "_float"))
            end, bias = n.output[0], []
            while (after := _user(graph, end)).op_type in ("Add", "Cast", "Mul"):
                if after.op_type == "Add":
                    bias = [_float_bias(after.input[1], makers)]
                end = after.output[0]
                if after.op_type == "Mul":
                    break
            made = helper.make_node(
                n.op_type.removesuffix("Integer"), [makers[n.input[0]].input[0], base + "_float", *bias], [end]
            )
            made.attribute.extend(n.attribute)
            nodes.append(made)
        elif n.op_type in ("PRelu", "Flatten", "BatchNormalization") or _is_float_add(n, makers):
            nodes.append(n)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _user(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    return next(n for n in graph.node if name in n.input)


def _float_bias(name: str, makers: dict[str, onnx.NodeProto]) -> str:
    """The float bias behind Reshape, Cast, Floor, Div."""
    while name in makers:
        name = makers[name].input[0]
    return name


def _is_float_add(n: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> bool:
    """An Add that is no integer bias: a shortcut or the last layer's bias."""
    return n.op_type == "Add" and not any(i in makers and makers[i].op_type == "Reshape" for i in n.input)


class Second:
    def __init__(self, shared: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        model = dequantized(shared / SECOND).SerializeToString()
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, x: torch.Tensor) -> torch.Tensor:
        """n x 3 x 112 x 112 RGB 0..255 -> n x 512 unit vectors."""
        e = self.session.run(None, {self.input: ((x - 127.5) / 127.5).numpy()})[0]
        return torch.nn.functional.normalize(torch.from_numpy(e))


def unit(v: NDArray[np.float32]) -> NDArray[np.float32]:
    u: NDArray[np.float32] = v / np.linalg.norm(v, axis=1, keepdims=True)
    return u


def blended(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors N x 128 and N x 512 -> N x 128 unit vectors."""
    linear = np.linalg.solve(second.T @ second + RIDGE * np.eye(second.shape[1], dtype=np.float32), second.T @ first)
    return unit(first + SHARE * unit(second @ linear))


def write_targets(shared: Path, work: Path, threads: int) -> None:
    """Embeds both views of all training faces by both teachers, going on where it was stopped, and writes the sums."""
    faces = read_faces(shared)
    x, views = pictures(shared, work, faces), views_of(training_faces(faces))
    first, second = Targets(work / "y1.npy", Teacher(shared, threads), 2 * len(faces)), Second(shared, threads)
    path = work / "w600k.npy"
    if not path.exists():
        np.save(path, np.zeros((2 * len(faces), DIMENSION), np.float32))
    kept = np.load(path, mmap_mode="r+")
    for part in tqdm(np.array_split(views, len(views) // 64), desc="both teachers", mininterval=20):
        first.complete(x, part)
        new = part[~kept[part].any(1)]
        if len(new):
            kept[new] = second.run(clean_crops(x, new)).numpy()
    targets = np.zeros((2 * len(faces), 128), np.float32)
    targets[views] = blended(first.kept[views], kept[views])
    np.save(work / "part.npy", targets)
    (work / "part.npy").replace(work / "targets.npy")
