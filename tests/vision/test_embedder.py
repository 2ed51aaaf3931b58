"""From an aligned face to a feature vector: of one side or of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import VISITORS
from kiosk.domain.face import Hint, Image
from kiosk.vision.alignment import align
from kiosk.vision.answers import Answers
from kiosk.vision.detector import FaceDetector
from kiosk.vision.embedder import FaceEmbedder
from kiosk.vision.manifest import Answer, DetectorEntry, EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.network import Network
from kiosk.vision.pixels import picture


def entry(mirrored: bool) -> EmbedderEntry:
    """The program's own, of one side or of both, its second output left alone."""
    own = Manifest(default_folder()).entry("freefacenet", EmbedderEntry)
    return own.model_copy(update={"mirrored": mirrored, "answers": ()})


def a_face() -> Image:
    manifest = Manifest(default_folder())
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    (face,) = FaceDetector.load(manifest, manifest.entry("face-detector", DetectorEntry), 1).detect(image)
    return align(image, face)


def test_a_mirrored_vector_is_of_the_face_and_its_mirror_image() -> None:
    network = Network.load(Manifest(default_folder()), entry(mirrored=True), 1)
    one, both = FaceEmbedder(network, entry(mirrored=False)), FaceEmbedder(network, entry(mirrored=True))
    face = a_face()
    turned = picture(cv2.flip(face, 1))
    sides = one.vector(face), one.vector(turned)
    assert not np.allclose(*sides, atol=0.1 * np.abs(sides).max())
    np.testing.assert_allclose(both.vector(face), sides[0] + sides[1])
    np.testing.assert_allclose(both.vector(face), both.vector(turned))


class Scripted:
    """A network that gives these vectors, one after the other, and with each these numbers as its second output."""

    def __init__(self, *vectors: float, numbers: Sequence[Sequence[float]] = ()) -> None:
        self.vectors = [np.full(128, v, np.float32) for v in vectors]
        self.numbers = [np.array([n], np.float32) for n in numbers]

    def run_all(self, *pictures: Image) -> list[np.ndarray]:
        vectors = np.stack([self.vectors.pop(0) for _ in pictures])
        return [vectors, *([np.concatenate([self.numbers.pop(0) for _ in pictures])] if self.numbers else [])]


@pytest.mark.parametrize("sides", [(1.0, np.nan), (np.nan, 1.0), (np.inf, -np.inf), (1.0, -1.0), (0.0, 0.0)])
def test_without_a_direction_there_is_no_template(sides: tuple[float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.vision.embedder.align", lambda image, _face: image)
    embedder = FaceEmbedder(cast("Network", Scripted(*sides)), entry(mirrored=True))
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="no direction"),
    ):
        embedder.embed(np.zeros((112, 112, 3), np.uint8), None)  # type: ignore[arg-type]


NOT_NATURAL = Answer(name="unnatural", most=2.0)


@pytest.mark.parametrize(
    ("numbers", "passes"),
    [([[1.9], [1.9]], True), ([[5.0], [-3.0]], True), ([[2.2], [2.0]], False), ([[0.0], [5.0]], False)],
)
def test_what_the_second_output_calls_unnatural_has_no_template(
    numbers: list[list[float]], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean of both sides counts, and the network alone is as it was."""
    monkeypatch.setattr("kiosk.vision.embedder.align", lambda image, _face: image)
    own = entry(mirrored=True).model_copy(update={"answers": (NOT_NATURAL,)})
    network = cast("Network", Scripted(1.0, 2.0, 1.0, 2.0, numbers=[*numbers, *numbers]))
    embedder = FaceEmbedder(network, own, answers=Answers(own.answers))
    face = np.zeros((112, 112, 3), np.uint8)
    assert (embedder.embed(face, None) is not None) == passes  # type: ignore[arg-type]
    assert embedder.bare.embed(face, None) is not None  # type: ignore[arg-type]


def test_the_other_answers_are_hints_in_their_order_and_leave_the_template_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk.vision.embedder.align", lambda image, _face: image)
    names = ("uneven_light", "unnatural", "mouth_covered", "eyes_hidden")
    own = entry(mirrored=False).model_copy(update={"answers": tuple(Answer(name=n, most=1.0) for n in names)})
    numbers = [[2.0, 0.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]]
    embedder = FaceEmbedder(
        cast("Network", Scripted(1.0, 1.0, 1.0, numbers=numbers)), own, answers=Answers(own.answers)
    )
    face = np.zeros((112, 112, 3), np.uint8)
    hinted, plain, unnatural = (embedder.embed(face, None) for _ in numbers)  # type: ignore[arg-type]
    assert hinted is not None
    assert plain is not None
    assert hinted.hints == (Hint.MOUTH_COVERED, Hint.UNEVEN_LIGHT)
    assert plain.hints == ()
    assert hinted.vector.tobytes() == plain.vector.tobytes()
    assert unnatural is None


@pytest.mark.parametrize("numbers", [[[np.nan], [0.0]], [[0.0, 0.0], [0.0, 0.0]], [[-np.inf], [0.0]]])
def test_a_second_output_of_no_use_is_a_fault(numbers: list[list[float]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.vision.embedder.align", lambda image, _face: image)
    own = entry(mirrored=True).model_copy(update={"answers": (NOT_NATURAL,)})
    embedder = FaceEmbedder(cast("Network", Scripted(1.0, 2.0, numbers=numbers)), own, answers=Answers(own.answers))
    with pytest.raises(ValueError, match="second output is of no use"):
        embedder.embed(np.zeros((112, 112, 3), np.uint8), None)  # type: ignore[arg-type]


def test_an_output_that_no_entry_names_may_have_any_shape() -> None:
    class Talkative(Scripted):
        def run_all(self, *pictures: Image) -> list[np.ndarray]:
            return [*super().run_all(*pictures), np.ones(1, np.float32)]

    made = FaceEmbedder(cast("Network", Talkative(1.0, 2.0)), entry(mirrored=True))
    np.testing.assert_array_equal(made.vector(np.zeros((112, 112, 3), np.uint8)), np.full(128, 3.0))


def test_one_side_without_numbers_is_a_fault() -> None:
    for sides in ((np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0)):
        made = FaceEmbedder(cast("Network", Scripted(*sides)), entry(mirrored=True))
        with pytest.raises(ValueError, match="not finite"):
            made.judged(made.look(np.zeros((112, 112, 3), np.uint8)))
