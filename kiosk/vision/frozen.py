"""Detects a camera that repeats earlier pictures: one picture, or some buffers in turns.

A living face in front of a real sensor never gives the same pixels twice. So a face with earlier pixels is no evidence,
even if other parts of the picture move (a clock in the corner), whatever the period of the repetition is, and also if
its brightness has changed. Of each picture a lattice of about 160 pixels across is kept. The pixels are not averaged,
because averages have no noise.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.face import Box, Frame
from kiosk.domain.tracking import Seen

Kind = TypeVar("Kind", np.uint8, np.bool_)

ACROSS = 160
"""Pixels on the lattice's longer side."""
TILE = 5
"""Width and height of a tile in pixels of the lattice. A tile is stored as one number computed from its pixels."""
LIVELY_RANGE, LIVELY_LEVEL = 8, 16
"""A tile counts as lively if its levels differ by at least LIVELY_RANGE and their mean is at least LIVELY_LEVEL. Other
tiles (a wall, the dark of a night) may repeat without a fault."""
SAME = 0.95
"""Two pictures count as the same if this share of their lively tiles is equal. Measured on nine clips of real people,
some with half of the picture coded as unchanged: at most 0.77 of a face, or of the whole picture."""
LOOKED_AT = 40
"""Number of tiles of a face or a picture that are compared, evenly spread; it may be up to twice as many."""
REMEMBERED = 60.0
"""Seconds in which exact repetitions are found."""
REMEMBERED_FRAMES = 2048
ALIKE_AFTER, ALIKE_WITHIN = 0.3, 4.0
"""Age range in seconds of the earlier pictures that are compared for the same face with another brightness."""
ALIKE_FRAMES = 128
ALIKE = 1.0
"""Least difference (root mean square, in levels) between a face and an earlier one, after the best gain and offset.
Measured: 0.5, from rounding, for a still picture whose brightness changes; 1.6 and more for clips of real people and
the simulated camera."""
CONTRAST = 4.0
"""A face with a smaller standard deviation (levels) is too plain to be told apart from an earlier one."""
FROZEN_AFTER = 3.0
"""The camera is reported as frozen after this many seconds without anything new."""
LIVELY_SHARE = 0.1
"""Least share of lively tiles in a picture without a face before it can count as frozen."""


class Memory:
    """Stores the last pictures of a camera, and finds out what of the newest was there before. For one thread."""

    _tiles: NDArray[np.uint32]
    """A number for each tile (rows) of each stored picture (columns)."""
    _wholes: NDArray[np.uint64]
    """A number for each whole picture."""
    _lattices: NDArray[np.uint8]
    _times: NDArray[np.float64]

    def __init__(self) -> None:
        self._mix = np.random.default_rng(0).integers(1, 2**32, TILE * TILE, dtype=np.uint64) | np.uint64(1)
        self._forget((0, 0))

    def take(self, frame: Frame) -> Seen:
        """Stores the newest picture. Returns whether the whole picture was there before."""
        self._step = max(1, round(max(frame.image.shape[:2]) / ACROSS))
        lattice = frame.image[:: self._step, :: self._step, 1]
        if lattice.shape != self._shape:
            self._forget(lattice.shape)
        tiles = _tiles(lattice)
        self._lively = (np.ptp(tiles, axis=1) >= LIVELY_RANGE) & (tiles.mean(axis=1) >= LIVELY_LEVEL)
        self._count += 1
        self._now = frame.captured_at
        self._times[self._at] = self._now
        mixed = tiles.astype(np.uint64) @ self._mix
        self._tiles[:, self._at] = mixed.astype(np.uint32)
        self._wholes[self._at] = (mixed * np.arange(1, len(mixed) + 1, dtype=np.uint64)).sum()
        self._lattices[self._count % ALIKE_FRAMES] = lattice
        seen = self._when(self._wholes == self._wholes[self._at])
        dark = self._lively.sum() <= LIVELY_SHARE * len(self._lively)
        if dark or (seen is Seen.NEW and self._before(self._lively) is Seen.NEW):
            self._moved_at = self._now
        return seen

    @property
    def frozen(self) -> bool:
        """Whether the camera has shown nothing new for some time, although it is not dark."""
        return self._now - self._moved_at >= FROZEN_AFTER

    def face(self, box: Box) -> Seen:
        """Whether the face in the newest picture was there before."""
        rows, columns = (
            slice(max(0, round(low / self._step)), max(0, round((low + size) / self._step)))
            for low, size in ((box.y, box.height), (box.x, box.width))
        )
        inside = np.zeros(self._shape, bool)
        inside[rows, columns] = True
        seen = self._before(self._lively & _tiles(inside).all(axis=1))
        return Seen.FROZEN if seen is Seen.NEW and self._alike(rows, columns) else seen

    @property
    def _at(self) -> int:
        """The column of the newest picture."""
        return self._count % REMEMBERED_FRAMES

    def _before(self, tiles: NDArray[np.bool_]) -> Seen:
        """Whether most of these tiles are equal to those of one earlier picture. Of many tiles only some are
        compared."""
        chosen = np.flatnonzero(tiles)
        chosen = chosen[:: max(1, len(chosen) // LOOKED_AT)]
        if not len(chosen):
            return Seen.NEW
        known = self._tiles[chosen, : min(self._count + 1, REMEMBERED_FRAMES)]
        same = np.zeros(REMEMBERED_FRAMES, bool)
        same[: known.shape[1]] = (known == known[:, self._at, None]).sum(axis=0) >= SAME * len(chosen)
        return self._when(same)

    def _when(self, same: NDArray[np.bool_]) -> Seen:
        """`same`: for each stored picture, whether the newest is equal to it. Returns when the equal picture was."""
        same = same & (self._now - self._times <= REMEMBERED)
        same[self._at] = False
        before = (self._count - 1) % REMEMBERED_FRAMES
        again = bool(same[before])
        same[before] = False
        return Seen.FROZEN if same.any() else Seen.AGAIN if again else Seen.NEW

    def _alike(self, rows: slice, columns: slice) -> bool:
        """Whether an earlier picture shows the same in this region, apart from brightness."""
        last = np.arange(max(1, self._count - ALIKE_FRAMES + 1), self._count)
        age = self._now - self._times[last % REMEMBERED_FRAMES]
        last = last[(age >= ALIKE_AFTER) & (age <= ALIKE_WITHIN)]
        now = self._lattices[self._count % ALIKE_FRAMES, rows, columns].astype(np.float32).ravel()
        if not len(last) or now.size == 0 or now.std() < CONTRAST:
            return False
        then = self._lattices[last % ALIKE_FRAMES, rows, columns].astype(np.float32).reshape(len(last), -1)
        now -= now.mean()
        then -= then.mean(axis=1, keepdims=True)
        both, own = then @ now, np.einsum("ij,ij->i", then, then)
        # The mean square of `now` minus the best multiple of `then`.
        left = np.maximum(float(now @ now) - both**2 / np.maximum(own, 1e-6), 0) / now.size
        return bool(left.min() < ALIKE**2)

    def _forget(self, shape: tuple[int, ...]) -> None:
        """Forgets all pictures, because the camera now gives another size."""
        self._shape = shape
        self._step = 1
        self._count = 0
        self._now = self._moved_at = 0.0
        tiles = (shape[0] // TILE) * (shape[1] // TILE)
        self._lively = np.zeros(tiles, bool)
        self._tiles = np.zeros((tiles, REMEMBERED_FRAMES), np.uint32)
        self._wholes = np.zeros(REMEMBERED_FRAMES, np.uint64)
        self._times = np.full(REMEMBERED_FRAMES, -np.inf)
        self._lattices = np.zeros((ALIKE_FRAMES, *shape), np.uint8)


def _tiles(lattice: NDArray[Kind]) -> NDArray[Kind]:
    """Splits H x W values into one row of TILE x TILE values for each whole tile."""
    height, width = (side // TILE for side in lattice.shape)
    whole = lattice[: height * TILE, : width * TILE].reshape(height, TILE, width, TILE)
    return whole.swapaxes(1, 2).reshape(height * width, TILE * TILE)
