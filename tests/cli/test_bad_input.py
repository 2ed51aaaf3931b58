"""Bad input: one clear line, exit status 2, no traceback, and nothing lost."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kiosk.vision.model_files import default_folder

Command = Callable[..., Any]
Result = Any
"""conftest.Result: pytest's importlib mode keeps test modules from importing one another."""


def refused(result: Result, *words: str) -> None:
    """One line on standard error with these words, and status 2."""
    assert result.status == 2, result
    (line,) = result.err
    assert "Traceback" not in line
    for word in words:
        assert word in line, line


@pytest.fixture
def enrolled(kiosk: Command, adas_home: Path, home: Path) -> Command:
    """Commands on a home in which Ada Example is enrolled."""
    shutil.copytree(adas_home, home)
    return kiosk


def names(kiosk: Command) -> list[object]:
    return [row["name"] for row in kiosk("subjects", "list", "--json").rows]


def test_an_unreadable_picture(enrolled: Command, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff no picture at all")
    refused(enrolled("enrol", "--name", "Eve", bad), "bad.jpg", "not a readable picture")
    refused(enrolled("identify", bad), "bad.jpg", "not a readable picture")
    refused(enrolled("enrol", "--name", "Eve", tmp_path / "gone.jpg"), "no such file")
    assert names(enrolled) == ["Ada Example"]


@pytest.mark.parametrize("turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE])
def test_a_picture_that_is_turned(enrolled: Command, portraits: dict[str, Path], tmp_path: Path, turn: int) -> None:
    over = {who: tmp_path / f"{who}-over.png" for who in ("ben", "cleo")}
    for who, path in over.items():
        cv2.imwrite(str(path), cv2.rotate(cv2.imread(str(portraits[who])), turn))
        result = enrolled("enrol", "--name", who, path)
        refused(result, f"{who}-over.png")
        assert "set it upright" in result.err[0] or "no face" in result.err[0]
    assert names(enrolled) == ["Ada Example"]
    for path in over.values():
        result = enrolled("identify", path, "--json")
        if result.status == 0:  # a face is found
            assert (result.rows[0]["subject"], result.rows[0]["score"], result.rows[0]["flaw"]) == (
                None,
                None,
                "turned_over",
            )


def test_a_picture_without_a_face(enrolled: Command, tmp_path: Path) -> None:
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((480, 640, 3), 127, np.uint8))
    refused(enrolled("enrol", "--name", "Eve", wall), "wall.png", "no face")
    refused(enrolled("identify", wall), "no face")
    assert names(enrolled) == ["Ada Example"]


def test_two_faces_on_a_picture(enrolled: Command, portraits: dict[str, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.png"
    pictures = [cv2.resize(cv2.imread(str(portraits[k])), (640, 480)) for k in ("ben", "cleo")]
    cv2.imwrite(str(both), np.hstack(pictures))
    refused(enrolled("enrol", "--name", "Ben", both), "both.png", "faces are found")
    assert names(enrolled) == ["Ada Example"]


def test_a_face_too_small(enrolled: Command, portraits: dict[str, Path], tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    canvas = np.full((480, 640, 3), 127, np.uint8)
    canvas[100:260, 100:260] = cv2.resize(cv2.imread(str(portraits["ben"])), (160, 160))
    cv2.imwrite(str(small), canvas)
    refused(enrolled("enrol", "--name", "Ben", small), "small.png", "too small")


def test_somebody_enrolled_already(enrolled: Command, portraits: dict[str, Path]) -> None:
    (ada,) = enrolled("subjects", "list", "--json").rows
    refused(enrolled("enrol", "--name", "Ada again", portraits["ada"]), f"look like {ada['subject']}", "--again")
    assert names(enrolled) == ["Ada Example"]


def test_two_people_as_one(kiosk: Command, portraits: dict[str, Path]) -> None:
    refused(kiosk("enrol", "--name", "Two", portraits["ada"], portraits["ben"]), "does not match")


def test_enrolling_again_what_cannot_be(enrolled: Command, portraits: dict[str, Path]) -> None:
    assert enrolled("enrol", "--name", "Ben", portraits["ben"]).status == 0
    for options in ((), ("--name", "Ada", "--again", "Ada Example"), ("--again", "Ada Example", "--badge", "7")):
        result = enrolled("enrol", *options, portraits["ada"])
        assert result.status == 2
        assert "--again" in result.err[-1]
    refused(enrolled("enrol", "--again", "Eve", portraits["ada"]), "nobody of this name")
    ada, ben = (row["subject"] for row in enrolled("subjects", "list", "--json").rows)
    refused(enrolled("enrol", "--again", "Ada Example", portraits["ben"]), f"look like {ben}")
    refused(
        enrolled("enrol", "--again", "Ada Example", portraits["cleo"]), f"do not look like {ada}", "enrol them anew"
    )
    assert [r["subject"] for r in enrolled("identify", "--json", portraits["ada"], portraits["ben"]).rows] == [
        r["subject"] for r in enrolled("subjects", "list", "--json").rows
    ]


@pytest.mark.parametrize("text", ["nonsense", '[models]\nembedder = "gone"\n', '[models]\nfolder = "/gone"\n'])
def test_who_is_enrolled_is_listed_whatever_the_networks(enrolled: Command, tmp_path: Path, text: str) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(text)
    result = enrolled("subjects", "list", "--config", config, "--json")
    assert (result.status, [(r["name"], r["enrol_again"]) for r in result.rows]) == (0, [("Ada Example", None)])
    assert "is not known" in result.err[-1]


def test_a_clip_that_ends_in_the_middle(enrolled: Command, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    content = clip.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    result = enrolled("replay", "--json", broken)
    assert result.rows, "what was read before the damage was decided"
    refused(result, "broken.avi", "damaged")
    refused(enrolled("enrol", "--name", "Eve", broken), "damaged")
    assert names(enrolled) == ["Ada Example"]


def test_no_clip_at_all(enrolled: Command, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing")
    refused(enrolled("replay", bad), "bad.mp4", "not a readable clip")
    refused(enrolled("replay", tmp_path), "holds no pictures")


@pytest.mark.parametrize("name", ["face-detector.onnx", "freefacenet.onnx"])
@pytest.mark.parametrize("damage", ["truncated", "altered", "gone"])
def test_a_damaged_model(kiosk: Command, portraits: dict[str, Path], tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "models"
    shutil.copytree(default_folder(), folder, ignore=shutil.ignore_patterns("train", "*.md"))
    content = (folder / name).read_bytes()
    if damage == "gone":
        (folder / name).unlink()
    else:
        changed = content[:-10] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1])
        (folder / name).write_bytes(changed)
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{folder}"\n')
    refused(kiosk("enrol", "--config", config, "--name", "Ada", portraits["ada"]), name, "install the package again")


def test_a_wrong_key(enrolled: Command, home: Path, portraits: dict[str, Path]) -> None:
    right = (home / "gallery.key").read_bytes()
    (home / "gallery.key").write_bytes(os.urandom(len(right)))
    refused(enrolled("identify", portraits["ada"]), "gallery.key", "does not belong")
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "gallery.key")
    (home / "gallery.key").unlink()
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "gallery.key")
    (home / "gallery.key").write_bytes(right)
    (home / "gallery.key").chmod(0o600)
    assert enrolled("identify", "--json", portraits["ada"]).rows[0]["subject"]


def test_a_newer_database(enrolled: Command, home: Path, portraits: dict[str, Path]) -> None:
    with closing(sqlite3.connect(home / "gallery.db")) as connection, connection:
        (table,) = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%migrations%'").fetchone()
        connection.execute(
            f"INSERT INTO {table} (migration_set, name, applied_at) "
            f"SELECT migration_set, 'm9999_from_the_future', applied_at FROM {table} LIMIT 1"
        )
    refused(enrolled("subjects", "list"), "gallery.db", "newer")
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "gallery.db", "newer")


def test_a_corrupt_database(enrolled: Command, home: Path, portraits: dict[str, Path]) -> None:
    content = (home / "gallery.db").read_bytes()
    (home / "gallery.db").write_bytes(b"x" * len(content))
    refused(enrolled("subjects", "list"), "gallery.db")
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "gallery.db")


def test_an_unknown_key_in_the_configuration(kiosk: Command, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("[door]\nrelease_secs = 5\n")
    refused(kiosk("run", "--config", config), "kiosk.toml", "release_secs", "unknown key")
    refused(kiosk("run", "--config", tmp_path / "gone.toml"), "gone.toml", "no such configuration")
    config.write_text("[camera\n")
    refused(kiosk("run", "--config", config), "kiosk.toml", "not valid TOML")


def test_a_second_kiosk_on_the_same_home(kiosk: Command, home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    config = tmp_path / "kiosk.toml"
    config.write_text('[camera]\nkind = "usb"\n')
    with (home / "kiosk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(kiosk("run", "--headless", "--config", config), "another kiosk")


def test_a_door_that_is_not_there(kiosk: Command, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[camera]\nkind = "usb"\n[door]\nsocket = "{tmp_path}/door.sock"\n')
    refused(kiosk("run", "--headless", "--config", config), "door")


def test_a_screenshot_that_cannot_be_written(kiosk: Command, tmp_path: Path) -> None:
    result = kiosk("run", "--headless", "--screenshot", tmp_path / "nowhere" / "picture.png")
    assert result.status == 2
    assert "picture.png" in result.err[-1]


def test_a_full_disk_loses_nothing(enrolled: Command, home: Path, portraits: dict[str, Path]) -> None:
    with closing(sqlite3.connect(home / "gallery.db")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON reference BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "gallery.db")
    assert names(enrolled) == ["Ada Example"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; tests/storage mounts a read-only disk instead")
def test_a_read_only_home(enrolled: Command, home: Path, portraits: dict[str, Path]) -> None:
    home.chmod(0o500)
    refused(enrolled("enrol", "--name", "Ben", portraits["ben"]), "home")
    home.chmod(0o700)


@pytest.mark.parametrize("name", ["\udcff", "\u3164", "", "Ada\u202e"])
def test_what_is_no_name_is_said_before_the_pictures_are_looked_at(kiosk: Command, home: Path, name: str) -> None:
    refused(kiosk("enrol", "--name", name, "gone.png"), "a name is 1 to 100 printable characters")
    assert not home.exists()
