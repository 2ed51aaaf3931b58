"""A network is complete in one file: no file that it refers to is read, whichever library loads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.domain.errors import ModelError
from kiosk.vision import onnx_bytes
from kiosk.vision.manifest import DetectorEntry, Input, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network
from kiosk.vision.yunet import YuNet
from tests.fakes.onnx_file import embedder, field, tensor, varint

SCALE = Input(colour="rgb", mean=(0, 0, 0), std=(1, 1, 1))
WHOLE = embedder()
NUMBERS = np.arange(4, dtype=np.float32)
OUTSIDE = tensor("w", NUMBERS, external="/etc/passwd")
INSIDE = tensor("w", NUMBERS)


def in_graph(number: int, part: bytes) -> bytes:
    """A whole network with one more field in its graph; parsers merge the two graphs."""
    return WHOLE + field(7, field(number, part))


def attribute(number: int, part: bytes) -> bytes:
    """AttributeProto with one value."""
    return field(1, b"value") + field(number, part)


def node(part: bytes) -> bytes:
    """NodeProto with one attribute."""
    return field(2, b"y") + field(4, b"Constant") + field(5, part)


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "an initializer": lambda t: in_graph(5, t),
    "the values of a sparse initializer": lambda t: in_graph(15, field(1, t)),
    "its indices": lambda t: in_graph(15, field(1, INSIDE) + field(2, t)),
    "a constant": lambda t: in_graph(1, node(attribute(5, t))),
    "a list of constants": lambda t: in_graph(1, node(attribute(10, INSIDE) + field(10, t))),
    "a sparse constant": lambda t: in_graph(1, node(attribute(22, field(1, t)))),
    "a list of sparse constants": lambda t: in_graph(1, node(attribute(23, field(2, t)))),
    "a branch": lambda t: in_graph(1, node(attribute(6, field(5, t)))),
    "a list of branches": lambda t: in_graph(1, node(attribute(11, field(1, node(attribute(5, t)))))),
    "a function": lambda t: WHOLE + field(25, field(1, b"f") + field(7, node(attribute(5, t)))),
    "a function's default": lambda t: WHOLE + field(25, field(11, attribute(5, t))),
    "the training's begin": lambda t: WHOLE + field(20, field(1, field(5, t))),
    "the training": lambda t: WHOLE + field(20, field(2, field(5, t))),
}
RAW = tensor("w", NUMBERS)
ENTRY = field(1, b"location") + field(2, b"/etc/passwd")
HIDDEN = {
    "the place alone": RAW + field(14, 1),
    "the path alone": RAW + field(13, ENTRY),
    "an empty path": RAW + field(13, b""),
    "said twice, the second time harmless": OUTSIDE + field(14, 0),
    "said twice, the first time harmless": RAW + field(14, 0) + field(14, 1),
    "a number in more bytes than it needs": RAW + varint(14 << 3) + b"\x81\x80\x80\x00",
    "a number that is cut to 32 bits": RAW + varint(14 << 3) + varint(1 << 32 | 1),
    "a number that is negative": RAW + varint(14 << 3) + varint((1 << 64) - 1),
    "a tag in more bytes than it needs": RAW + bytes([14 << 3 | 0x80, 0x00]) + b"\x01",
    "a tag that is cut to 32 bits": RAW + varint((1 << 35) | 14 << 3) + b"\x01",
    "a length in more bytes than it needs": RAW + varint(13 << 3 | 2) + bytes([len(ENTRY) | 0x80, 0]) + ENTRY,
    "a list of numbers": RAW + field(14, b"\x01"),
    "a fixed number": RAW + varint(14 << 3 | 5) + b"\x01\x00\x00\x00",
    "a group": RAW + varint(13 << 3 | 3) + ENTRY + varint(13 << 3 | 4),
    "a group of an unknown number": RAW + varint(99 << 3 | 3) + field(13, ENTRY) + varint(99 << 3 | 4),
    "an unknown field": RAW + field(99, field(13, ENTRY)),
}


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused_wherever_they_are_named(place: str) -> None:
    onnx_bytes.check(PLACES[place](INSIDE), "own")
    with pytest.raises(ModelError, match=r"own: no network in ONNX .*another file \(external data\)"):
        onnx_bytes.check(PLACES[place](OUTSIDE), "own")


@pytest.mark.parametrize("way", HIDDEN)
@pytest.mark.parametrize("place", ["an initializer", "a branch", "a function"])
def test_hidden_references_to_other_files_are_refused(place: str, way: str) -> None:
    with pytest.raises(ModelError, match="own: no network in ONNX"):
        onnx_bytes.check(PLACES[place](HIDDEN[way]), "own")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no network at all", "damaged|not known"),
        (WHOLE[:-100], "cut off"),
        (WHOLE + b"\x00\x00", "no field 0"),
        (WHOLE + b"\x0b\x0c", "no wire type 3"),
        (WHOLE + varint(9 << 3 | 2) + varint(1 << 40), "damaged"),
        (WHOLE + varint(8) + b"\xff" * 11, "without end"),
        (WHOLE + field(7, 1), "field 7 of a Model is no message"),
        (b"\x0a\x0812ORTM34" + WHOLE, "onnxruntime's own format"),
        (in_graph(1, field(4, b"EPContext")), "EPContext"),
        (WHOLE + field(14, field(1, b"ort_config") + field(2, b"{}")), "ort_config"),
    ],
)
def test_unusual_protobuf_encodings_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        onnx_bytes.check(content, "own")


def test_the_check_of_a_file_has_bounded_work(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = b""
    for _ in range(onnx_bytes.DEEPEST):
        deep = node(attribute(6, field(1, deep)))
    with pytest.raises(ModelError, match="deep in one another"):
        onnx_bytes.check(in_graph(1, deep), "own")
    monkeypatch.setattr(onnx_bytes, "MOST_FIELDS", 1000)
    with pytest.raises(ModelError, match="more than 1000 fields"):
        onnx_bytes.check(WHOLE + field(1, 8) * 1000, "own")


@pytest.mark.parametrize("entry", Manifest(default_folder()).entries, ids=lambda e: str(e.name))
def test_the_programs_own_networks_are_whole(entry: DetectorEntry) -> None:
    content = Manifest(default_folder()).bytes_of(entry)
    onnx_bytes.check(content, entry.name)
    with pytest.raises(ModelError, match=re.escape(entry.name)):
        onnx_bytes.check(content + field(7, field(5, OUTSIDE)), entry.name)


@given(st.data())
def test_a_damaged_file_is_refused_or_whole(data: st.DataObject) -> None:
    """Never another error, whatever the bytes are."""
    content = bytearray(in_graph(1, node(attribute(6, field(5, INSIDE)))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModelError):
        onnx_bytes.check(bytes(content), "own")


@given(st.binary(max_size=64))
def test_random_bytes_are_refused_or_a_whole_network(content: bytes) -> None:
    with suppress(ModelError):
        onnx_bytes.check(content, "own")


def test_no_library_sees_such_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two is given a network whose weights lie in a file that is really there."""
    monkeypatch.chdir(tmp_path)
    weights = np.random.default_rng(1).normal(size=(48, 128)).astype(np.float32)
    (tmp_path / "weights.bin").write_bytes(weights.tobytes())
    content = embedder(external="weights.bin")
    with pytest.raises(ModelError, match="external data"):
        Network(content, SCALE, "own", 1)
    entry = Manifest(default_folder()).entry("face-detector", DetectorEntry)
    with pytest.raises(ModelError, match="external data"):
        YuNet(content, entry)
