"""Dot products of one probe with many byte templates: where a search spends its time.

Products of signed bytes are whole numbers. float32 holds whole numbers below 2^24 exactly, also as sums in any order.
So all kernels give the same numbers on every machine, and the faster ones are tested against `plain`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.people import Template

try:
    import numkong
except ImportError:  # not every processor has a wheel (pyproject.toml names those that do)
    numkong = None

Products = Callable[[Template], NDArray[np.float32]]
"""The dot product of a probe of D bytes with each of N rows, exactly: N whole numbers."""

Kernel = Callable[[NDArray[np.int8]], Products]
"""Prepares N x D rows, which must not change afterwards, for their Products."""

WIDEST = 2**24 // 2**14
"""Most bytes of a template: 1,024 products of at most 2^14 each."""

STEP = 1024
"""Number of rows that `plain` holds as float32 at a time: 512 kB, a processor's second cache."""

PACKED = 100_000
"""Largest number of rows that are also kept in numkong's own order, which takes 148 bytes a row and half the time. More
rows do not fit into a processor's caches, and then both orders wait for the memory."""


def plain(rows: NDArray[np.int8]) -> Products:
    """With numpy alone: widens some rows at a time and leaves the rest to BLAS."""

    def products(probe: Template) -> NDArray[np.float32]:
        wide_probe = probe.astype(np.float32)
        found = np.empty(len(rows), np.float32)
        room = np.empty((min(STEP, len(rows)), len(probe)), np.float32)
        for start in range(0, len(rows), STEP):
            part = rows[start : start + STEP]
            wide = room[: len(part)]
            np.copyto(wide, part)
            np.matmul(wide, wide_probe, out=found[start : start + len(part)])
        return found

    return products


def unpacked(rows: NDArray[np.int8]) -> Products:
    """With numkong, on the rows as they are."""

    def products(probe: Template) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.asarray(numkong.cdist(probe[np.newaxis], rows, "dot", out_dtype="float32"))
        return found.reshape(-1)

    return products


def packed(rows: NDArray[np.int8]) -> Products:
    """With numkong, on a copy of the rows in the order that its kernels want."""
    copy = numkong.dots_pack(rows)

    def products(probe: Template) -> NDArray[np.float32]:
        return np.asarray(numkong.dots_packed(probe[np.newaxis], copy)).reshape(-1).astype(np.float32)

    return products


def kernels() -> tuple[Kernel, ...]:
    """All kernels of this machine."""
    return (plain,) if numkong is None else (plain, unpacked, packed)


def kernel_for(count: int) -> Kernel:
    """The fastest kernel of this machine for so many rows."""
    if numkong is None:
        return plain
    return packed if count <= PACKED else unpacked
