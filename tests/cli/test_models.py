from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kiosk.vision.manifest import Manifest
from kiosk.vision.model_files import default_folder

Command = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the networks that may be damaged."""
    copy = tmp_path / "models"
    shutil.copytree(default_folder(), copy, ignore=shutil.ignore_patterns("train", "*.md"))
    return copy


def test_the_networks_that_came_with_the_program_are_good(kiosk: Command) -> None:
    status, out, err = kiosk("models", "verify")
    assert (status, err) == (0, [])
    assert out == [f"{e.name}: ok" for e in Manifest(default_folder()).entries]


def test_list_names_each_network(kiosk: Command) -> None:
    status, out, _ = kiosk("models", "list", "--json")
    assert status == 0
    rows = [json.loads(line) for line in out]
    entries = Manifest(default_folder()).entries
    assert [(r["name"], r["role"], r["model_id"]) for r in rows] == [(e.name, e.role, e.model_id) for e in entries]
    for row in rows:
        assert row["bytes"] == (default_folder() / row["file"]).stat().st_size
        assert 0 < row["threshold"] < 1
        assert row["licence"]
    _, lines, _ = kiosk("models", "list")
    assert all(r["model_id"] in line and r["licence"] in line for r, line in zip(rows, lines, strict=True))


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_bad_network_is_one_line_and_status_2(folder: Path, kiosk: Command, damage: str) -> None:
    entries = Manifest(folder).entries
    path = folder / entries[0].file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-100] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    status, out, err = kiosk("models", "verify", "--folder", folder)
    assert status == 2
    assert len(err) == 1
    assert str(path) in err[0]
    assert out == [f"{e.name}: ok" for e in entries[1:]]


def test_a_bad_network_is_told_as_json(folder: Path, kiosk: Command) -> None:
    entries = Manifest(folder).entries
    (folder / entries[0].file).unlink()
    status, out, _ = kiosk("models", "verify", "--folder", folder, "--json")
    assert status == 2
    assert [json.loads(line)["ok"] for line in out] == [False] + [True] * (len(entries) - 1)


def test_models_verify_reports_a_network_that_onnxruntime_refuses(folder: Path, kiosk: Command) -> None:
    """Its hash is the manifest's: only loading shows that it is none."""
    entry = Manifest(folder).entries[0]
    (folder / entry.file).write_bytes(b"")
    text = (folder / "manifest.toml").read_text()
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (folder / "manifest.toml").write_text(text.replace(entry.sha256, nothing))
    status, _, err = kiosk("models", "verify", "--folder", folder)
    assert status == 2
    assert len(err) == 1
    assert "onnxruntime cannot load" in err[0]


def test_models_list_reports_a_folder_without_a_manifest(tmp_path: Path, kiosk: Command) -> None:
    for command in ("list", "verify"):
        status, _, err = kiosk("models", command, "--folder", tmp_path)
        assert status == 2
        assert len(err) == 1
        assert "manifest.toml" in err[0]


def test_list_says_that_a_file_is_missing(folder: Path, kiosk: Command) -> None:
    (folder / Manifest(folder).entries[0].file).unlink()
    _, out, _ = kiosk("models", "list", "--folder", folder)
    assert "missing" in out[0]
    _, out, _ = kiosk("models", "list", "--folder", folder, "--json")
    assert json.loads(out[0])["bytes"] is None


def test_the_configured_folder_is_the_one_that_is_verified(folder: Path, kiosk: Command, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{folder}"\n')
    (folder / Manifest(folder).entries[0].file).unlink()
    status, _, err = kiosk("models", "verify", "--config", config)
    assert status == 2
    assert str(folder) in err[0]
    assert "missing" in kiosk("models", "list", "--config", config)[1][0]


PAIR = (
    '\n[[pair]]\nnew = "{new}"\nold = "kiosk-mobilefacenet-10"\nfile = "map.npy"\nsha256 = "{sha256}"\n'
    'licence = "ours"\n{thresholds}'
)
MEASURED = "thresholds = [{ fmr = 1e-4, score = 0.5, pairs = 1000000, false_matches = 100 }]\n"


@pytest.mark.parametrize(
    ("new", "rows", "thresholds", "words"),
    [
        ("kiosk-seesawfacenet-5", 128, MEASURED, ""),
        ("kiosk-seesawfacenet-5", 127, MEASURED, "127 of 129"),
        ("kiosk-seesawfacenet-5", 128, "", "no thresholds have been measured"),
        ("kiosk-gone-1", 128, MEASURED, "the manifest has no embedder kiosk-gone-1"),
    ],
)
def test_a_map_between_two_networks_is_tried_too(
    folder: Path, kiosk: Command, new: str, rows: int, thresholds: str, words: str
) -> None:
    """Else it would be found wrong at the start after `kiosk models switch`, with people before the door."""
    np.save(folder / "map.npy", np.eye(rows, 129, dtype=np.float32))
    sha256 = hashlib.sha256((folder / "map.npy").read_bytes()).hexdigest()
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write(PAIR.format(new=new, sha256=sha256, thresholds=thresholds))
    status, out, err = kiosk("models", "verify", "--folder", folder)
    assert status == (2 if words else 0)
    assert ("map.npy: ok" in out) is not bool(words)
    assert all(words in line and "map.npy" in line for line in err)
    assert len(err) == bool(words)
