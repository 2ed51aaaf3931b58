"""models/manifest.toml: the networks, their inputs, and the meaning of their scores.

A network is never run if its file does not have the manifest's sha256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from kiosk.config import explain
from kiosk.domain.errors import ModelError
from kiosk.domain.thresholds import OperatingPoint, Thresholds
from kiosk.vision.measured import CohortFile, ErrorRate, FileName, PairEntry, RuinsFile, Sha256, Strict, points
from kiosk.vision.model_files import default_folder, read_file, read_toml, refuse_bendable

CUT_OUT, TOGETHER = ANSWERS = "cut-out", "together"
"""Names of the cues from the networks' second answers: the second answer alone, and both answers together."""
UNNATURAL = "unnatural"
AnswerName = Literal["unnatural", "mouth_covered", "eyes_hidden", "uneven_light"]
"""UNNATURAL, and the values of Hint."""


class Input(Strict):
    """How pixels become numbers: (pixel - mean) / std per channel, in the order of `colour`.

    `size` is (height, width), or None for a network that takes any multiple of `multiple_of`. `part`: left, top and
    side of the square of an aligned face (vision.alignment) that is scaled to `size`, in that face's pixels, from the
    middle of the first one to the middle of the last.
    """

    colour: Literal["bgr", "rgb"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: tuple[int, int] | None = None
    multiple_of: int = 1
    part: tuple[float, float, Annotated[float, Field(gt=0)]] | None = None

    @model_validator(mode="after")
    def _scaled(self) -> Self:
        if self.part is not None and (self.size is None or self.size[0] != self.size[1]):
            raise ValueError("part needs a size, and a square one")
        return self


Terms = Literal["free", "research-only"]
"""Whether anybody may use something for anything, or for research alone."""


class Entry(Strict):
    """The keys of every network. A model_id is never used again for other weights."""

    name: str
    model_id: str
    file: FileName
    sha256: Sha256
    licence: str
    data: str
    teacher: str
    input: Input
    terms: Terms | None = None
    """Of the weights, by the licences of what they derive from. None: it is not stated."""
    pictures: Terms | None = None
    """Of the pictures that the weights were trained on; opinions differ on whether that carries over to weights."""


class DetectorEntry(Entry):
    """A network that finds faces: rows of x, y, width, height, five landmarks, score.

    `decoder`: what turns the network's outputs into rows: the network's own graph, or OpenCV for "yunet" (the twelve
    outputs of OpenCV Zoo's files).
    """

    role: Literal["detector"]
    decoder: Literal["graph", "yunet"] = "graph"
    score_threshold: float
    nms_iou: float


class Answer(Strict):
    """The meaning of one number of an embedder's second output (models/train/quality): yes, if it is above `most`.
    "unnatural": the face is not upright, whole and natural, so it is no evidence. The others are hints (domain.face):
    guidance at the door, a refusal at enrolment. `refused`: the share of good pictures that it says yes to by mistake,
    measured on those that `source` names.
    """

    name: AnswerName
    most: float
    refused: Annotated[float, Field(ge=0, le=1)] | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _measured(self) -> Self:
        if (self.refused is None) != (self.source is None):
            raise ValueError("refused and source go together: a share, and the pictures it was measured on")
        return self


class EmbedderEntry(Entry):
    """A network that turns an aligned face into a feature vector of `dimension` numbers.

    `mirrored`: the template is computed from the face and its mirror image together, so the network runs twice. A
    network without any threshold was not measured: it may be evaluated, but never used at a door.
    """

    role: Literal["embedder"]
    dimension: int
    template_scale: Annotated[float, Field(gt=0)]
    mirrored: bool = False
    cohort: CohortFile | None = None
    evidence: RuinsFile | None = None
    answers: tuple[Answer, ...] = ()
    """The answers of the second output, in its order; empty for a network without a second output."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    threshold_fmr: Annotated[float, Field(gt=0, lt=1)] | None = None
    thresholds: tuple[ErrorRate, ...] = ()

    def operating_points(self) -> list[OperatingPoint]:
        """The table from which a gallery's threshold is computed; only the single threshold if there is no table; empty
        if nothing was measured."""
        if self.thresholds:
            return points(self.thresholds)
        if self.threshold is None or self.threshold_fmr is None:
            return []
        return [OperatingPoint(self.threshold_fmr, self.threshold)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if (self.threshold is None) != (self.threshold_fmr is None):
            raise ValueError("threshold and threshold_fmr go together")
        names = [a.name for a in self.answers]
        if names and (len(set(names)) < len(names) or UNNATURAL not in names):
            raise ValueError('answers: each name stands there once, and "unnatural" is one of them')
        if self.evidence is not None and self.evidence.max_mirrored < 1 and not self.mirrored:
            raise ValueError("max_mirrored needs mirrored = true: it compares a face with its mirror image")
        if self.operating_points():
            Thresholds(self.operating_points(), fpir=0.5)
        return self


class PadEntry(Entry):
    """A network that scores a face with its surroundings: `context` times the box. If the picture is too small for
    that, the part is made smaller ("shrink"), or the picture is continued by its mirror image ("mirror"). Networks of
    the same `cue` are averaged; each cue can deny alone."""

    role: Literal["pad"]
    context: Annotated[float, Field(ge=1, le=10)]
    beyond_edge: Literal["shrink", "mirror"] = "shrink"
    cue: str = "surroundings"
    cut_out_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """If set, the network's last number is no class but the logit that nothing is cut out, which is a separate cue."""
    together_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """If set, both answers together are another cue. They may refuse what neither refuses alone."""
    bona_fide_class: Annotated[int, Field(ge=0)]
    threshold: Annotated[float, Field(gt=0, lt=1)]
    threshold_apcer: float
    threshold_bpcer: float

    @model_validator(mode="after")
    def _answers_twice(self) -> Self:
        if self.together_threshold is not None and self.cut_out_threshold is None:
            raise ValueError("together_threshold needs cut_out_threshold: it is of both answers")
        if self.cue in ANSWERS:
            raise ValueError(f"cue: {self.cue!r} is what the networks' second answers make")
        return self


AnyEntry = Annotated[DetectorEntry | EmbedderEntry | PadEntry, Field(discriminator="role")]
Kind = TypeVar("Kind", DetectorEntry, EmbedderEntry, PadEntry)


Part = Entry | CohortFile | RuinsFile | PairEntry
"""Whatever names a file and its hash."""


class _File(Strict):
    schema_version: Literal[1]
    model: tuple[AnyEntry, ...]
    pair: tuple[PairEntry, ...] = ()

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        names = [e.name for e in self.model]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise ValueError(f"two networks are called {twice!r}")
        weights: dict[str, str] = {}
        for e in self.model:
            if weights.setdefault(e.model_id, e.sha256) != e.sha256:
                raise ValueError(f"the model_id {e.model_id!r} stands for two files: a model_id is never used again")
        if len({(p.new, p.old) for p in self.pair}) < len(self.pair):
            raise ValueError("two pairs are of the same two networks")
        return self


class Manifest:
    """The networks of one folder."""

    def __init__(self, folder: Path) -> None:
        """Reads the manifest. Raises ModelError when it is missing or wrong."""
        self.folder = folder
        path = folder / "manifest.toml"
        try:
            read = _File.model_validate(read_toml(path))
        except ValidationError as error:
            raise ModelError(f"{path}: {explain(error)}") from error
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: the list of models cannot be read: {error}") from error
        self.entries, self.pairs = read.model, read.pair

    def pair(self, new: str, old: str) -> PairEntry | None:
        """The map from one network's vectors to another's, by their model_ids; None if there is none."""
        return next((p for p in self.pairs if (p.new, p.old) == (new, old)), None)

    def entry(self, name: str, kind: type[Kind]) -> Kind:
        """The entry with this name, or else with this model_id, which an upgrade never gives to other weights. Raises
        ModelError for an unknown one or another role."""
        for known_by in ("name", "model_id"):
            for e in self.entries:
                if getattr(e, known_by) == name and isinstance(e, kind):
                    return e
        known = ", ".join(e.name for e in self.entries if isinstance(e, kind)) or "none"
        role = kind.__name__.removesuffix("Entry").lower()
        raise ModelError(f"{self.folder}: there is no {role} {name!r}; known: {known}")

    def bytes_of(self, entry: Part) -> bytes:
        """The file's content, after checking its hash. Raises ModelError when the file is missing, too large or has
        another hash, or when other users may write the manifest, because its hashes are then worthless."""
        path = self.folder / entry.file
        if self.folder != default_folder():
            refuse_bendable(self.folder)
            refuse_bendable(self.folder / "manifest.toml")
        try:
            content = read_file(path)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror}); install the package again") from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise ModelError(f"{path}: damaged or altered (not the manifest's sha256); install the package again")
        return content


class HeldManifest(Manifest):
    """A manifest and its files in memory, for a process that will give up the right to read files."""

    def __init__(self, manifest: Manifest, names: Iterable[str]) -> None:
        """Reads the files of these networks. Raises ModelError."""
        self.folder, self.entries, self.pairs = manifest.folder, manifest.entries, manifest.pairs
        wanted = [entry for entry in manifest.entries if entry.name in set(names)]
        self._held = {part.sha256: manifest.bytes_of(part) for entry in wanted for part in files_of(entry)}

    def bytes_of(self, entry: Part) -> bytes:
        """The content that was read. KeyError for a file that was not read."""
        return self._held[entry.sha256]


def files_of(entry: AnyEntry | PairEntry) -> list[Part]:
    """All files of an entry: its network or map, and further files of an embedder or a map."""
    if isinstance(entry, PairEntry):
        return [entry, *(() if entry.cohort is None else (entry.cohort,))]
    beside = (entry.cohort, entry.evidence) if isinstance(entry, EmbedderEntry) else ()
    return [entry, *(part for part in beside if part is not None)]
