"""The embedder as ONNX: fp32 with the batch norms folded, then int8 (QDQ, per channel, static)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from faces import clean_crops, pictures, read_faces, training_faces
from mobilefacenet import MobileFaceNet, Unit, net_input
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from torch import nn

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


def export_fp32(state: dict[str, torch.Tensor], path: Path, network: type[nn.Module] = MobileFaceNet) -> None:
    """A state dict -> ONNX: input N x 3 x 112 x 112 RGB (x - 127.5) / 128, output N x 128, not normalised."""
    net = network().to(memory_format=torch.channels_last)
    net.load_state_dict(state)
    write_onnx(net.eval(), path)


def write_onnx(net: nn.Module, path: Path) -> None:
    """A network in evaluation mode -> ONNX, batch norms folded; the network itself is changed by it."""
    for unit in [m for m in net.modules() if isinstance(m, Unit)]:
        unit.fold()
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 112, 112),),
        str(path),
        input_names=["input"],
        output_names=["embedding"],
        dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )


class _Reader(CalibrationDataReader):
    def __init__(self, x: torch.Tensor) -> None:
        self.batches: Iterator[NDArray[np.float32]] = iter(((x - 127.5) / 128).split(16))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        x = next(self.batches, None)
        return None if x is None else {"input": x.numpy()}


def calibration_faces(shared: Path, work: Path, share: float = 1.0) -> torch.Tensor:
    """Training faces only, evenly over all sources, every other one mirrored: n x 3 x 112 x 112 RGB 0..255."""
    faces = read_faces(shared)
    known = training_faces(faces, share)
    chosen = known[:: max(1, len(known) // CALIBRATION_FACES)][:CALIBRATION_FACES]
    ids = np.array([f.index for f in chosen])
    return clean_crops(pictures(shared, work, faces), ids, np.arange(len(ids)) % 2 == 1)


def export_int8(
    fp32: Path,
    path: Path,
    x: torch.Tensor,
    percentile: float = PERCENTILE,
    reduce_range: bool = False,
    ranges: dict[str, tuple[float, float]] | None = None,
) -> None:
    """Quantizes a file of `export_fp32`.

    `x`: the faces that the ranges of the tensors are found from, n x 3 x 112 x 112 RGB 0..255. `ranges`: of the tensors
    whose range was trained. `reduce_range`: weights of 7 bits, onnxruntime's way for x86 processors without VNNI, where
    the sum of two 8-bit products can overflow 16 bits.
    """
    quantize_static(
        fp32,
        path,
        _Reader(x),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Percentile,
        extra_options={
            "CalibPercentile": percentile,
            "TensorQuantOverrides": {
                name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
                for name, (low, high) in (ranges or {}).items()
            },
        },
    )
    onnx.checker.check_model(onnx.load(path))
