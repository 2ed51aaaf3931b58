"""Loads and checks the networks of a configuration."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kiosk.domain.errors import ModelError
from kiosk.domain.face import Image, Vector
from kiosk.domain.matching import Cohort, rounded
from kiosk.domain.ports.recognition import Embedder
from kiosk.domain.renewal import Measure
from kiosk.domain.thresholds import Thresholds
from kiosk.sections import ModelsConfig, PolicyConfig, Provider
from kiosk.vision.answers import Answers
from kiosk.vision.detector import FaceDetector
from kiosk.vision.earlier import BothEmbedders, Earlier, VectorMap, load_map
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Entry, Manifest, PadEntry
from kiosk.vision.measured import CohortFile
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network
from kiosk.vision.pad import FusedPad
from kiosk.vision.ruins import Ruins

OTHER = 0.045
"""By how much of their length the numbers may differ that two providers give for a picture. Chosen: no provider but the
CPU has run yet."""
SURE = 1000
"""The threshold for a gallery of this many subjects decides whether two refused faces are the same."""


@dataclass(frozen=True, slots=True)
class Models:
    """All networks for a frame, and what is needed to compute the threshold."""

    detector: FaceDetector
    pad: FusedPad
    embedder: FaceEmbedder
    embedder_entry: EmbedderEntry
    cohort: Cohort
    policy: PolicyConfig
    entries: tuple[Entry, ...]
    """The manifest entries of all networks in use."""
    left_out: tuple[str, ...] = ()
    """PAD networks that are not used, although the threshold of a used one was measured with them."""
    earlier: Earlier | None = None
    """The embedder of before, while it is being changed."""

    @property
    def looks(self) -> Embedder:
        """The embedder for a door and for enrolment: with the earlier network's vectors, if there is one."""
        return self.embedder if self.earlier is None else BothEmbedders(self.embedder, self.earlier)

    @property
    def measure(self) -> Measure:
        """What comparisons with the embedder's references need to know. Raises ModelError as `thresholds` does."""
        entry = self.embedder_entry
        return Measure(entry.model_id, entry.dimension, self.thresholds, self.cohort)

    @property
    def measured(self) -> tuple[str, int, Thresholds, Cohort]:
        """The same, one by one."""
        m = self.measure
        return m.model_id, m.dimension, m.thresholds, m.cohort

    @property
    def earlier_measure(self) -> Measure | None:
        """The same of the earlier embedder's references."""
        return None if self.earlier is None else self.earlier.measure

    @property
    def compared(self) -> tuple[str, ...]:
        """The model_ids of the references that may be compared."""
        return (self.embedder.model_id, *(() if self.earlier is None else (self.earlier.entry.model_id,)))

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds by the gallery's size. Raises ModelError when none was measured with this embedder."""
        return thresholds(self.embedder_entry, self.policy)

    def surely_alike(self) -> Callable[[Vector, Vector], bool]:
        """A function that tells whether two scaled feature vectors are of one face, to recognise a refused person. It
        uses the threshold for a gallery of SURE subjects, so that hardly any other person is taken for the refused one.
        No gallery has part in it, so nothing is turned."""
        score = self.thresholds.for_gallery({1: SURE}).score
        return lambda a, b: self.cohort.score(rounded(a), rounded(b)) >= score


def load(config: ModelsConfig, policy: PolicyConfig) -> Models:
    """Loads all networks. Raises ModelError when any network is missing, altered or cannot be loaded, or when every
    user of the machine may replace them."""
    manifest = Manifest(config.folder or default_folder())
    found = manifest.entry(config.detector, DetectorEntry)
    embedding = manifest.entry(config.embedder, EmbedderEntry)
    attacks = [manifest.entry(name, PadEntry) for name in config.pad]
    earlier = load_earlier(manifest, config, policy, embedding)
    run_too = () if earlier is None or earlier.pair is not None else (earlier.entry,)
    return Models(
        detector=FaceDetector.load(manifest, found, config.threads, config.provider),
        pad=load_pad(manifest, attacks, config.threads, policy.pad_threshold, config.provider),
        embedder=load_embedder(manifest, embedding, config.threads, config.provider),
        embedder_entry=embedding,
        cohort=load_cohort(manifest, embedding),
        policy=policy,
        entries=(found, embedding, *attacks, *run_too),
        left_out=left_out(manifest.entries, attacks),
        earlier=earlier,
    )


def load_earlier(
    manifest: Manifest, config: ModelsConfig, policy: PolicyConfig, current: EmbedderEntry
) -> Earlier | None:
    """The embedder of before that the configuration names; None if it names none, or the current one. A map is taken
    where the manifest has one. Raises ModelError when its network, or the map and its thresholds, cannot be used:
    references of before must never be compared by other scores than were measured for them."""
    if config.previous is None:
        return None
    entry = manifest.entry(config.previous, EmbedderEntry)
    if entry.model_id == current.model_id:
        return None
    if entry.dimension != current.dimension:
        raise ModelError(f"{entry.name}: {entry.dimension} numbers a face, {current.name} has {current.dimension}")
    pair = manifest.pair(current.model_id, entry.model_id)
    source: FaceEmbedder | VectorMap
    if pair is None:
        by, points, cohort = "", thresholds(entry, policy), load_cohort(manifest, entry)
        source = load_embedder(manifest, entry, config.threads, config.provider)
    else:
        cohort, source = _cohort(manifest, pair.cohort, entry), load_map(manifest, pair, entry.dimension)
        by, points = f"{pair.new}>{pair.old}", Thresholds(pair.operating_points(), policy.fpir)
    return Earlier(entry, Measure(entry.model_id, entry.dimension, points, cohort, by), source, pair)


def left_out(entries: Sequence[Entry], running: Sequence[PadEntry]) -> tuple[str, ...]:
    """Names of the PAD networks that were measured together with a used one, but are not used. Entries of one cue with
    the same figures were measured together."""
    names, measured = {e.name for e in running}, {_measurement(e) for e in running}
    others = [e for e in entries if isinstance(e, PadEntry) and e.name not in names]
    return tuple(e.name for e in others if _measurement(e) in measured)


def _measurement(entry: PadEntry) -> tuple[str, float, float, float]:
    return entry.cue, entry.threshold, entry.threshold_apcer, entry.threshold_bpcer


def load_embedder(manifest: Manifest, entry: EmbedderEntry, threads: int, provider: Provider = "cpu") -> FaceEmbedder:
    """Loads the embedder with the checks for a natural face that its entry names. Raises ModelError when a file is
    missing, altered or of a wrong kind."""
    network = _compared(manifest, entry, threads, provider)
    if entry.answers and network.widths[1:] != [len(entry.answers)]:
        raise ModelError(f"{manifest.folder / entry.file}: no second output of the {len(entry.answers)} answers named")
    answers = Answers(entry.answers) if entry.answers else None
    return FaceEmbedder(network, entry, load_ruins(manifest, entry), answers)


def _compared(manifest: Manifest, entry: EmbedderEntry | PadEntry, threads: int, provider: Provider) -> Network:
    """A network whose numbers are compared with a threshold. The detector is none: its faces are looked at again."""
    network = Network.load(manifest, entry, threads, provider)
    if provider != "cpu":
        refuse_other_numbers(network, Network.load(manifest, entry, threads), entry)
    return network


def refuse_other_numbers(network: Network, measured: Network, entry: EmbedderEntry | PadEntry) -> None:
    """Compares a network on another provider with the same on the CPU, with which the thresholds were measured and
    people may be enrolled. Raises ModelError when the numbers of a fixed picture differ by more than OTHER of their
    length: for an embedder that is a cosine of .999."""
    width, height = (entry.input.size if entry.input.part is None else None) or (112, 112)
    picture: Image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    own, theirs = (n.run(picture)[0].astype(np.float64) for n in (network, measured))
    off = float(np.linalg.norm(own - theirs) / max(float(np.linalg.norm(theirs)), 1e-9))
    if not off <= OTHER:
        raise ModelError(
            f"{entry.name}: this provider computes other numbers than the CPU (off by {off:.2%}, at most {OTHER:.1%}):"
            ' the thresholds do not hold for them: set [models] provider = "cpu"'
        )


def load_ruins(manifest: Manifest, entry: EmbedderEntry) -> Ruins | None:
    """The check against distorted pictures; None if the entry names none. Raises ModelError as above."""
    if entry.evidence is None:
        return None
    content = manifest.bytes_of(entry.evidence)
    try:
        centre = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if centre.shape != (entry.dimension,) or centre.dtype != np.float32:
            raise ValueError(f"it is not {entry.dimension} numbers of float32")
        found = entry.evidence
        return Ruins(centre, found.min_length, found.max_cosine, found.max_mirrored)
    except (ValueError, EOFError) as error:
        raise ModelError(f"{manifest.folder / entry.evidence.file}: no centre of {entry.name}: {error}") from error


def load_cohort(manifest: Manifest, entry: EmbedderEntry) -> Cohort:
    """The cohort that corrects the embedder's scores; an empty one if the entry names none. Raises ModelError when the
    file is missing, altered or no cohort."""
    return _cohort(manifest, entry.cohort, entry)


def _cohort(manifest: Manifest, file: CohortFile | None, entry: EmbedderEntry) -> Cohort:
    if file is None:
        return Cohort()
    content = manifest.bytes_of(file)
    try:
        centres = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if centres.shape[1:] != (entry.dimension,):
            raise ValueError(f"its rows are not of {entry.dimension} numbers")
        return Cohort(centres, file.nearest, file.usual)
    except (ValueError, EOFError) as error:
        raise ModelError(f"{manifest.folder / file.file}: no cohort of {entry.name}: {error}") from error


def load_pad(
    manifest: Manifest,
    entries: Sequence[PadEntry],
    threads: int,
    threshold: float | None = None,
    provider: Provider = "cpu",
) -> FusedPad:
    """The cues of these networks, with `threshold` or else the first network's threshold. Raises ModelError."""
    networks = [(_compared(manifest, e, threads, provider), e) for e in entries]
    for network, entry in networks:
        classes = (network.widths[0] or 0) - (entry.cut_out_threshold is not None)
        if classes < 2 or entry.bona_fide_class >= classes:
            raise ModelError(
                f"{manifest.folder / entry.file}: it has {classes} classes beside a second answer: bona_fide_class "
                f"{entry.bona_fide_class} cannot be one of two or more"
            )
    return FusedPad(networks, threshold)


def thresholds(entry: EmbedderEntry, policy: PolicyConfig) -> Thresholds:
    """The thresholds by the gallery's size: from the manifest's table, or the policy's fixed one.

    Raises ModelError when the manifest has none, because the false match rate of a fixed threshold is then unknown.
    """
    points = entry.operating_points()
    if not points:
        raise ModelError(
            f"{entry.name}: no threshold has been measured with this network: measure one, then "
            f"`kiosk models install` it again with --threshold SCORE --fmr RATE"
        )
    return Thresholds(points, policy.fpir, policy.threshold)
