"""Checks byte by byte that a file is one network and nothing else, before any library reads it.

An ONNX network may state that its weights are in another file. Loading it then reads that file, with the rights of the
kiosk or of root, and runs weights that no hash covers. onnxruntime can be told not to follow such paths; OpenCV cannot.
So every message of the file is checked (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, as of ONNX 1.20).
References to the outside are refused. Fields that this table does not know, and encodings that no protobuf writer uses,
are also refused, because two readers could read them differently, and one of them would not see what is hidden there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiosk.domain.errors import ModelError

DEEPEST = 64
"""Deepest nesting of messages. A network without loops and branches has six levels."""
MOST_FIELDS = 1_000_000
"""Most fields in one file. The largest network here has 11,000."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types. ONNX files never use 3 and 4 (groups)."""
ORT_FORMAT = b"ORTM"
"""With these bytes at offset 4, onnxruntime reads a file in its own format, which this module cannot check."""

Fields = Mapping[int, str | None]
"""Maps a field's number to the message type that it holds; None for a number, a text, bytes, or a message of only
these."""


def _leaves(*numbers: int) -> dict[int, str | None]:
    return dict.fromkeys(numbers)


MESSAGES: Mapping[str, Fields] = {
    "Model": _leaves(1, 2, 3, 4, 5, 6, 8, 26) | {7: "Graph", 14: "Property", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph", **_leaves(3, 4)},
    "Function": _leaves(1, 4, 5, 6, 8, 9, 10, 12, 13, 14) | {7: "Node", 11: "Attribute"},
    "Graph": _leaves(2, 10, 11, 12, 13, 14, 16) | {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": _leaves(1, 2, 3, 4, 6, 7, 8, 9, 10) | {5: "Attribute"},
    "Attribute": _leaves(1, 2, 3, 4, 7, 8, 9, 13, 14, 15, 20, 21)
    | {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": _leaves(3) | {1: "Tensor", 2: "Tensor"},
    "Tensor": _leaves(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16),
    "Property": _leaves(1, 2),
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Numbers of two fields of a Tensor that refer to another file."""
OUTSIDE = {("Node", 4): b"EPContext", ("Property", 1): b"ort_config"}
"""Texts that refer to the outside: a node that is a compiled file; settings for the session that loads the network."""


def check(content: bytes, name: str) -> None:
    """Raises ModelError, which names the network, unless the content is one complete network in one file."""
    try:
        if content[4:8] == ORT_FORMAT:
            raise ValueError("it is of onnxruntime's own format")
        _Walk(content).message("Model", 0, len(content), 0)
    except ValueError as error:
        raise ModelError(f"{name}: no network in ONNX that is all in one file: {error}") from error


class _Walk:
    """One pass over a file. Raises ValueError, which says what is wrong."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._fields = 0

    def message(self, kind: str, begin: int, end: int, depth: int) -> None:
        """Checks the message between two offsets."""
        if depth > DEEPEST:
            raise ValueError(f"its parts lie more than {DEEPEST} deep in one another")
        known = MESSAGES[kind]
        for number, wire, value, start in self._parts(begin, end):
            if number not in known:
                raise ValueError(f"field {number} of a {kind} is not known")
            inner = known[number]
            if kind == "Tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and (wire, value) != (0, 0))):
                raise ValueError("its weights lie in another file (external data): save it as one file")
            text = OUTSIDE.get((kind, number))
            if text is not None and (wire != BYTES or self._content[start : start + value] == text):
                raise ValueError(f"it refers to something outside itself ({text.decode()})")
            if inner is not None:
                if wire != BYTES:
                    raise ValueError(f"field {number} of a {kind} is no message")
                self.message(inner, start, start + value, depth + 1)

    def _parts(self, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yields each field: its number, its wire type, its value (for bytes their count), and the offset after it."""
        while at < end:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise ValueError(f"it has more than {MOST_FIELDS} fields")
            tag, at = self._varint(at, end, 5, shortest=True)
            number, wire, value = tag >> 3, tag & 7, 0
            if not 0 < number < 1 << 29:
                raise ValueError(f"it is damaged: there is no field {number}")
            if wire == VARINT:
                value, at = self._varint(at, end, 10)
                start = at
            elif wire == BYTES:
                value, start = self._varint(at, end, 5, shortest=True)
                at = start + value
            elif wire in (FIXED64, FIXED32):
                start = at
                at += 8 if wire == FIXED64 else 4
            else:
                raise ValueError(f"it is damaged: there is no wire type {wire}")
            if at > end:
                raise ValueError("it is damaged or cut off")
            yield number, wire, value, start

    def _varint(self, at: int, end: int, most: int, shortest: bool = False) -> tuple[int, int]:
        """A number of at most `most` bytes, and the offset after it. `shortest`: it must not use more bytes than
        needed."""
        if at < end and self._content[at] < 0x80:
            return self._content[at], at + 1
        value = 0
        for place in range(most):
            if at >= end:
                raise ValueError("it is damaged or cut off")
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if shortest and place and not byte:
                    raise ValueError("it is damaged: a number is longer than it needs to be")
                return value, at
        raise ValueError("it is damaged: a number without end")
