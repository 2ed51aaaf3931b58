"""`kiosk identify`: finds out who is on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cameras.sources import read_picture
from kiosk.cli.console import Row, complain, config_option, emit, json_option, pass_home, say, settings
from kiosk.domain.decision import Reason
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Flaw
from kiosk.domain.people import Subject
from kiosk.domain.policy import entitlement
from kiosk.station import assembly
from kiosk.station.stages import Stages
from kiosk.storage.home import Home
from kiosk.vision.models import load


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_option
@json_option
@pass_home
def identify(home: Home, images: Sequence[Path], config_file: Path | None, as_json: bool) -> None:
    """Compares the largest face of each picture with everybody enrolled. Opens no door and records nothing."""
    config = settings(config_file)
    models = load(config.models, config.policy)
    with closing(assembly.searchable(home)) as gallery:
        stages = assembly.stages(config, models, assembly.matcher(models, gallery), assembly.ANY_PLACE)
        troubles = 0
        for image in images:
            try:
                found = look(stages, image)
            except SampleError as error:  # the other pictures are still looked at
                troubles += 1
                complain(str(error))
                continue
            subject = gallery.subject(str(found["subject"])) if found["subject"] else None
            if as_json:
                emit({**found, "passes": None if subject is None else _passes(subject)})
            else:
                say(f"{image}: {_said(found, subject)}")
    if troubles:
        click.get_current_context().exit(2)


def _said(found: Row, subject: Subject | None) -> str:
    who = f"{subject.name} ({subject.id})" if subject else "nobody enrolled"
    passes = "" if subject is None or (how := _passes(subject)) == Reason.MATCHED else f", {how.replace('_', ' ')}"
    score = "not compared" if found["score"] is None else f"score {found['score']:.3f}"
    said = found["flaw"] or found["hint"] or "good"
    return f"{who}{passes}, {score}, quality {str(said).replace('_', ' ')}"


def _passes(subject: Subject) -> str:
    """Whether the subject may pass now ("matched"), or why not; the clock is taken to be right."""
    return entitlement(subject, datetime.now(UTC)).value


def look(stages: Stages, path: Path) -> Row:
    """Identifies the largest face of one picture. A face that is not upright or not natural is not compared and matches
    nobody. Raises SampleError when there is no face."""
    image = read_picture(path)
    faces = stages.detector.detect(image)
    if not faces:
        raise SampleError(f"{path}: no face is found")
    face = faces[0]
    quality = stages.quality.assess(image, face)
    evidence = quality.flaw not in {Flaw.TURNED_OVER, Flaw.UNNATURAL} and stages.quality.upright(image, face)
    made = stages.embedder.embed(image, face) if evidence else None
    flaw = quality.flaw or (Flaw.UNNATURAL if made is None else None)
    comparison = None if made is None else stages.compared(made, None)
    return {
        "image": str(path),
        "faces": len(faces),
        "subject": comparison.subject_id if comparison and comparison.mated else None,
        "score": round(comparison.score, 4) if comparison else None,
        "threshold": comparison.threshold if comparison else None,
        "quality": quality.score,
        "flaw": flaw.value if flaw else None,
        "hint": made.hints[0].value if made and made.hints else None,
        "pad": round(stages.pad.score(image, face), 4),
        "pad_threshold": stages.pad.threshold,
        "model_id": comparison.model_id if comparison else stages.embedder.model_id,
    }
