"""`kiosk calibrate pad`, with the real networks, on the demonstration's visitors and a print of one of them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import cv2
import pytest

from kiosk.demonstration.scene import HOLD_BEGINS, Scene
from kiosk.demonstration.story import STORY, Kind
from kiosk.storage.home import Home
from tests.cli.conftest import Command

PICTURES = 5
LIVE = [visit for visit in STORY if visit.kind is Kind.LIVE][:2]
PRINT = next(visit for visit in STORY if visit.kind is Kind.PRINT)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bona-fide/{0,1} and print/0: a folder of pictures each."""
    folder, scene = tmp_path_factory.mktemp("recordings"), Scene(0)
    shown = [("bona-fide/0", LIVE[0]), ("bona-fide/1", LIVE[1]), ("print/0", PRINT)]
    for place, visit in shown:
        (folder / place).mkdir(parents=True)
        for n in range(PICTURES):
            image = scene.render(visit, HOLD_BEGINS + n / 15, n)
            assert cv2.imwrite(str(folder / place / f"{n}.png"), image)
    return folder


def replaying(tmp_path: Path, source: Path) -> Path:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[camera]\nkind = "replay"\nsource = "{source}"\n')
    return config


def test_recordings_are_measured_and_a_threshold_is_suggested(kiosk: Command, recordings: Path) -> None:
    (row,) = kiosk("calibrate", "pad", "--clips", recordings, "--json").rows
    species = row["species"]
    assert isinstance(species, dict)
    assert list(species) == ["bona fide", "print"]
    assert (species["bona fide"]["errors"], species["bona fide"]["attempts"]) == (0, 2)
    assert (species["print"]["errors"], species["print"]["attempts"]) == (0, 1)
    assert species["print"]["high"] == pytest.approx(0.975)
    assert row["suggested"] == row["measured"] == row["threshold"]
    told = kiosk("calibrate", "pad", "--clips", recordings, "--write")
    assert told.status == 0
    assert told.out[0].startswith("bona fide 1: 5 usable frames: PAD lets it through")
    assert told.out[2].startswith("print 1: 5 usable frames: PAD denies it")
    assert "print: APCER 0.00% (0.00% to 97.50%), 0 of 1 attempts; 0.00% of their frames" in "\n".join(told.out)
    assert told.out[-1] == "# [policy]: no pad_threshold, so that the manifest's holds"


def test_a_stricter_threshold_is_a_line_that_the_configuration_takes(
    kiosk: Command, recordings: Path, tmp_path: Path
) -> None:
    """What is called an attack here is a visitor whom PAD lets through, but with lower scores than the other."""
    for name, source in (("bona-fide/0", "bona-fide/0"), ("mask/0", "bona-fide/1")):
        (tmp_path / "both" / name).parent.mkdir(parents=True)
        (tmp_path / "both" / name).symlink_to(recordings / source)
    (row,) = kiosk("calibrate", "pad", "--clips", tmp_path / "both", "--json").rows
    told = kiosk("calibrate", "pad", "--clips", tmp_path / "both", "--write")
    assert float(str(row["suggested"])) > float(str(row["measured"]))
    assert told.out[-2:] == ["[policy]", f"pad_threshold = {row['suggested']!r}"]
    config = tmp_path / "strict.toml"
    config.write_text("\n".join(told.out[-2:]))
    rows = kiosk("doctor", "--config", config, "--json").checks
    models, *_ = [r for r in rows if r["name"] == "models" and r["state"] == "ok"]
    assert f"PAD threshold {float(str(row['suggested'])):g}" in str(models["what"])


def test_nothing_laxer_than_what_is_configured_is_suggested(kiosk: Command, recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "people" / "bona-fide").mkdir(parents=True)
    (tmp_path / "people" / "bona-fide" / "0").symlink_to(recordings / "bona-fide/0")
    config = tmp_path / "strict.toml"
    config.write_text("[policy]\npad_threshold = 0.6\n")
    told = kiosk("calibrate", "pad", "--clips", tmp_path / "people", "--write", "--config", config)
    (suggested,) = [line for line in told.out if line.startswith("suggested")]
    assert suggested.startswith("suggested: the configured 0.6000")
    assert told.out[-1] == "# nothing to put into the configuration"


def test_somebody_at_the_terminal_is_asked_for_people_and_attacks(
    kiosk: Command, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera plays the same person each time; called a mask, that is an attack that passes."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\nbona fide\n" + "x" * 41 + "\n rubber  mask \n\n\n\n"))
    config = replaying(tmp_path, recordings / "bona-fide" / "0")
    told = kiosk("calibrate", "pad", "--attempts", "2", "--config", config)
    said = "\n".join(told.out)
    assert told.status == 0, told.err
    asked = "\n".join(told.err)
    assert "bona fide 1 of 2: stand before the camera as at the door, and press Enter" in asked
    assert "rubber mask 2 of 2: hold it before the camera" in asked
    assert asked.count("a name of 40 printable characters at most") == 2
    assert "bona fide: BPCER 0.00% (0.00% to 84.19%), 0 of 2 attempts" in said
    assert "rubber mask: APCER 100.00% (15.81% to 100.00%), 2 of 2 attempts" in said
    assert "what passes here passes at the door" in said
    assert list(tmp_path.rglob("*.png")) == [], "no picture is kept"


def test_a_presentation_without_usable_frames_shows_why(kiosk: Command, tmp_path: Path) -> None:
    scene = Scene(0)
    (tmp_path / "set" / "bona-fide" / "0").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "set" / "bona-fide" / "0" / "0.png"), scene.render(None, 0.0, 0))
    told = kiosk("calibrate", "pad", "--clips", tmp_path / "set")
    assert told.status == 2
    assert told.out == ["bona fide 1: 0 usable frames (of others: nobody): too few, not counted"]
    assert "nobody gave 3 usable frames" in told.err[-1]


def test_calibrate_refuses_to_run_beside_the_kiosk(
    kiosk: Command, home: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n" * 9))
    config = replaying(tmp_path, recordings / "bona-fide" / "0")
    with Home(home).lock():
        refused = kiosk("calibrate", "pad", "--attempts", "1", "--config", config)
    assert (refused.status, len(refused.err)) == (2, 1)
    assert "the kiosk runs and has the camera: stop it first" in refused.err[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--attempts", "0"], "0 is not in the range 1<=x<=1000"),
        (["--bpcer", "nan"], "nan is not a finite number"),
        (["--clips", "/nowhere"], "No such file or directory"),
        (["--report", "/nowhere/report.json"], "cannot be written there"),
    ],
)
def test_bad_input_is_one_line(kiosk: Command, arguments: list[str], said: str) -> None:
    result = kiosk("calibrate", "pad", *arguments)
    assert (result.status, len(result.err)) == (2, 1)
    assert said in result.err[0]


def test_the_end_of_the_input_stops_calibrate(
    kiosk: Command, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    config = replaying(tmp_path, recordings / "bona-fide" / "0")
    result = kiosk("calibrate", "pad", "--attempts", "2", "--config", config)
    assert result.status == 1
    assert result.err[-1].endswith("kiosk: stopped")
