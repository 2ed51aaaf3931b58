"""Real people on video: each is enrolled from the first third of a clip and let in on the rest; nobody else is let
in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.cameras.sources import Still, stills
from kiosk.config import Config
from kiosk.domain.decision import Decision
from kiosk.domain.errors import SampleError
from kiosk.domain.face import Frame
from kiosk.domain.people import NewReference
from kiosk.domain.updates import Proposed
from kiosk.station import assembly
from kiosk.station.enrolment import EnrolmentSample
from kiosk.storage.gallery import Gallery, open_gallery
from kiosk.storage.home import Home
from kiosk.vision.models import Models, load

SHARED = Path(os.environ.get("KIOSK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CLIPS = sorted((SHARED / "clips").glob("*.mp4"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CONFIG = Config()
OTHERS_FRAMES = slice(10, 34)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CLIPS, reason="needs the clips of the shared sets beside the checkout"),
]


@pytest.fixture(scope="module")
def models() -> Models:
    return load(CONFIG.models, CONFIG.policy)


@pytest.fixture(scope="module")
def frames() -> dict[Path, list[Still]]:
    return {clip: list(stills(clip)) for clip in CLIPS}


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    opened = open_gallery(Home(tmp_path / "home"))
    yield opened
    opened.close()


def enrol(models: Models, gallery: Gallery, pictures: Iterable[Still]) -> str:
    enroller = assembly.enroller(CONFIG, models)
    samples: list[EnrolmentSample] = []
    for still in pictures:
        try:
            samples.append(enroller.sample(still))
        except SampleError:
            continue
    references = [NewReference(s.vector, models.embedder.model_id, s.quality) for s in enroller.best_of_clip(samples)]
    return gallery.add_subject("somebody", references).id


def replay(models: Models, gallery: Gallery, pictures: Iterable[Still]) -> list[Decision]:
    pipeline = assembly.replay_pipeline(CONFIG, models, gallery)
    events = (pipeline.step(Frame(s.image, s.number, s.at, NOON + timedelta(seconds=s.at))) for s in pictures)
    return [e.decision for step in events for e in step if isinstance(e, Proposed)]


@pytest.mark.prove
@pytest.mark.parametrize("clip", [pytest.param(c, id=c.stem) for c in CLIPS])
def test_the_enrolled_person_is_let_in_and_nobody_else(
    clip: Path, models: Models, frames: dict[Path, list[Still]], gallery: Gallery
) -> None:
    third = len(frames[clip]) // 3
    subject = enrol(models, gallery, frames[clip][:third:5])
    own = replay(models, gallery, frames[clip][third:])
    granted = [d for d in own if d.granted]
    assert len(granted) > 0.9 * len(own) > 0
    assert {d.subject_id for d in granted} == {subject}
    assert all(d.started_at is not None and d.evidence.captured_at - d.started_at <= 1.0 for d in granted)
    others = [d for other in CLIPS if other != clip for d in replay(models, gallery, frames[other][OTHERS_FRAMES])]
    assert len(others) >= len(CLIPS) - 1
    assert not any(d.granted for d in others)
