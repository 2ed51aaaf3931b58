"""The embedder's entry of models/manifest.toml."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from kiosk.vision.manifest import Terms
from models.train.embedder.cohort import Centres
from models.train.embedder.false_matches import Fmr
from models.train.embedder.measure import TEMPLATE_SCALE, Measured, cohort_file
from models.train.embedder.retail import PART, SIDE

DEFAULT_FMR = 1e-4


@dataclass(frozen=True)
class Origin:
    """What the manifest says of where weights come from: in words, and `terms` as the program reads them."""

    licence: str
    data: str
    teacher: str
    terms: Terms
    pixels: str = "size = [112, 112]"


FACES = (
    "47,646 aligned faces of UTKFace, All-Age-Faces, CelebA and small public sets, less the 6,486 held-out ones of "
    "train/heldout.csv"
)
RESEARCH = Origin(
    "research only: derived from the weights of InsightFace's y1 and distilled from it and w600k_mbf (both: "
    "non-commercial research) on UTKFace, All-Age-Faces, CelebA and small public sets (most: research only)",
    f"{FACES}, and 3,430 faces of whole pictures of CelebA and of masks; no label is used but, where phase 3 was run, "
    "the names of 247 people of CelebA",
    "InsightFace MobileFaceNet y1 (fp32, 128-d), whose weights it began with, and w600k_mbf (512-d)",
    "research-only",
)
FREE = Origin(
    "Weights trained here, which began as retail-0095's and follow it alone: Apache-2.0. The pictures are of public "
    "research sets, most for research only, and that carries over.",
    f"{FACES}; no label is used",
    "face-reidentification-retail-0095 (Open Model Zoo, Apache-2.0), whose weights it began with",
    "free",
    f"size = [{SIDE}, {SIDE}], part = [{', '.join(map(str, PART))}]",
)


def fragment(
    model: Path, model_id: str, found: Measured, name: str = "mobilefacenet", origin: Origin = RESEARCH
) -> str:
    """TOML; each score is that of the held-out source that needs the highest one."""
    table = found.rows
    default = next(r for r in table if r.fmr == DEFAULT_FMR)
    lines = [threshold_line(r) for r in table]
    return "\n".join(
        [
            "[[model]]",
            f'name = "{name}"',
            'role = "embedder"',
            f'model_id = "{model_id}"',
            f'file = "{model.name}"',
            f'sha256 = "{hashlib.sha256(model.read_bytes()).hexdigest()}"',
            f'licence = "{origin.licence}"',
            f'data = "{origin.data}"',
            f'teacher = "{origin.teacher}"',
            f'terms = "{origin.terms}"',
            'pictures = "research-only"',
            f'input = {{ colour = "rgb", mean = [127.5, 127.5, 127.5], std = [128.0, 128.0, 128.0], {origin.pixels} }}',
            "dimension = 128",
            f"template_scale = {TEMPLATE_SCALE:g}",
            "mirrored = true",
            cohort_line(cohort_file(model), found.centres),
            f"threshold = {default.score:.4f}",
            f"threshold_fmr = {default.fmr:g}",
            "thresholds = [",
            *lines,
            "]",
            "",
        ]
    )


def cohort_line(path: Path, centres: Centres) -> str:
    """The file of the cohort and how its centres are used."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f'cohort = {{ file = "{path.name}", sha256 = "{sha256}", nearest = {centres.nearest}, '
        f"usual = {centres.usual:.4f} }}"
    )


def threshold_line(r: Fmr) -> str:
    """A row of the table of thresholds. The interval is rounded outwards."""
    grown = f", growth = {list(r.growth)}" if r.growth else ""
    low, high = math.floor(r.low * 1e4) / 1e4, math.ceil(r.high * 1e4) / 1e4
    return (
        f"  {{ fmr = {r.fmr:g}, score = {r.score:.4f}, squared_l2 = {r.squared_l2:.4f}, "
        f"interval = [{low:.4f}, {high:.4f}], pairs = {r.pairs}, false_matches = {r.false_matches}, "
        f'extrapolated = {str(r.extrapolated).lower()}, source = "{r.source}"{grown} }},'
    )
