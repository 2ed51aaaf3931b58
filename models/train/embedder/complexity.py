"""Parameters and multiply-adds of an embedder, by the paper's way: learned numbers, products of all convolutions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnx import numpy_helper, shape_inference
from torch import nn

from models.train.embedder.export import write_onnx


def count_onnx(path: Path) -> tuple[int, int]:
    """Of an ONNX file, fp32 or int8, for one face: weights and biases, and products of Conv, Gemm and MatMul."""
    graph = shape_inference.infer_shapes(onnx.load(path)).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    kept = ("DequantizeLinear", "Identity")  # torch's exporter keeps equal weights once
    stored = {n.output[0]: arrays[n.input[0]] for n in graph.node if n.op_type in kept and n.input[0] in arrays}
    values = {**arrays, **stored}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.output]}
    parameters = products = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        given = [values[i] for i in node.input[1:] if i in values]
        # what is zero for every output only fills the kernel up (embedder_export.shuffle_stem)
        size = len(given[0]) * int(given[0].any(0).sum())
        parameters += size + sum(v.size for v in given[1:])
        positions = shapes[node.output[0]][2:] if node.op_type == "Conv" else []
        for n in positions:
            size *= n
        products += size
    return parameters, products


def count(path: Path | None, network: type[nn.Module]) -> None:
    """Prints the figures of a file, or of the network as the recipe makes it (batch norms counted)."""
    if path is not None:
        parameters, products = count_onnx(path)
        print(f"{path.name}: {parameters:,} parameters, {products:,} multiply-adds")
        return
    net = network().eval()
    parameters = sum(p.numel() for p in net.parameters())
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(net, Path(folder) / "net.onnx")
        _, products = count_onnx(Path(folder) / "net.onnx")
    print(f"{network.__name__}: {parameters:,} parameters, {products:,} multiply-adds")
