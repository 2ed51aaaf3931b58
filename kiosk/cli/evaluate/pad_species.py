"""`kiosk evaluate pad --species`: measures attempts with every species of attack, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from kiosk.cli.console import Row
from kiosk.cli.evaluate.common import number, percent, rate_line
from kiosk.domain.errors import SampleError
from kiosk.domain.ports.recognition import Detector, PresentationAttackDetector
from kiosk.evaluation import pad_attempts
from kiosk.evaluation.figures import Rate
from kiosk.evaluation.pad import Presentation
from kiosk.evaluation.pad_attempts import Cell, Count, Trial

BONA_FIDE_FOLD = 4
"""Bona fide pictures of a source for each attack of it. There are more of them because each is presented in one way
only."""


def trials(
    presentations: Sequence[Presentation],
    clips: Sequence[Path],
    detector: Detector,
    pad: PresentationAttackDetector,
    pictures: int,
) -> list[Trial]:
    """All attempts: the attacks as every species, the bona fide pictures, the clips and the demonstration's people.
    Raises SampleError."""
    if all(p.bona_fide for p in presentations):
        raise SampleError("there is no attack among these pictures: the species are drawn from attacks")
    recorded = pad_attempts.clips(clips)
    found = list(pad_attempts.run(pad_attempts.attacks(presentations, detector, pictures), detector, pad))
    if not found:
        raise SampleError("no attack among these pictures shows a face: there is nothing to draw the species from")
    people = chain(pad_attempts.bona_fide(presentations, pictures * BONA_FIDE_FOLD), recorded, pad_attempts.scene())
    return [*found, *pad_attempts.run(people, detector, pad)]


def report(found: Sequence[Trial], threshold: float, name: str) -> tuple[list[str], Row]:
    """The table's lines, and a JSON object that also holds every cell."""
    attacks = [t for t in found if not t.cell.bona_fide]
    people = [t for t in found if t.cell.bona_fide]
    kind = _grouped(attacks, threshold, lambda c: f"{c.species}, {c.distance}" if c.distance else c.species)
    source = _grouped(attacks, threshold, lambda c: f"{c.species}, {c.source}")
    species = _grouped(attacks, threshold, lambda c: c.species)
    refused = {k: pad_attempts.refused(c) for k, c in _grouped(people, threshold, lambda c: c.source).items()}
    everybody = pad_attempts.refused(pad_attempts.count(people, threshold))
    worst = max(species, key=lambda k: (species[k].attempts.rate, species[k].attempts.trials))
    lines = [f"{name} at threshold {threshold:.4f}: attempts of {pad_attempts.FRAMES} frames"]
    tables = {"APCER by species": species, "by species and distance": kind, "by species and source": source}
    for title, counts in tables.items():
        lines += [title, *(f"  {k}: {_line(c)}" for k, c in counts.items())]
    lines += ["BPCER by source", *(f"  {k}: {_line(c)}" for k, c in refused.items()), f"  all: {_line(everybody)}"]
    lines.append(f"worst species: {worst}, APCER {rate_line(species[worst].attempts)}")
    row: Row = {
        "models": name,
        "threshold": threshold,
        "worst_species": worst,
        "apcer_worst": number(species[worst].attempts.rate),
        "bpcer": number(everybody.attempts.rate),
        "species": {k: _row(c) for k, c in species.items()},
        "species_and_distance": {k: _row(c) for k, c in kind.items()},
        "species_and_source": {k: _row(c) for k, c in source.items()},
        "bona_fide": {k: _row(c) for k, c in refused.items()} | {"all": _row(everybody)},
    }
    return lines, row


def _grouped(found: Sequence[Trial], threshold: float, key: Callable[[Cell], str]) -> dict[str, Count]:
    names = dict.fromkeys(key(t.cell) for t in found)
    return {n: pad_attempts.count([t for t in found if key(t.cell) == n], threshold) for n in names}


def _line(c: Count) -> str:
    unseen = f"; no face in {c.no_face}" if c.no_face else ""
    return f"attempts {rate_line(c.attempts)}; frames {percent(c.frames.rate) if c.frames.trials else 'none'}{unseen}"


def _row(c: Count) -> Row:
    return {"attempts": _rate_row(c.attempts), "frames": _rate_row(c.frames), "no_face": c.no_face}


def _rate_row(r: Rate) -> Row:
    return {
        "rate": number(r.rate),
        "low": number(r.low),
        "high": number(r.high),
        "errors": r.errors,
        "trials": r.trials,
    }
