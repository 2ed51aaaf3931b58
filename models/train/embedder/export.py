"""The embedder as ONNX: fp32 with the batch norms folded, then int8 (QDQ, per channel, static)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from models.train.common.faces import clean_crops, pictures, read_faces, training_faces
from models.train.common.runtime import quantizer
from models.train.embedder.gptq import round_by_squares
from models.train.embedder.mobilefacenet import MobileFaceNet, Unit, net_input
from models.train.embedder.pruning import without_zeros

quantization = quantizer()

CALIBRATION_FACES = 512
PERCENTILE = 99.999


def settle(net: nn.Module, x: torch.Tensor) -> None:
    """Takes the batch norms' statistics anew on clean faces: those of the training are of older, unaveraged weights.

    The last two keep theirs: they were fixed in the second phase. `x`: n x 3 x 112 x 112 RGB 0..255.
    """
    device = next(net.parameters()).device
    net.train()
    for unit in net.n[-2:]:
        unit.b.eval()
    for unit in net.modules():
        if isinstance(unit, Unit) and unit.b.training:
            unit.b.reset_running_stats()
            unit.b.momentum = None  # the plain mean over the batches
    with torch.no_grad():
        for part in x.split(64):
            net(net_input(part.to(device)))


def export_fp32(state: dict[str, torch.Tensor], path: Path, network: type[nn.Module] = MobileFaceNet) -> nn.Module:
    """A state dict -> ONNX: the network's input, output N x 128, not normalised.

    -> the network as it was written: batch norms folded.
    """
    net = network().to(memory_format=torch.channels_last)
    net.load_state_dict(state)
    write_onnx(net.eval(), path)
    return net


def write_onnx(net: nn.Module, path: Path) -> None:
    """A network in evaluation mode -> ONNX, batch norms folded; the network itself is changed by it."""
    side = net.side if isinstance(net, MobileFaceNet) else MobileFaceNet.side
    for unit in [m for m in net.modules() if isinstance(m, Unit)]:
        unit.fold()
    if isinstance(net, MobileFaceNet):
        without_zeros(net)
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, side, side),),
        str(path),
        input_names=["input"],
        output_names=["embedding"],
        dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    shuffle_stem(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def shuffle_stem(graph: onnx.GraphProto) -> None:
    """Makes the stem's 3 x 3 convolution with stride 2 a 2 x 2 one with stride 1 over pixels taken 2 x 2 together.

    The same function (the new weights that have no place in 3 x 3 are zero). With 3 channels onnxruntime's int8
    convolution gathers its inputs 3 bytes at a time, which took an eighth of the whole network's time.
    """
    stem = next(n for n in graph.node if n.op_type == "Conv")
    tensor = next(i for i in graph.initializer if i.name == stem.input[1])
    old = numpy_helper.to_array(tensor)
    new = np.zeros((len(old), 12, 2, 2), np.float32)
    for down, right, row, column in itertools.product((0, 1), repeat=4):
        u, v = 2 * down + row - 1, 2 * right + column - 1  # the pixel of the 3 x 3; the first row and column lack one
        if u >= 0 and v >= 0:
            first = 3 * (2 * row + column)
            new[:, first : first + 3, down, right] = old[:, :, u, v]
    tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    shuffle = helper.make_node("SpaceToDepth", [stem.input[0]], ["pixels"], blocksize=2)
    shuffled = helper.make_node(
        "Conv", ["pixels", *stem.input[1:]], stem.output, stem.name, kernel_shape=[2, 2], pads=[1, 1, 0, 0]
    )
    at = list(graph.node).index(stem)
    graph.node.remove(stem)
    graph.node.insert(at, shuffled)
    graph.node.insert(at, shuffle)


class _Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]
    def __init__(self, inputs: torch.Tensor) -> None:
        self.batches: Iterator[torch.Tensor] = iter(inputs.split(16))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        x = next(self.batches, None)
        return None if x is None else {"input": np.ascontiguousarray(x.numpy())}


def calibration_faces(shared: Path, work: Path, share: float = 1.0) -> torch.Tensor:
    """Training faces, evenly over all sources, every other one mirrored: n x 3 x 112 x 112 RGB 0..255."""
    faces = read_faces(shared)
    known = training_faces(faces, share)
    count = max(64, round(share * CALIBRATION_FACES))  # fewer for a training in small
    chosen = known[:: max(1, len(known) // count)][:count]
    views = np.array([2 * f.index + i % 2 for i, f in enumerate(chosen)])
    return clean_crops(pictures(shared, work, faces), views)


def export_int8(
    fp32: Path,
    path: Path,
    x: torch.Tensor,
    percentile: float = PERCENTILE,
    reduce_range: bool = False,
    ranges: dict[str, tuple[float, float]] | None = None,
    moments: dict[str, torch.Tensor] | None = None,
    given: Callable[[torch.Tensor], torch.Tensor] = net_input,
) -> None:
    """Quantizes a file of `export_fp32`.

    `x`: the faces that the ranges of the tensors are found from, n x 3 x 112 x 112 RGB 0..255, or what `given` makes
    inputs of. `ranges`: of the tensors
    whose range was trained. `moments`: of embedder_squares, for weights that are rounded by least squares.
    `reduce_range`: weights of 7 bits, onnxruntime's way for x86 processors without VNNI, where the sum of two 8-bit
    products can overflow 16 bits.
    """
    quantization.quantize_static(
        fp32,
        path,
        _Reader(given(x)),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.Percentile,
        extra_options={
            "CalibPercentile": percentile,
            "TensorQuantOverrides": {
                name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
                for name, (low, high) in (ranges or {}).items()
            },
        },
    )
    model = onnx.load(path)
    compare_bytes(model.graph)
    end_in_float(model.graph)
    if moments is not None:
        round_by_squares(model.graph, onnx.load(fp32).graph, moments)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def end_in_float(graph: onnx.GraphProto) -> None:
    """Takes the rounding off the network's output where a product with a matrix gives it."""
    makers = {n.output[0]: n for n in graph.node}
    back = makers[graph.output[0].name]
    rounding = makers[back.input[0]]
    product = makers[rounding.input[0]]
    if product.op_type == "Gemm":
        product.output[:] = back.output
        graph.node.remove(rounding)
        graph.node.remove(back)


def compare_bytes(graph: onnx.GraphProto) -> None:
    """Lets Max compare the bytes themselves where its inputs and its output have one scale and zero point.

    onnxruntime's quantizer leaves a Max of floats between DequantizeLinear and QuantizeLinear. Larger bytes of one
    scale are larger numbers: the same function, and 8-bit from end to end.
    """
    values = {i.name: numpy_helper.to_array(i).tobytes() for i in graph.initializer}
    makers = {n.output[0]: n for n in graph.node}

    def scale(n: onnx.NodeProto) -> tuple[bytes, ...]:
        return tuple(values[name] for name in n.input[1:])

    for node in [n for n in graph.node if n.op_type == "Max"]:
        before = [makers[name] for name in node.input]
        after = [n for n in graph.node if node.output[0] in n.input]
        if [n.op_type for n in after] != ["QuantizeLinear"] or any(scale(n) != scale(after[0]) for n in before):
            continue
        node.input[:] = [n.input[0] for n in before]
        node.output[:] = after[0].output
        graph.node.remove(after[0])
        for n in before:
            if not any(n.output[0] in other.input for other in graph.node):
                graph.node.remove(n)
