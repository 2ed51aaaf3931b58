"""The pictures of the shared data folder, read from its tar shards, and the tenth of them that is held out."""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

Image = np.ndarray
"""H x W x 3, BGR, uint8."""


def path_hash(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")


def held_out(path: str) -> bool:
    return path_hash(path) % 10 == 0


def members(faces: Path, table: str, keep: Callable[[dict[str, str]], bool]) -> Iterator[tuple[dict[str, str], Image]]:
    """The rows of a table that are kept, with their decoded pictures, in the order of the tar shards."""
    with (faces / table).open() as f:
        rows = {(r["shard"], r["path"]): r for r in csv.DictReader(f) if keep(r)}
    for shard in sorted({s for s, _ in rows}):
        with tarfile.open(faces / shard) as tar:
            for entry in tar:
                row = rows.get((shard, entry.name))
                if row is not None and (data := tar.extractfile(entry)) is not None:
                    image = cv2.imdecode(np.frombuffer(data.read(), np.uint8), cv2.IMREAD_COLOR)
                    if image is not None:
                        yield row, image
