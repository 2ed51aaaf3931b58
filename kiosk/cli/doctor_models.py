"""`kiosk doctor`: checks the configured networks: their hashes, an answer of each, and whether there are newer ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.config import Config
from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.errors import ConfigError, KioskError
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import load

RUNS = 3
"""Each network answers so often; the median counts. The first answer, which is slower, does not."""


def findings(patient: Patient) -> Iterator[Finding]:
    """The networks' files by their hashes; those that the program has since replaced; an embedder without a bound
    against distorted pictures."""
    settings = patient.settings
    models = load(settings.models, settings.policy)
    if models.pad.threshold < models.pad.measured and settings.drives_a_real_lock:
        raise ConfigError(f"[policy] pad_threshold is below {models.pad.measured:g}, the manifest's: remove it")
    if models.left_out and settings.drives_a_real_lock:
        raise ConfigError(f"[models] pad is without {', '.join(models.left_out)}, which it was measured with: add them")
    yield ok(
        f"{models.embedder.model_id}, PAD threshold {models.pad.threshold:g}; all hashes are those of the manifest"
    )
    yield from _terms(settings)
    yield from _older_models(settings)
    yield from _ruins(settings)


def answers(patient: Patient) -> Iterator[Finding]:
    """A real answer of each network, for the picture of a person who does not exist, and the time that it takes.

    A problem: nobody is found on it, or so many frames as an attempt needs take longer than an attempt may.
    """
    settings = patient.settings
    models = load(settings.models, settings.policy)
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    faces = models.detector.detect(image)
    if len(faces) != 1:
        yield problem(f"the detector finds {len(faces)} faces on the picture of one")
        return
    (face,) = faces
    if models.embedder.embed(image, face) is None:
        yield problem("the embedder takes a person's face for none")
        return
    score = models.pad.score(image, face)
    if not 0 <= score <= 1:
        yield problem(f"PAD answers {score}, which is no share")
        return
    times = {
        "detector": _seconds(lambda: models.detector.detect(image)),
        "PAD": _seconds(lambda: models.pad.score(image, face)),
        "embedder": _seconds(lambda: models.embedder.embed(image, face)),
    }
    said = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in times.items())
    needed, allowed = settings.attempt.needed * sum(times.values()), settings.attempt.seconds
    if needed > allowed:
        yield problem(f"{said}: the {settings.attempt.needed} frames of an attempt take {needed:.1f} s of {allowed:g}")
    else:
        yield ok(said)


def _seconds(call: Callable[[], object]) -> float:
    """The median time of some calls."""
    times = []
    for _ in range(RUNS):
        began = monotonic()
        call()
        times.append(monotonic() - began)
    return sorted(times)[RUNS // 2]


def _older_models(settings: Config) -> Iterator[Finding]:
    """Shipped networks in the kiosk's own folder that the program has since replaced or measured again."""
    folder = settings.models.folder
    if folder is None:
        return
    try:
        own, brought = Manifest(folder).entries, {e.name: e for e in Manifest(default_folder()).entries}
    except KioskError:
        return  # the check before reports it
    for entry in own:
        newer = brought.get(entry.name, entry)
        if newer == entry:
            continue
        what, after = newer.model_id, "to change to another embedder: sudo kiosk models switch"
        if newer.model_id == entry.model_id:
            what, after = "other thresholds for it", "nobody enrols again"
        yield ok(
            f"{folder} keeps {entry.model_id}, the program brings {what} by now",
            f"to have that, move that folder away and install again what is not the program's ({after})",
        )


def _terms(settings: Config) -> Iterator[Finding]:
    """What the networks may be used for. A problem: an embedder for research only beside a real lock, without the
    admin's word in the configuration that it may be there."""
    names, manifest = settings.models, Manifest(settings.models.folder or default_folder())
    used = [
        manifest.entry(names.detector, DetectorEntry),
        manifest.entry(names.embedder, EmbedderEntry),
        *(manifest.entry(name, PadEntry) for name in names.pad),
    ]
    if names.previous is not None:  # it runs too, until the change is finished
        used.append(manifest.entry(names.previous, EmbedderEntry))
    for model_id in (e.model_id for e in used if e.terms == "research-only"):
        said = f"the weights of {model_id} are for research only: no office and no company may use them at a door"
        if names.research_only or not settings.drives_a_real_lock:
            yield ok(said)
        else:
            yield problem(
                said,
                "another embedder (`kiosk models list`, deploy/networks.md), or [models] research_only = true if this "
                "door is itself for research",
            )
    shown = [e.model_id for e in used if e.pictures == "research-only"]
    if shown:
        yield ok(
            f"{', '.join(shown)}: trained on pictures of public research sets, most of them for research only",
            "models/README.md says which, and how to train with pictures of one's own",
        )


def _ruins(settings: Config) -> Iterator[Finding]:
    """Whether the embedder has a bound against distorted pictures (evidence)."""
    try:
        entry = Manifest(settings.models.folder or default_folder()).entry(settings.models.embedder, EmbedderEntry)
    except KioskError:
        return  # the checks before report it
    if entry.evidence is None:
        yield ok(
            f"{entry.name}: where it puts ruined pictures (negatives, few grey levels...) has not been measured: only"
            " faces that do not stand upright are refused",
            "deploy/networks.md says how it is measured",
        )
