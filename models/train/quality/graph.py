"""An embedder's second output: a linear function of what it has computed on its way, averaged over parts of its maps.

The bytes behind the depthwise convolutions of some blocks are read a second time. The embedding's own way through the
graph is not touched. The averages are depthwise convolutions of bytes too, which onnxruntime runs beside the others
without turning the maps round: 2% of the network's time, where pooling in floats took 6%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

POOLED, QUALITY = "pooled", "quality"
ROWS = f"{QUALITY}/rows"
"""Where a network with a second output holds the averages that this is computed from."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tap:
    """`block`: of which of the network's blocks the map is read, counted as in mobilefacenet.py. It is averaged in
    cells x cells parts; in a map whose side is no multiple of it these overlap."""

    block: int
    cells: int


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """`weights`: F x K, of the taps' averages one after another, each as C x cells x cells; `bias`: K. `ranges`: the
    least and the largest average of each tap."""

    taps: Sequence[Tap]
    weights: Floats
    bias: Floats
    ranges: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Map:
    """A tensor of bytes, N x `channels` x `side` x `side`; names of its `scale` and zero point (`zero`)."""

    name: str
    scale: str
    zero: str
    channels: int
    side: int

    def window(self, cells: int) -> tuple[int, int]:
        """(side, step) of the parts that are averaged."""
        step = self.side // cells
        return self.side - step * (cells - 1), step


def pooled(model: onnx.ModelProto, taps: Sequence[Tap]) -> onnx.ModelProto:
    """The network with an output `pooled` besides, in floats: N x F, the taps' averages one after another."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, rows = made.graph, []
    for tap, read in zip(taps, _maps(model, taps), strict=True):
        at = f"{POOLED}/{tap.block}"
        side, step = read.window(tap.cells)
        graph.node.extend(
            [
                helper.make_node("DequantizeLinear", [read.name, read.scale, read.zero], [f"{at}/map"]),
                helper.make_node(
                    "AveragePool", [f"{at}/map"], [f"{at}/mean"], kernel_shape=[side] * 2, strides=[step] * 2
                ),
                helper.make_node("Flatten", [f"{at}/mean"], [f"{at}/row"]),
            ]
        )
        rows.append(f"{at}/row")
    graph.node.append(helper.make_node("Concat", rows, [POOLED], axis=1))
    graph.output.append(helper.make_tensor_value_info(POOLED, TensorProto.FLOAT, ["n", "f"]))
    return made


def with_answers(model: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """The network with an output `quality` besides: N x K."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, rows = made.graph, []
    for tap, span, read in zip(head.taps, head.ranges, _maps(model, head.taps), strict=True):
        at = f"{QUALITY}/{tap.block}"
        graph.node.extend(_average(graph, read, tap.cells, span, at))
        rows.append(f"{at}/row")
    _hold(graph, f"{QUALITY}/weights", head.weights.astype(np.float32))
    _hold(graph, f"{QUALITY}/bias", head.bias.astype(np.float32))
    graph.node.append(helper.make_node("Concat", rows, [ROWS], axis=1))
    inputs = [ROWS, f"{QUALITY}/weights", f"{QUALITY}/bias"]
    graph.node.append(helper.make_node("Gemm", inputs, [QUALITY]))
    graph.output.append(helper.make_tensor_value_info(QUALITY, TensorProto.FLOAT, ["n", len(head.bias)]))
    onnx.checker.check_model(made)
    return made


def exposed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A network with a second output, and the averages that this is computed from as a third one: N x F, rounded."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.graph.output.append(helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", "f"]))
    return made


def refitted(model: onnx.ModelProto, which: Sequence[int], weights: Floats, bias: Floats) -> onnx.ModelProto:
    """The network with other weights (F x W) and bias (W) for W numbers of its second output, and all else as it is."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for held in made.graph.initializer:
        for name, new in ((f"{QUALITY}/weights", weights), (f"{QUALITY}/bias", bias)):
            if held.name == name:
                values = numpy_helper.to_array(held).copy()
                values[..., list(which)] = new
                held.CopyFrom(numpy_helper.from_array(values, name))
    return made


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network without the second output that it may have."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for node in [n for n in graph.node if n.output[0].startswith(QUALITY)]:
        graph.node.remove(node)
    for value in [v for v in graph.initializer if v.name.startswith(QUALITY)]:
        graph.initializer.remove(value)
    for output in [v for v in graph.output if v.name == QUALITY]:
        graph.output.remove(output)
    return made


def widths(model: onnx.ModelProto, taps: Sequence[Tap]) -> list[int]:
    """How many averages each tap has."""
    return [read.channels * tap.cells**2 for tap, read in zip(taps, _maps(model, taps), strict=True)]


def _average(
    graph: onnx.GraphProto, read: _Map, cells: int, span: tuple[float, float], at: str
) -> Iterator[onnx.NodeProto]:
    """A map -> `at`/row, its averages, rounded to 255ths of their range."""
    side, step = read.window(cells)
    low, high = min(0.0, span[0]), max(1e-6, span[1])
    scale = (high - low) / 255
    _hold(graph, f"{at}/shape", np.array([read.channels, 1, side, side], np.int64))
    _hold(graph, f"{at}/share", np.float32(1 / side**2))
    _hold(graph, f"{at}/none", np.int8(0))
    _hold(graph, f"{at}/scale", np.float32(scale))
    _hold(graph, f"{at}/zero", np.uint8(round(-low / scale)))
    rounding = [f"{at}/scale", f"{at}/zero"]
    one = helper.make_tensor("one", TensorProto.INT8, [1], [1])
    yield helper.make_node("ConstantOfShape", [f"{at}/shape"], [f"{at}/ones"], value=one)
    yield helper.make_node("DequantizeLinear", [read.name, read.scale, read.zero], [f"{at}/map"])
    yield helper.make_node("DequantizeLinear", [f"{at}/ones", f"{at}/share", f"{at}/none"], [f"{at}/kernel"])
    yield helper.make_node(
        "Conv",
        [f"{at}/map", f"{at}/kernel"],
        [f"{at}/mean"],
        kernel_shape=[side] * 2,
        strides=[step] * 2,
        group=read.channels,
    )
    yield helper.make_node("QuantizeLinear", [f"{at}/mean", *rounding], [f"{at}/bytes"])
    yield helper.make_node("DequantizeLinear", [f"{at}/bytes", *rounding], [f"{at}/floats"])
    yield helper.make_node("Flatten", [f"{at}/floats"], [f"{at}/row"])


def _hold(graph: onnx.GraphProto, name: str, value: NDArray[np.generic] | np.generic) -> None:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def _maps(model: onnx.ModelProto, taps: Sequence[Tap]) -> list[_Map]:
    known = {v.name: v.type.tensor_type.shape.dim for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    found = []
    for tap in taps:
        # The names that PyTorch's exporter gives to the layers of mobilefacenet.py and seesawfacenet.py.
        inside = f"/n/n.{tap.block}/f/f.1/a/"
        reads = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0].startswith(inside)]
        if not reads:
            raise SystemExit(f"the network has no map of bytes behind the depthwise convolution of block {tap.block}")
        name, scale, zero = reads[-1].input
        found.append(_Map(name, scale, zero, known[name][1].dim_value, known[name][2].dim_value))
    return found
