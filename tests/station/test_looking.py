"""What staff mode sees in a frame: each thing that is wrong, in the order in which a person can change it."""

from __future__ import annotations

import pytest

from kiosk.domain.face import Flaw, Hint
from kiosk.domain.lingering import STAYS_SECONDS, Lingering
from kiosk.domain.looks import Trouble
from kiosk.station.looking import Eyes, Looked, Looker
from tests.station.booths import Camera, face


def looked(camera: Camera, frames: int = 9) -> Looked:
    s = camera.stages
    looker = Looker(Eyes(s, s, s, s, 80))
    return [looker.look(camera.frame()) for _ in range(frames)][-1]


def test_a_good_face_has_all_its_numbers() -> None:
    seen = looked(Camera())
    assert seen.look.trouble is None
    assert seen.look.vector is not None
    assert (seen.pad, seen.look.live, seen.look.quality) == (0.9, True, 0.8)
    assert 100 < seen.look.light < 160
    assert seen.look.pose is not None


@pytest.mark.parametrize("frames", [1, 6])
def test_a_face_that_was_just_found_is_not_evidence(frames: int) -> None:
    """A driver may show its buffers in turns: as at the door."""
    camera = Camera()
    assert looked(camera, frames).look.vector is None
    assert camera.stages.embedded == 0


def test_nobody_several_and_no_natural_face() -> None:
    camera = Camera()
    camera.stages.faces = []
    assert looked(camera).look.trouble is Trouble.NOBODY
    camera.stages.faces = [face(), face(x=20)]
    assert looked(camera).look.trouble is Trouble.SEVERAL
    camera.stages.faces = [face()]
    camera.stages.who = None
    seen = looked(camera)
    assert (seen.look.trouble, seen.look.vector) == (Trouble.UNNATURAL, None)


def test_a_poster_that_the_door_has_left_out_is_left_out_here_too() -> None:
    camera = Camera()
    s = camera.stages
    poster, lingering = face(x=20), Lingering()
    for second in range(int(STAYS_SECONDS) + 2):
        lingering.without([poster], second)
    camera.at = STAYS_SECONDS + 2
    looker = Looker(Eyes(s, s, s, s, 80, lingering))
    s.faces = [poster]
    assert looker.look(camera.frame()).look.trouble is Trouble.NOBODY
    s.faces = [face(), poster]
    assert [looker.look(camera.frame()) for _ in range(9)][-1].look.vector is not None
    s.faces = [face(), face(x=450)]
    assert looker.look(camera.frame()).look.trouble is Trouble.SEVERAL, "who comes is not left out"


@pytest.mark.parametrize("flaw", list(Flaw))
def test_a_flaw_is_said_and_such_a_face_is_never_embedded(flaw: Flaw) -> None:
    camera = Camera()
    camera.stages.flaw = flaw
    seen = looked(camera)
    assert seen.look.trouble is not None
    assert seen.look.vector is None
    assert camera.stages.embedded == 0


def test_of_several_hints_the_most_harmful_is_said() -> None:
    camera = Camera()
    camera.stages.hints = (Hint.EYES_HIDDEN, Hint.UNEVEN_LIGHT)
    assert looked(camera).look.trouble is Trouble.EYES_HIDDEN
