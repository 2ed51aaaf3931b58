"""The faces of the shared data folder: rows, the people held out, decoded pictures, batches with changes.

Each face has two views, the picture as it is and its mirror image: view 2 * i and view 2 * i + 1 of the face i.
All are aligned again by the kiosk's own detector (realign.py).

The data folder comes from --shared or KIOSK_SHARED (default: ../shared beside the checkout). Its terms are the terms
of the public sets it was made from; see the model card.

`python -m models.train.common.faces` draws the list of held-out people again and checks it against heldout.csv.
"""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tqdm import tqdm

from kiosk.vision.alignment import similarity
from kiosk.vision.pixels import warped
from models.train.common.covers import COVERS, covered
from models.train.common.folders import MODELS, SHARED
from models.train.common.realign import realigned

HELDOUT = MODELS / "train" / "heldout.csv"
FRAME_FACES = Path(__file__).with_name("frame_faces.csv")
SIZE, MARGIN = 128, 8  # a shard's picture, and the pixels around the 112 x 112 face in it
PORTRAITS = ("aaf", "utkface")  # three quarters of the aligned faces; pictures of people on their way are wanted more
HELDOUT_PICTURES = {"aaf": 2600, "utkface": 2500}
HELDOUT_IDENTITIES = 60  # of celeba and celeb20, with all their pictures


def shared_folder(argument: str | None = None) -> Path:
    """The data folder: the argument, else KIOSK_SHARED, else ../shared beside the checkout."""
    folder = Path(argument or SHARED)
    if not (folder / "faces" / "aligned.csv").exists():
        raise SystemExit(f"no faces/aligned.csv in {folder}: name the data folder with --shared or KIOSK_SHARED")
    return folder


@dataclass(frozen=True)
class Face:
    """A row of aligned.csv, or after them of frame_faces.csv. `index`: its place among all and in the pictures.

    `landmarks`: 5 x 2, where the face is in a whole picture; none where the picture is an aligned face.
    """

    index: int
    shard: str
    path: str
    source: str
    identity: str
    landmarks: tuple[tuple[float, float], ...] = ()


def read_aligned(shared: Path) -> list[Face]:
    with (shared / "faces" / "aligned.csv").open(newline="") as f:
        return [Face(i, r["shard"], r["path"], r["source"], r["identity"]) for i, r in enumerate(csv.DictReader(f))]


def read_faces(shared: Path) -> list[Face]:
    """The aligned faces, and those of the whole pictures that frame_faces.csv names (embedder/frame_faces.py wrote
    it)."""
    faces = read_aligned(shared)
    with FRAME_FACES.open(newline="") as f:
        for i, (shard, path, *numbers) in enumerate(csv.reader(f), len(faces)):
            points = [float(v) for v in numbers]
            landmarks = tuple(zip(points[::2], points[1::2], strict=True))
            faces.append(Face(i, shard, path, "frames", "", landmarks))
    return faces


def _rank(key: str) -> str:
    return hashlib.sha256(f"heldout {key}".encode()).hexdigest()


def draw_heldout(faces: Sequence[Face]) -> list[Face]:
    """The people never trained on, in the order of a hash of their names: the same list on every machine."""
    chosen: list[Face] = []
    for source, count in HELDOUT_PICTURES.items():
        chosen += sorted((f for f in faces if f.source == source), key=lambda f: _rank(f.path))[:count]
    named = [f for f in faces if f.source in ("celeba", "celeb20") and f.identity]
    people = set(sorted({f.identity for f in named}, key=_rank)[:HELDOUT_IDENTITIES])
    chosen += [f for f in named if f.identity in people]
    return sorted(chosen, key=lambda f: f.index)


def read_heldout(faces: Sequence[Face]) -> list[Face]:
    """The faces that heldout.csv names.

    Raises SystemExit if the list names a face that the data folder lacks.
    """
    by_name = {(f.source, f.path): f for f in faces}
    with HELDOUT.open(newline="") as f:
        names = [(r["source"], r["path"]) for r in csv.DictReader(f)]
    lost = [n for n in names if n not in by_name]
    if lost:
        raise SystemExit(f"{HELDOUT.name} names {len(lost)} faces that the data folder lacks, first {lost[0]}")
    return [by_name[n] for n in names]


def training_faces(faces: Sequence[Face], share: float = 1.0) -> list[Face]:
    """All faces but the held-out ones; or those of a share of the people."""
    held = {f.index for f in read_heldout(faces)}
    return [f for f in faces if f.index not in held and int(_rank(f.identity or f.path)[-8:], 16) < share * 16**8]


def pictures(
    shared: Path, work: Path, faces: Sequence[Face], wanted: Sequence[Face] | None = None, threads: int = 2
) -> NDArray[np.uint8]:
    """All faces aligned, N x 128 x 128 x 3 uint8 BGR, made once in the work folder and mapped from there.

    `wanted`: only these are made; the others stay black.
    """
    path = work / "pictures.npy"
    wanted = faces if wanted is None else wanted
    if not path.exists():
        part = path.with_suffix(".part")
        x = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(len(faces), SIZE, SIZE, 3))
        for shard in sorted({f.shard for f in wanted}):
            with tarfile.open(shared / "faces" / shard) as tar:
                for f in (f for f in wanted if f.shard == shard):
                    member = tar.extractfile(f.path)
                    assert member is not None
                    picture = cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR)
                    x[f.index] = aligned(picture, f.landmarks) if f.landmarks else picture
        again = realigned(x, [f.index for f in wanted], threads)
        for f, picture in tqdm(zip(wanted, again, strict=True), "faces", len(wanted), mininterval=20):
            x[f.index] = picture
        x.flush()
        part.rename(path)
    kept: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    if len(kept) != len(faces):
        raise SystemExit(f"{path} holds {len(kept)} faces, there are {len(faces)}: remove it, it is made anew")
    return kept


def aligned(picture: NDArray[np.uint8], landmarks: Sequence[tuple[float, float]]) -> NDArray[np.uint8]:
    """A face of a whole picture on the template of ArcFace with MARGIN around it: 128 x 128 x 3, black outside."""
    matrix = similarity(np.array(landmarks, np.float64))
    matrix[:, 2] += MARGIN
    return warped(picture, matrix, SIZE)


def views_of(faces: Sequence[Face]) -> NDArray[np.int64]:
    """What a training draws from: both views of each face; of the PORTRAITS one, every other mirrored."""

    def sides(f: Face) -> tuple[int, ...]:
        return (f.index % 2,) if f.source in PORTRAITS else (0, 1)

    return np.array([2 * f.index + side for f in faces for side in sides(f)], np.int64)


def clean_crops(x: NDArray[np.uint8], views: NDArray[np.int64]) -> torch.Tensor:
    """The 112 x 112 faces themselves, n x 3 x 112 x 112 float RGB 0..255."""
    end = SIZE - MARGIN
    out = np.stack([x[v // 2, MARGIN:end, MARGIN:end] for v in views])
    out[views % 2 == 1] = out[views % 2 == 1, :, ::-1]
    return _rgb(out)


def _rgb(bgr: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(bgr)).permute(0, 3, 1, 2).float().flip(1)


class Batches:
    """Endless shuffled batches of the training faces' views, and the changes made to them. `state()` is exact."""

    def __init__(self, x: NDArray[np.uint8], views: NDArray[np.int64], seed: int) -> None:
        self.x = x
        self.all_views = views
        self.rng = np.random.default_rng(seed)
        self.order = np.empty(0, np.int64)

    def state(self) -> dict[str, object]:
        return {"rng": self.rng.bit_generator.state, "views": self.order.tolist()}

    def restore(self, state: dict[str, object]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.order = np.asarray(state["views"], np.int64)

    def views(self, n: int) -> NDArray[np.int64]:
        while len(self.order) < n:
            self.order = np.r_[self.order, self.rng.permutation(self.all_views)]
        taken, self.order = self.order[:n], self.order[n:]
        return taken

    def crops(self, views: NDArray[np.int64], sigma: float) -> torch.Tensor:
        """n x 3 x 112 x 112 float RGB 0..255, shifted by about sigma pixels."""
        n = len(views)
        at = MARGIN + np.clip(np.rint(self.rng.normal(0, sigma, (n, 2))), 1 - MARGIN, MARGIN - 1).astype(int)
        out = np.empty((n, 112, 112, 3), np.uint8)
        for k, v in enumerate(views):
            c = self.x[v // 2, at[k, 0] : at[k, 0] + 112, at[k, 1] : at[k, 1] + 112]
            out[k] = c[:, ::-1] if v % 2 else c
        return _rgb(out)

    def _uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.uniform(low, high, shape).astype(np.float32))

    def blend(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Replaces the last `count` pictures by blends of two aligned faces: faces that nobody has."""
        if count:
            w = self._uniform(0.3, 0.7, count, 1, 1, 1)
            x[-count:] = w * x[-count:] + (1 - w) * x[self.rng.permutation(len(x))[:count]]
        return x

    def light(self, x: torch.Tensor, contrast: float, offset: float) -> torch.Tensor:
        """Changes contrast (share), colour balance (5%) and brightness (grey levels) of each picture."""
        n = len(x)
        gain = self._uniform(1 - contrast, 1 + contrast, n, 1, 1, 1) * self._uniform(0.95, 1.05, n, 3, 1, 1)
        return ((x - 127.5) * gain + 127.5 + self._uniform(-offset, offset, n, 1, 1, 1)).clamp_(0, 255)

    def tint(self, x: torch.Tensor, share: float) -> torch.Tensor:
        """Another light on a share of the pictures: gamma 0.6 to 1.7 and a strong colour, as a lamp or a sunset has."""
        for k in np.flatnonzero(self.rng.random(len(x)) < share):
            gamma = float(np.exp(self.rng.uniform(np.log(0.6), np.log(1.7))))
            x[k] = (255 * (x[k] / 255) ** gamma * self._uniform(0.6, 1.2, 3, 1, 1)).clamp_(0, 255)
        return x

    def blur(self, x: torch.Tensor, share: float) -> torch.Tensor:
        """Shrinks a share of the pictures to 28..84 pixels and enlarges them again: a face far from the camera."""
        low = torch.from_numpy(self.rng.random(len(x)) < share)
        if low.any():
            z = int(self.rng.integers(28, 84))
            small = F.interpolate(x[low], size=(z, z), mode="area")
            x[low] = F.interpolate(small, size=x.shape[2:], mode="bilinear")
        return x

    def cover(self, x: torch.Tensor, share: float) -> torch.Tensor:
        """Puts a mask over mouth and nose, glasses, or a hat on a share of the aligned pictures."""
        kinds = list(COVERS.values())
        for k in np.flatnonzero(self.rng.random(len(x)) < share):
            x[k] = covered(x[k], kinds[int(self.rng.integers(len(kinds)))], self.rng)
        return x

    def compress(self, x: torch.Tensor, share: float) -> torch.Tensor:
        """JPEG of quality 20..70 for a share of the pictures."""
        for k in np.flatnonzero(self.rng.random(len(x)) < share):
            bgr = x[k].flip(0).permute(1, 2, 0).clamp(0, 255).byte().numpy()
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(self.rng.integers(20, 70))]
            x[k] = _rgb(cv2.imdecode(cv2.imencode(".jpg", bgr, quality)[1], cv2.IMREAD_COLOR)[None])[0]
        return x

    def lit(self, x: torch.Tensor) -> torch.Tensor:
        """The faces, n x 3 x 112 x 112 RGB 0..255, in the lights of a door."""
        return self.tint(self.light(x, 0.2, 15), 0.08)

    def taken(self, x: torch.Tensor) -> torch.Tensor:
        """What a camera makes of them: distance, JPEG."""
        return self.compress(self.blur(x, 0.1), 0.06)

    def changed(self, x: torch.Tensor) -> torch.Tensor:
        """What a door's camera may make of the faces, n x 3 x 112 x 112 RGB 0..255: light, cover, distance, JPEG."""
        return self.taken(self.cover(self.lit(x), 0.08))


def main() -> None:
    faces = read_faces(shared_folder())
    held = draw_heldout(faces)
    if not HELDOUT.exists():
        with HELDOUT.open("w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(["source", "path"])
            out.writerows([h.source, h.path] for h in held)
    same = [h.index for h in held] == [h.index for h in read_heldout(faces)]
    print(f"{len(held)} held-out faces of {len(faces)}; {HELDOUT.name} {'agrees' if same else 'DIFFERS'}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
