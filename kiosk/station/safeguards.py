"""Checks that must pass before a real lock may be released, and the start record's summary of the settings.

The ranges of the configuration allow experiments. Experiments must use the simulated lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiosk import __version__
from kiosk.config import Config, refuse_overrides
from kiosk.domain.door.state import DoorStatus
from kiosk.domain.errors import ConfigError
from kiosk.domain.ports.camera import Camera
from kiosk.domain.thresholds import Sizes, Threshold
from kiosk.storage.gallery import Gallery
from kiosk.vision.manifest import EmbedderEntry, Entry, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models

LARGEST_FPIR = 0.001
"""One stranger's search in a thousand. domain.thresholds says what this means for an attempt."""
FEWEST_FRAMES = 3
LARGEST_WINDOW = 5
"""Three of five. With fewer frames, or a larger window, a single lucky frame counts for more than was measured
(domain.attempt)."""
SHORTEST_PAUSE = 1.0
"""Seconds after a refusal. Later pauses are multiples of it; without it refusals slow nobody down."""
SMALLEST_FACE = 64.0
LEAST_SHARPNESS = 15.0
"""The defaults of [quality]. Nothing was measured for smaller or more blurred faces."""

Detail = dict[str, str | int | float | bool | None]


def weaknesses(config: Config) -> Iterator[str]:
    """A line for each setting that is known to let strangers in, as far as the configuration alone shows."""
    policy, attempt, quality = config.policy, config.attempt, config.quality
    if policy.fpir > LARGEST_FPIR:
        yield f"[policy] fpir {policy.fpir:g} is above {LARGEST_FPIR:g}: set it to {LARGEST_FPIR:g} or less"
    if attempt.needed < FEWEST_FRAMES:
        yield f"[attempt] needed {attempt.needed} is below {FEWEST_FRAMES}: set it to {FEWEST_FRAMES} or more"
    if attempt.window > LARGEST_WINDOW:
        yield f"[attempt] window {attempt.window} is above {LARGEST_WINDOW}: set it to {LARGEST_WINDOW} or less"
    if attempt.pause < SHORTEST_PAUSE:
        yield f"[attempt] pause {attempt.pause:g} is below {SHORTEST_PAUSE:g}: set it to {SHORTEST_PAUSE:g} or more"
    if quality.min_face < SMALLEST_FACE:
        yield f"[quality] min_face {quality.min_face:g} is below {SMALLEST_FACE:g}: set it to {SMALLEST_FACE:g} or more"
    if quality.min_sharpness < LEAST_SHARPNESS:
        yield (
            f"[quality] min_sharpness {quality.min_sharpness:g} is below {LEAST_SHARPNESS:g}: set it to "
            f"{LEAST_SHARPNESS:g} or more"
        )


def weak_thresholds(models: Models, sizes: Sizes) -> Iterator[str]:
    """A line for each threshold that is below the measured one, or was measured with a network that is not used. A
    fixed threshold is checked for this gallery's size."""
    if models.pad.threshold < models.pad.measured:
        yield (
            f"[policy] pad_threshold {models.pad.threshold:g} is below {models.pad.measured:g}, the manifest's: remove "
            "it from the configuration"
        )
    if models.left_out:
        yield f"[models] pad is without {', '.join(models.left_out)}: it was measured together with these: add them"
    chosen = models.thresholds.for_gallery(sizes)
    if models.policy.threshold is not None and chosen.unsafe:
        yield chosen.caution


def weak_entries(models: Models) -> Iterator[str]:
    """A line for each network of the program that another folder has with fewer or laxer checks, as one does that was
    copied before a check was added. The files and model_ids are the same then, so nothing else shows it. Raises
    ModelError when the program's own manifest cannot be read."""
    brought = {(e.model_id, e.sha256): e for e in Manifest(default_folder()).entries}
    for entry in models.entries:
        shipped = brought.get((entry.model_id, entry.sha256))
        if shipped is not None and _laxer(entry, shipped):
            yield (
                f"{entry.name} lacks checks that the program has for the same file, or has laxer ones: move that "
                "folder away, and install again what is not the program's"
            )


def _laxer(own: Entry, shipped: Entry) -> bool:
    if isinstance(own, PadEntry) and isinstance(shipped, PadEntry):
        pairs = [
            (own.threshold, shipped.threshold),
            (own.cut_out_threshold, shipped.cut_out_threshold),
            (own.together_threshold, shipped.together_threshold),
        ]
        return own.cue != shipped.cue or any((mine or 0.0) < (theirs or 0.0) for mine, theirs in pairs)
    if isinstance(own, EmbedderEntry) and isinstance(shipped, EmbedderEntry):
        return (own.answers, own.evidence, own.cohort) != (shipped.answers, shipped.evidence, shipped.cohort)
    return False


def refuse_unsafe(config: Config, models: Models, sizes: Sizes) -> None:
    """Call it before a real lock is used. Raises ConfigError, which names everything that is unsafe."""
    refuse_overrides()
    found = [*weaknesses(config), *weak_thresholds(models, sizes), *weak_entries(models)]
    if found:
        raise ConfigError("unsafe before a real lock: " + "; ".join(found))


def effective(config: Config, models: Models, threshold: Threshold) -> Detail:
    """The settings that decide, for the start record: the policy, and each network by name and hash."""
    detail: Detail = {
        "version": __version__,
        "config_sha256": config.sha256 or None,
        "threshold": round(threshold.score, 4),
        "threshold_fixed": config.policy.threshold is not None,
        "subjects": threshold.subjects,
        "references": threshold.references,
        "fpir": config.policy.fpir,
        "pad_threshold": models.pad.threshold,
        "needed": config.attempt.needed,
        "window": config.attempt.window,
        "seconds": config.attempt.seconds,
        "grant_seconds": config.policy.grant_seconds,
        "refusals_an_hour": config.policy.refusals_an_hour,
        "clock_trust": config.clock.trust,
        "provider": config.models.provider,
        "camera": config.camera.kind,
        "camera_said_to_be_live": True if config.camera.options().get("live") is True else None,
        "verification": config.entry.verification.value,
        "opens_without_a_face": ", ".join(config.entry.alone) if config.entry.means else None,
    }
    for entry in models.entries:
        detail[f"{entry.name}_model"] = entry.model_id
        detail[f"{entry.name}_sha256"] = entry.sha256
    if models.earlier is not None:
        detail["previous_model"] = models.earlier.entry.model_id
        detail["pair_sha256"] = models.earlier.pair.sha256 if models.earlier.pair else None
    cohort = models.embedder_entry.cohort
    detail["cohort_sha256"] = cohort.sha256 if cohort else None
    return detail


def decision_basis(config: Config, models: Models) -> Detail:
    """What each decision's record says of its basis: the embedder's file (the first 16 digits of its hash; the start
    record has all) and the rule that had to be met."""
    attempt, policy = config.attempt, config.policy
    score = f"score for fpir {policy.fpir:g}" if policy.threshold is None else "fixed score"
    return {
        "model_sha256": models.embedder_entry.sha256[:16],
        "rule": f"{attempt.needed} of {attempt.window} frames in {attempt.seconds:g} s, {score}",
        "pad_threshold": round(models.pad.threshold, 4),
    }


def refuse_make_believe(eye: Camera, gallery: Gallery, door: DoorStatus) -> None:
    """Refuses a simulated or replayed camera, and the demonstration's gallery, with a real lock. Raises ConfigError.
    Asks the door itself and not the configuration, because the lock that would move is what counts."""
    if door.simulated:
        return
    if not eye.live:
        raise ConfigError("a simulated or replayed camera would drive a real lock: set [camera] kind to a real camera")
    if gallery.demonstration:
        raise ConfigError("the demonstration's gallery would drive a real lock: use a home of your own with --home")
