"""Tiny ONNX files, written byte by byte (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the tests have no
package that writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FLOAT, INT64 = 1, 7
Dimension = int | str


def embedder(
    numbers: int = 128, seed: int = 1, gain: float = 1.0, external: str | None = None, faces: Dimension = "n"
) -> bytes:
    """`faces` x 3 x 112 x 112 to `faces` x `numbers`: means of 16 squares, then a random matrix times `gain` (0: the
    same for every face; NaN). `external` names the file that the matrix is said to lie in."""
    weights = (np.random.default_rng(seed).normal(size=(48, numbers)) * gain).astype(np.float32)
    bias = np.ones(numbers, np.float32)
    return model(
        [
            node("AveragePool", ["face"], ["squares"], [ints("kernel_shape", [28, 28]), ints("strides", [28, 28])]),
            node("Flatten", ["squares"], ["flat"]),
            node("MatMul", ["flat", "weights"], ["product"]),
            node("Add", ["product", "bias"], ["embedding"]),
        ],
        [tensor("weights", weights, external), tensor("bias", bias)],
        value("face", [faces, 3, 112, 112]),
        value("embedding", [faces, numbers]),
    )


def variant(content: bytes, number: int) -> bytes:
    """The same network in another file: with a doc_string."""
    return content + field(6, f"variant {number}".encode())


def model(nodes: list[bytes], initializers: list[bytes], given: bytes, result: bytes) -> bytes:
    """ModelProto of opset 17."""
    graph = b"".join(field(1, n) for n in nodes) + field(2, b"g") + b"".join(field(5, t) for t in initializers)
    graph += field(11, given) + field(12, result)
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 17))


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[bytes] = ()) -> bytes:
    """NodeProto."""
    ends = b"".join(field(1, i.encode()) for i in inputs) + b"".join(field(2, o.encode()) for o in outputs)
    return ends + field(4, kind.encode()) + b"".join(field(5, a) for a in attributes)


def ints(name: str, values: Sequence[int]) -> bytes:
    """AttributeProto of type INTS."""
    return field(1, name.encode()) + b"".join(field(8, v) for v in values) + field(20, 7)


def tensor(name: str, array: np.ndarray, external: str | None = None) -> bytes:
    """TensorProto with raw data, or with the name of a file that they are said to lie in."""
    kind = INT64 if array.dtype == np.int64 else FLOAT
    head = b"".join(field(1, d) for d in array.shape) + field(2, kind) + field(8, name.encode())
    if external is None:
        return head + field(9, array.tobytes())
    return head + field(13, field(1, b"location") + field(2, external.encode())) + field(14, 1)


def value(name: str, shape: Sequence[Dimension]) -> bytes:
    """ValueInfoProto of floats."""
    dims = b"".join(field(1, field(2, d.encode()) if isinstance(d, str) else field(1, d)) for d in shape)
    return field(1, name.encode()) + field(2, field(1, field(1, FLOAT) + field(2, dims)))


def field(number: int, content: int | bytes) -> bytes:
    """One field of a message: a varint or bytes."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(n: int) -> bytes:
    """Base 128, least first."""
    out = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)
