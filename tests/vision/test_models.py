"""The manifest and the networks that travel with the package."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.demonstration.camera import SimulatedCamera
from kiosk.demonstration.story import ADA, VISITORS, Visitor
from kiosk.domain.errors import ModelError
from kiosk.domain.face import Face, Hint, Image
from kiosk.domain.matching import cosine, rounded
from kiosk.domain.people import Template
from kiosk.domain.tracking import Tracker
from kiosk.sections import ModelsConfig, PolicyConfig
from kiosk.vision.alignment import align
from kiosk.vision.answers import Answers
from kiosk.vision.manifest import DetectorEntry, EmbedderEntry, Manifest, PadEntry
from kiosk.vision.model_files import default_folder
from kiosk.vision.models import Models, load, load_cohort
from kiosk.vision.network import Network

ANSWERS = re.compile(r"(?m)^answers = \[(?:.*\]\n|\n(?:  .*\n)*\]\n)")
LIMITS = {"detector": 500_000, "embedder": 2_000_000, "pad": 1_800_000}
EMBEDDERS = [e.name for e in Manifest(default_folder()).entries if isinstance(e, EmbedderEntry)]


@pytest.fixture(scope="module")
def models() -> Models:
    return load(ModelsConfig(), PolicyConfig())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "models"
    shutil.copytree(default_folder(), target, ignore=shutil.ignore_patterns("train", "*.md"))
    return target


def test_every_network_is_the_manifests_and_small() -> None:
    manifest = Manifest(default_folder())
    assert {e.role for e in manifest.entries} == {"detector", "embedder", "pad"}
    for entry in manifest.entries:
        assert len(manifest.bytes_of(entry)) <= LIMITS[entry.role]
        assert entry.licence
        assert entry.data
    assert len({e.model_id for e in manifest.entries}) == len(manifest.entries)
    assert len(manifest.bytes_of(manifest.entry("freefacenet", EmbedderEntry))) <= 1_450_000


@pytest.mark.parametrize("name", EMBEDDERS)
def test_the_threshold_states_its_evidence(name: str) -> None:
    entry = Manifest(default_folder()).entry(name, EmbedderEntry)
    assert entry.dimension == 128
    at = [t for t in entry.thresholds if t.fmr == entry.threshold_fmr]
    assert [t.score for t in at] == [entry.threshold]
    scores = [t.score for t in sorted(entry.thresholds, key=lambda t: -t.fmr)]
    assert scores == sorted(scores)


def saved(centres: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, centres)
    return out.getvalue()


CENTRES = np.random.default_rng(1).integers(-90, 91, (20, 128), np.int8)


def with_cohort(folder: Path, content: bytes, nearest: int = 4) -> EmbedderEntry:
    """The manifest's first embedder with this file for its cohort."""
    (folder / "cohort.npy").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    line = f'cohort = {{ file = "cohort.npy", sha256 = "{sha256}", nearest = {nearest}, usual = 0.1 }}'
    path = folder / "manifest.toml"
    text = re.sub(r"(?m)^cohort = .*\n", "", path.read_text())
    path.write_text(text.replace("dimension = 128\n", f"dimension = 128\n{line}\n", 1))
    return Manifest(folder).entry("freefacenet", EmbedderEntry)


def test_the_cohort_of_the_manifest_takes_its_part_of_a_score(folder: Path) -> None:
    cohort = load_cohort(Manifest(folder), with_cohort(folder, saved(CENTRES)))
    other = (CENTRES[3] // 2 + CENTRES[4] // 2).astype(np.int8)
    assert cohort.score(CENTRES[3], other) < 0.6 < cosine(CENTRES[3], other)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no numpy file",
        b"PK\x03\x04 an archive",
        saved(CENTRES)[:-7],
        saved(CENTRES[:, :64]),
        saved(CENTRES[0]),
        saved(CENTRES.astype(np.float32)),
        saved(CENTRES * np.int8(0)),
        saved(CENTRES[:3]),
        saved(np.array([{"an": "object"}], object)),
    ],
)
def test_what_is_no_cohort_stops_the_kiosk(folder: Path, content: bytes) -> None:
    with_cohort(folder, content)
    with pytest.raises(ModelError, match="no cohort of freefacenet"):
        load(ModelsConfig(folder=folder), PolicyConfig())


def test_a_cohort_that_is_missing_or_altered_stops_the_kiosk(folder: Path) -> None:
    with_cohort(folder, saved(CENTRES))
    (folder / "cohort.npy").write_bytes(saved(-CENTRES))
    with pytest.raises(ModelError, match=r"cohort\.npy: damaged or altered"):
        load(ModelsConfig(folder=folder), PolicyConfig())
    (folder / "cohort.npy").unlink()
    with pytest.raises(ModelError, match=r"cohort\.npy: cannot be read"):
        load(ModelsConfig(folder=folder), PolicyConfig())


@pytest.mark.parametrize("name", [".", "..", "../ruins.npy", "/etc/passwd", "", ".npy", "a" * 201])
@pytest.mark.parametrize("key", ["cohort", "evidence", "sha256"])
def test_files_outside_of_the_manifests_folder_are_refused(tmp_path: Path, key: str, name: str) -> None:
    """`sha256` is the line after that of the network's own file."""
    text = (default_folder() / "manifest.toml").read_text()
    line = rf'(?m)^(file = ")[^"]*("\n{key})' if key == "sha256" else rf'(?m)^({key} = {{ file = ")[^"]*(")'
    changed, count = re.subn(line, rf"\g<1>{name}\g<2>", text, count=1)
    assert count == 1
    (tmp_path / "manifest.toml").write_text(changed)
    with pytest.raises(ModelError, match=r"manifest\.toml: .*file"):
        Manifest(tmp_path)


def with_ruins(folder: Path, content: bytes) -> None:
    """The manifest's first embedder with this file for the centre of its ruined pictures."""
    (folder / "ruins.npy").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    line = f'evidence = {{ file = "ruins.npy", sha256 = "{sha256}", min_length = 5.0, max_cosine = 0.2 }}'
    path = folder / "manifest.toml"
    text = re.sub(r"(?m)^evidence = .*\n", "", path.read_text())
    path.write_text(text.replace("dimension = 128\n", f"dimension = 128\n{line}\n", 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no numpy file",
        saved(np.ones(64, np.float32)),
        saved(np.ones(128, np.float64)),
        saved(np.ones((1, 128), np.float32)),
        saved(np.zeros(128, np.float32)),
        saved(np.full(128, np.nan, np.float32)),
        saved(np.array([{"an": "object"}], object)),
    ],
)
def test_what_is_no_centre_of_ruined_pictures_stops_the_kiosk(folder: Path, content: bytes) -> None:
    with_ruins(folder, content)
    with pytest.raises(ModelError, match="no centre of freefacenet"):
        load(ModelsConfig(folder=folder), PolicyConfig())


def test_a_centre_of_ruined_pictures_that_is_altered_stops_the_kiosk(folder: Path) -> None:
    with_ruins(folder, saved(np.ones(128, np.float32)))
    (folder / "ruins.npy").write_bytes(saved(-np.ones(128, np.float32)))
    with pytest.raises(ModelError, match=r"ruins\.npy: damaged or altered"):
        load(ModelsConfig(folder=folder), PolicyConfig())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["unnatural"], "no second output of the 1 answers"),
        (["unnatural", "eyes_hidden", "mouth_covered"], "no second output of the 3 answers"),
        (["eyes_hidden", "mouth_covered"], '"unnatural" is one of them'),
        (["unnatural", "unnatural"], "each name stands there once"),
        (["unnatural", "smile"], "Input should be 'unnatural', 'mouth_covered'"),
    ],
)
def test_answers_that_cannot_be_right_stop_the_kiosk(folder: Path, names: list[str], said: str) -> None:
    with_answers(folder, ", ".join(f'{{ name = "{name}", most = 2.0 }}' for name in names))
    with pytest.raises(ModelError, match=said):
        load(ModelsConfig(folder=folder), PolicyConfig())


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ("most = nan", "finite"),
        ("most = 2.0, refused = 0.01", "refused and source go together"),
        ('most = 2.0, source = "LFW"', "refused and source go together"),
        ('most = 2.0, refused = 1.5, source = "LFW"', "less than or equal to 1"),
        ("refused = 0.01", "most"),
    ],
)
def test_an_answer_without_a_bound_or_with_half_a_measurement_stops_the_kiosk(
    folder: Path, figures: str, said: str
) -> None:
    with_answers(folder, f'{{ name = "unnatural", most = 2.0 }}, {{ name = "eyes_hidden", {figures} }}')
    with pytest.raises(ModelError, match=said):
        load(ModelsConfig(folder=folder), PolicyConfig())


def with_answers(folder: Path, answers: str) -> None:
    """The first embedder of the folder's manifest has these answers, the others none."""
    path = folder / "manifest.toml"
    text = ANSWERS.sub("", path.read_text())
    path.write_text(text.replace("dimension = 128\n", f"dimension = 128\nanswers = [{answers}]\n", 1))


@pytest.mark.parametrize("name", EMBEDDERS)
def test_each_hint_of_a_shipped_embedder_says_what_it_refuses_by_mistake(name: str) -> None:
    found = {a.name: a for a in Manifest(default_folder()).entry(name, EmbedderEntry).answers}
    for hint in Hint:
        assert found[hint].source
        assert 0 <= (found[hint].refused or 0) <= 0.01


@pytest.mark.parametrize("of", [3, 99])
def test_a_bona_fide_class_that_the_network_does_not_have_stops_the_kiosk(folder: Path, of: int) -> None:
    """The last of the four numbers is the second answer, no class."""
    path = folder / "manifest.toml"
    path.write_text(path.read_text().replace("bona_fide_class = 1", f"bona_fide_class = {of}", 1))
    with pytest.raises(ModelError, match=f"bona_fide_class {of} cannot be one"):
        load(ModelsConfig(folder=folder), PolicyConfig())


def test_a_network_without_a_second_output_has_the_older_wall_alone(folder: Path) -> None:
    path = folder / "manifest.toml"
    path.write_text(ANSWERS.sub("", path.read_text()))
    image = SimulatedCamera.enrolment_picture(VISITORS[0])
    models = load(ModelsConfig(folder=folder), PolicyConfig())
    (face,) = models.detector.detect(image)
    assert models.embedder.embed(image, face) is not None


TABLE = re.compile(r"(?m)^thresholds = \[\n(?:  .*\n)*\]\n")
ROW = "fmr = 0.001, score = 0.5, pairs = 1000000, false_matches = 1000"


def with_table(folder: Path, table: str) -> EmbedderEntry:
    """The manifest's embedder with another table of thresholds."""
    path = folder / "manifest.toml"
    text, changed = TABLE.subn(table, path.read_text(), count=1)
    assert changed
    path.write_text(text)
    return Manifest(folder).entry("freefacenet", EmbedderEntry)


def test_a_table_without_intervals_and_sources_is_read(folder: Path) -> None:
    """As the first manifests had it; too few false matches are seen all the same."""
    few = "fmr = 1e-6, score = 0.7, pairs = 1000000, false_matches = 1"
    entry = with_table(folder, f"thresholds = [{{ {ROW} }}, {{ {few} }}]\n")
    assert [t.interval for t in entry.thresholds] == [None, None]
    assert [p.extrapolated for p in entry.operating_points()] == [False, True]


def test_without_a_table_the_single_threshold_is_the_evidence(folder: Path) -> None:
    entry = with_table(folder, "")
    (point,) = entry.operating_points()
    assert (point.fmr, point.score) == (entry.threshold_fmr, entry.threshold)


def test_a_table_states_interval_source_and_distance(folder: Path) -> None:
    more = f'{ROW}, interval = [0.49, 0.52], source = "aaf", extrapolated = true, squared_l2 = 1.0'
    (row,) = with_table(folder, f"thresholds = [{{ {more} }}]\n").thresholds
    assert (row.interval, row.source, row.squared_l2) == ((0.49, 0.52), "aaf", 1.0)
    assert row.thin


@pytest.mark.parametrize(
    "rows",
    [
        f"{{ {ROW}, interval = [0.51, 0.52] }}",
        f"{{ {ROW}, squared_l2 = 0.9 }}",
        f"{{ {ROW.replace('0.001', '0')} }}",
        f"{{ {ROW} }}, {{ fmr = 1e-4, score = 0.4, pairs = 1000000, false_matches = 100 }}",
    ],
)
def test_a_table_that_contradicts_itself_is_refused(folder: Path, rows: str) -> None:
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        with_table(folder, f"thresholds = [{rows}]\n")


@pytest.mark.parametrize("change", ["[[model]]\n", "schema_version = 2\n", "nonsense", 'x = "unknown"\n'])
def test_a_wrong_manifest_is_refused(folder: Path, change: str) -> None:
    path = folder / "manifest.toml"
    text = path.read_text()
    path.write_text(change + text.replace("schema_version = 1\n", "") if "schema" in change else change + text)
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        Manifest(folder)


def test_a_network_of_another_role_is_not_taken() -> None:
    with pytest.raises(ModelError, match="there is no detector 'freefacenet'"):
        Manifest(default_folder()).entry("freefacenet", DetectorEntry)


def test_bytes_that_are_no_network_are_refused() -> None:
    entry = Manifest(default_folder()).entry("pad-2.7", PadEntry)
    with pytest.raises(ModelError, match="no network in ONNX"):
        Network(b"not a network", entry.input, entry.name, 2)


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda v: v.key)
def test_the_detector_finds_the_one_face(models: Models, visitor: object) -> None:
    image = SimulatedCamera.enrolment_picture(visitor)  # type: ignore[arg-type]
    (face,) = models.detector.detect(image)
    eyes, mouth = face.landmarks[:2], face.landmarks[3:]
    assert eyes[0][0] < face.landmarks[2][0] < eyes[1][0]
    assert max(y for _, y in eyes) < face.landmarks[2][1] < min(y for _, y in mouth)


@pytest.mark.parametrize("shape", [(480, 640), (300, 200), (97, 131), (1080, 1920), (40, 40)])
def test_any_size_of_picture_may_be_searched(models: Models, shape: tuple[int, int]) -> None:
    assert models.detector.detect(np.full((*shape, 3), 127, np.uint8)) == []


def test_a_face_is_found_in_the_same_place_at_another_scale(models: Models) -> None:
    image = SimulatedCamera.enrolment_picture(ADA)
    (face,) = models.detector.detect(image)
    padded = np.full((image.shape[0] * 2, image.shape[1] * 2, 3), 127, np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    (again,) = models.detector.detect(padded)
    assert np.allclose(face.landmarks, again.landmarks, atol=0.1 * face.eye_distance)


TURNS = {
    "90": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "180": lambda image: cv2.rotate(image, cv2.ROTATE_180),
    "270": lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "top to bottom": lambda image: cv2.flip(image, 0),
}


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda v: v.key)
def test_a_face_stands_upright_in_one_of_four_turns(models: Models, visitor: Visitor) -> None:
    image = SimulatedCamera.enrolment_picture(visitor)
    for shown in (image, np.ascontiguousarray(image[:, ::-1]), (image * 0.5).astype(np.uint8)):
        (face,) = models.detector.detect(shown)
        assert models.detector.upright(shown, face)
        for turn in TURNS.values():
            turned = np.asarray(turn(shown), np.uint8)
            assert not any(models.detector.upright(turned, f) for f in models.detector.detect(turned))


@pytest.mark.parametrize("name", EMBEDDERS)
def test_an_embedder_has_no_template_of_what_is_no_natural_face(name: str) -> None:
    models = load(ModelsConfig(embedder=name), PolicyConfig())
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        (face,) = models.detector.detect(image)
        assert models.embedder.embed(image, face) is not None
        over = np.asarray(cv2.rotate(image, cv2.ROTATE_180), np.uint8)
        for found in models.detector.detect(over):
            assert models.embedder.embed(over, found) is None
            assert models.embedder.bare.embed(over, found) is not None


def template(models: Models, image: Image, face: Face) -> Template:
    made = models.embedder.embed(image, face)
    assert made is not None
    return rounded(made.vector)


def behind_a_mask(face: Image) -> None:
    cv2.fillPoly(
        face, [np.array([(12, 62), (56, 58), (100, 62), (92, 98), (70, 111), (42, 111), (20, 98)])], (190, 170, 120)
    )


def behind_a_bar(face: Image) -> None:
    face[42:62, 10:102] = 0


def half_in_the_dark(face: Image) -> None:
    face[:, :56] //= 8


@pytest.mark.parametrize("name", EMBEDDERS)
@pytest.mark.parametrize(
    ("change", "hints"),
    [
        (lambda _: None, set()),
        (behind_a_mask, {Hint.MOUTH_COVERED}),
        (behind_a_bar, {Hint.EYES_HIDDEN}),
        (half_in_the_dark, {Hint.UNEVEN_LIGHT}),
    ],
)
def test_an_embedder_says_what_hides_a_face(name: str, change: Callable[[Image], None], hints: set[Hint]) -> None:
    """The answers alone: a flat mask or bar makes some of these drawn faces too much like their mirror image."""
    models = load(ModelsConfig(embedder=name), PolicyConfig())
    answers = Answers(models.embedder_entry.answers)
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        (face,) = models.detector.detect(image)
        aligned = align(image, face)
        change(aligned)
        assert set(answers.hints(models.embedder.look(aligned).numbers) or ()) == hints, visitor.key


@pytest.mark.parametrize("name", EMBEDDERS)
def test_templates_of_one_person_are_alike_and_of_two_are_not(name: str) -> None:
    models = load(ModelsConfig(embedder=name), PolicyConfig())
    templates = {}
    threshold = models.thresholds.for_gallery({1: len(VISITORS)}).score
    for visitor in VISITORS:
        image = SimulatedCamera.enrolment_picture(visitor)
        (face,) = models.detector.detect(image)
        templates[visitor.key] = template(models, image, face)
        darker = (image * 0.7).astype(np.uint8)
        (face,) = models.detector.detect(darker)
        assert cosine(templates[visitor.key], template(models, darker, face)) > threshold
    keys = sorted(templates)
    for i, a in enumerate(keys):
        for b in keys[i + 1 :]:
            assert cosine(templates[a], templates[b]) < threshold


def test_a_track_ends_with_a_jump_or_when_the_face_is_gone(models: Models) -> None:
    (face,) = models.detector.detect(SimulatedCamera.enrolment_picture(ADA))
    tracker = Tracker()
    first = tracker.follow(face, 0.0)
    assert tracker.follow(face, 0.1) == first
    assert not tracker.lost(0.4)
    assert tracker.lost(0.7)
    assert tracker.follow(face, 0.8) == first + 1
