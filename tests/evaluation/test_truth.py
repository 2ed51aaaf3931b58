from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Box, Image
from kiosk.evaluation.truth import COLUMNS, Pictures, TrueFace, TruePicture, read_truth

FRAMES = Path(__file__).resolve().parents[2] / "models" / "train" / "detector" / "frames.csv"


def flat(level: int) -> Image:
    return np.full((40, 60, 3), level, np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A picture, an archive and a clip, told apart by how bright they are."""
    folder = tmp_path / "root"
    (folder / "deep").mkdir(parents=True)
    cv2.imwrite(str(folder / "deep" / "plain.png"), flat(10))
    cv2.imwrite(str(tmp_path / "member.png"), flat(20))
    with tarfile.open(folder / "set.tar", "w") as archive:
        archive.add(tmp_path / "member.png", arcname="in/member.png")
    clip = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (60, 40))
    for level in (100, 130, 160, 190):
        clip.write(flat(level))
    clip.release()
    return folder


def listed(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["# a note, with a comma", ",".join(COLUMNS), *rows]))
    return path


def test_a_list_is_read_with_and_without_faces_and_landmarks(tmp_path: Path) -> None:
    points = ",".join(str(v) for v in range(10))
    path = listed(
        tmp_path / "truth.csv",
        "b.mp4#10,clips,0,1,2,3,4," + "," * 9,
        "b.mp4#9,clips,,,,,," + "," * 9,
        f"a.png,stills,0,1,2,3,4,{points}",
        "a.png,stills,1,5,6,7,8," + "," * 9,
    )
    assert read_truth(path) == [
        TruePicture(
            "a.png",
            "stills",
            (
                TrueFace(Box(1, 2, 3, 4), ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))),
                TrueFace(Box(5, 6, 7, 8), ignore=True),
            ),
        ),
        TruePicture("b.mp4#9", "clips", ()),
        TruePicture("b.mp4#10", "clips", (TrueFace(Box(1, 2, 3, 4)),)),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a.png,s,0,1,2,three,4", "line 3: could not convert"),
        ("a.png,s,0,1,2,,4", "line 3: could not convert"),
        ("a.png,s,0,1,2,3,0", "line 3: a box needs"),
        ("a.png,s,0,1,nan,3,4", "line 3: a box needs"),
        ("a.png,s,0,1,2,3,4,5,6", "line 3: could not convert"),
        ("a.png,s,2,1,2,3,4", "line 3: needs the name of a picture, and 0 or 1"),
        (",s,0,1,2,3,4", "line 3: needs the name of a picture"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(SampleError, match=problem):
        read_truth(listed(tmp_path / "truth.csv", row))


def test_a_file_that_is_no_list_of_faces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="cannot be read"):
        read_truth(tmp_path / "nowhere.csv")
    with pytest.raises(SampleError, match="lists no picture"):
        read_truth(listed(tmp_path / "empty.csv"))
    (tmp_path / "other.csv").write_text("file,x,y\na.png,1,2\n")
    with pytest.raises(SampleError, match="line 2: there is no column picture"):
        read_truth(tmp_path / "other.csv")


def test_pictures_are_read_from_files_archives_and_clips(root: Path) -> None:
    with Pictures(root) as source:
        names = ("clip.avi#1", "clip.avi#3", "deep/plain.png", "set.tar#in/member.png")
        assert [source.read(n).mean() for n in names] == pytest.approx([130, 190, 10, 20], abs=3)


@pytest.mark.parametrize("name", ["deep/none.png", "set.tar#none.png", "none.tar#a.png", "clip.avi#9", "none.avi#0"])
def test_a_missing_picture_of_a_list_is_an_error(root: Path, name: str) -> None:
    with Pictures(root) as source, pytest.raises(SampleError, match=r"none|clip\.avi"):
        source.read(name)


@pytest.mark.parametrize("within", ["set.tar", "deep"])
def test_without_a_list_every_picture_has_one_known_face(root: Path, within: str) -> None:
    with Pictures(root / within) as source:
        [entry] = source.centred()
        assert entry.faces is None
        assert source.read(entry.name).shape == (40, 60, 3)


def test_a_root_without_pictures_is_an_error(tmp_path: Path) -> None:
    with Pictures(tmp_path) as source, pytest.raises(SampleError, match="holds no pictures"):
        source.centred()


def test_the_frames_that_were_checked_by_eye() -> None:
    """Names below a folder and numbers only: no picture, no path of a machine."""
    pictures = read_truth(FRAMES)
    assert len(pictures) == 300
    assert all(p.name.startswith(("faces/", "clips/")) and ".." not in p.name for p in pictures)
    counted = [f for p in pictures for f in p.faces or () if not f.ignore]
    assert len(counted) == 293
    for face in counted:
        for x, y in face.landmarks:
            assert face.box.x < x < face.box.x + face.box.width
            assert face.box.y < y < face.box.y + face.box.height
