"""Pictures whose faces are known: a list in CSV, and the pictures of the list.

Columns: `picture` (a file below the root, `archive.tar#member` or `clip.mp4#number of the frame`), `source`, `ignore`
(0 or 1), `x, y, width, height` of the box, and the five landmarks. All coordinates are in pixels of that picture; left
and right are as seen in the picture. There is one row for each face; a picture without a face has one row without a
box. Landmarks may be missing. Lines that begin with # are comments.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from kiosk.cameras.sources import Still, is_clip, read_picture, stills
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Image
from kiosk.evaluation.samples import Samples, open_samples, pictures, read_image

BOX = ("x", "y", "width", "height")
LANDMARKS = tuple(
    f"{part}_{axis}" for part in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right") for axis in "xy"
)
COLUMNS = ("picture", "source", "ignore", *BOX, *LANDMARKS)


@dataclass(frozen=True, slots=True)
class TrueFace:
    """A face at a known place. `landmarks` as in domain.face.Face; empty if one is hidden. An ignored face counts
    neither as a miss nor as a false detection."""

    box: Box
    landmarks: tuple[tuple[float, float], ...] = ()
    ignore: bool = False

    @property
    def size(self) -> float:
        """Size in pixels: the root of the box's area."""
        return math.sqrt(self.box.width * self.box.height)

    def scaled(self, by: float) -> TrueFace:
        """The same face in a picture of another size."""
        b = self.box
        return TrueFace(
            Box(b.x * by, b.y * by, b.width * by, b.height * by),
            tuple((x * by, y * by) for x, y in self.landmarks),
            self.ignore,
        )


@dataclass(frozen=True, slots=True)
class TruePicture:
    """A picture with all its faces. `faces` is None if it is only known that one face is over the centre."""

    name: str
    source: str
    faces: tuple[TrueFace, ...] | None


def read_truth(path: Path) -> list[TruePicture]:
    """The pictures, in the order that is fastest to read. Raises SampleError for a missing or wrong list."""
    found: dict[str, tuple[str, list[TrueFace]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in _rows(file):
                try:
                    face = _face(row)
                except ValueError as error:
                    raise SampleError(f"{path}: line {line}: {error}") from error
                _, faces = found.setdefault(row["picture"], (row["source"], []))
                faces += [face] if face else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleError(f"{path}: cannot be read ({error})") from error
    if not found:
        raise SampleError(f"{path}: lists no picture")
    return [TruePicture(name, source, tuple(faces)) for name, (source, faces) in sorted(found.items(), key=_place)]


def _rows(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, columns) of each row. No value extends over several lines."""
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    reader = csv.DictReader((line for _, line in kept), restval="")
    yield from zip((number for number, _ in kept[1:]), reader, strict=False)


def _place(item: tuple[str, object]) -> tuple[str, int, str]:
    """Sort key: by file; the frames of a clip by number."""
    file, _, inside = item[0].partition("#")
    return file, int(inside) if inside.isdecimal() else 0, inside


def _face(row: Mapping[str, str]) -> TrueFace | None:
    if missing := [c for c in COLUMNS if c not in row]:
        raise ValueError(f"there is no column {missing[0]}")
    if not row["picture"] or row["ignore"] not in ("", "0", "1"):
        raise ValueError("needs the name of a picture, and 0 or 1 for ignore")
    values = [row[c] for c in BOX]
    if not any(values):
        return None
    x, y, width, height = (float(v) for v in values)
    points = [float(row[c]) for c in LANDMARKS] if row[LANDMARKS[0]] else []
    if not all(map(math.isfinite, (x, y, width, height, *points))) or min(width, height) <= 0:
        raise ValueError("a box needs a width and a height above 0, and every number must be finite")
    landmarks = tuple(zip(points[0::2], points[1::2], strict=True))
    return TrueFace(Box(x, y, width, height), landmarks, row["ignore"] == "1")


class Pictures:
    """Reads pictures by their names in a list. Archives stay open until the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stack = ExitStack()
        self._archives: dict[str, Samples] = {}
        self._clip: tuple[str, Iterator[Still]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def centred(self) -> list[TruePicture]:
        """All pictures of the root (a folder or an archive), each with one known face, over its centre. Raises
        SampleError if there are none."""
        self._archives[""] = samples = self._stack.enter_context(open_samples(self._root))
        names = pictures(samples)
        if not names:
            raise SampleError(f"{self._root}: holds no pictures")
        return [TruePicture(f"#{name}", self._root.stem, None) for name in names]

    def read(self, name: str) -> Image:
        """Reads a picture. Raises SampleError when it does not exist."""
        file, _, inside = name.partition("#")
        if not inside:
            return read_picture(self._root / file)
        if is_clip(Path(file)):
            return self._frame(file, inside)
        if file not in self._archives:
            self._archives[file] = self._stack.enter_context(open_samples(self._root / file))
        return read_image(self._archives[file], inside)

    def _frame(self, file: str, inside: str) -> Image:
        """Reads on from the previous frame; starts at the begin of another clip."""
        if self._clip is None or self._clip[0] != file:
            self._clip = file, stills(self._root / file)
        for still in self._clip[1]:
            if str(still.number) == inside:
                return still.image
        raise SampleError(f"{self._root / file}: there is no frame {inside} after those already read")
