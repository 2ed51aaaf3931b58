"""What must hold before a real lock may be released, and what the log says of how this kiosk decides.

The ranges of the configuration leave room for experiments. Whoever experiments takes the simulated lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiosk import __version__
from kiosk.config import Config, refuse_overrides
from kiosk.domain.errors import ConfigError
from kiosk.domain.thresholds import Sizes, Threshold
from kiosk.vision.models import Models

LARGEST_FPIR = 0.001
"""One stranger's search in a thousand. What an attempt adds to it is told in domain.thresholds."""
FEWEST_FRAMES = 3
LARGEST_WINDOW = 5
"""Three of five: with fewer, or of more, one lucky frame weighs more than what was measured (domain.attempt)."""

Detail = dict[str, str | int | float | bool | None]


def weaknesses(config: Config) -> Iterator[str]:
    """A line for each setting that is known to let strangers in, as far as the file alone tells."""
    policy, attempt = config.policy, config.attempt
    if policy.fpir > LARGEST_FPIR:
        yield f"[policy] fpir {policy.fpir:g} is above {LARGEST_FPIR:g}: set it to {LARGEST_FPIR:g} or less"
    if attempt.needed < FEWEST_FRAMES:
        yield f"[attempt] needed {attempt.needed} is below {FEWEST_FRAMES}: set it to {FEWEST_FRAMES} or more"
    if attempt.window > LARGEST_WINDOW:
        yield f"[attempt] window {attempt.window} is above {LARGEST_WINDOW}: set it to {LARGEST_WINDOW} or less"


def weak_thresholds(models: Models, sizes: Sizes) -> Iterator[str]:
    """A line for each threshold that is below what was measured; the fixed one at this gallery's size."""
    if models.pad.threshold < models.pad.measured:
        yield (
            f"[policy] pad_threshold {models.pad.threshold:g} is below {models.pad.measured:g}, the manifest's: remove "
            "it from the configuration"
        )
    chosen = models.thresholds.for_gallery(sizes)
    if models.policy.threshold is not None and chosen.unsafe:
        yield chosen.caution


def refuse_unsafe(config: Config, models: Models, sizes: Sizes) -> None:
    """Before a real lock. Raises ConfigError with a line for each thing that is not safe."""
    refuse_overrides()
    found = [*weaknesses(config), *weak_thresholds(models, sizes)]
    if found:
        raise ConfigError("unsafe before a real lock: " + "; ".join(found))


def effective(config: Config, models: Models, threshold: Threshold) -> Detail:
    """What decides, for the record of the start: the policy, and each network by name and hash."""
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
        "clock_trust": config.clock.trust,
    }
    for entry in models.entries:
        detail[f"{entry.name}_model"] = entry.model_id
        detail[f"{entry.name}_sha256"] = entry.sha256
    cohort = models.embedder_entry.cohort
    detail["cohort_sha256"] = cohort.sha256 if cohort else None
    return detail
