"""`kiosk models install`: a network of the admin's own, from a file."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiosk.evaluation import trial
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.vision import install
from kiosk.vision.manifest import EmbedderEntry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.upstream import known
from tests.cli.own_network import ABOUT, refused
from tests.fakes import onnx_file

Command = Callable[..., Any]
SHARED = Path(os.environ.get("KIOSK_SHARED") or Path(__file__).resolve().parents[4] / "shared")
YUNET = SHARED / "weights" / "face_detection_yunet_2023mar.onnx"
SCALED = "mean = [127.5, 127.5, 127.5], std = [128.0, 128.0, 128.0]"
RAW = "mean = [0.0, 0.0, 0.0], std = [1.0, 1.0, 1.0]"
COHORT = f'dimension = 128\ncohort = {{ file = "c.npy", sha256 = "{"0" * 64}", nearest = 8, usual = 0.3 }}'
MEASURED = "threshold = 0.6\nthreshold_fmr = 1e-4\n"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial in this process: a second more for each test otherwise."""

    def check(folder: Path, name: str) -> None:
        manifest = Manifest(folder)
        trial.check(manifest, next(e for e in manifest.entries if e.name == name))

    monkeypatch.setattr(trial, "check_apart", check)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A network with its description beside it: the program's own in another file."""
    path = tmp_path / "own.onnx"
    path.write_bytes(variant(1))
    path.with_suffix(".toml").write_text(ABOUT)
    return path


def variant(number: int) -> bytes:
    """One of the program's embedders, which takes whole aligned faces, in a file of its own."""
    manifest = Manifest(default_folder())
    content: bytes = onnx_file.variant(manifest.bytes_of(manifest.entry("mobilefacenet", EmbedderEntry)), number)
    return content


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_foreign_network_is_installed_beside_the_shipped_ones(kiosk: Command, own: Path, home: Path) -> None:
    """Through the real trial, in a process of its own."""
    status, out, err = kiosk("models", "install", own)
    assert (status, err) == (0, [])
    folder = home / "models"
    manifest = Manifest(folder)
    packaged = Manifest(default_folder())
    assert manifest.entries[:-1] == packaged.entries
    entry = manifest.entry("own", EmbedderEntry)
    assert manifest.bytes_of(entry) == own.read_bytes()
    for e in packaged.entries:
        assert manifest.bytes_of(e) == packaged.bytes_of(e)
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o644}
    assert [stat.S_IMODE(p.stat().st_mode) for p in (folder, home)] == [0o755, 0o700]
    embedders = [e for e in manifest.entries if isinstance(e, EmbedderEntry)]
    beside = [part for e in embedders for part in (e.cohort, e.evidence) if part]
    assert len(beside) == 2 * 3  # of each shipped embedder
    for part in beside:
        assert manifest.bytes_of(part) == packaged.bytes_of(part)
    files = {e.file for e in manifest.entries} | {part.file for part in beside}
    assert sorted(content(folder)) == sorted(files | {"manifest.toml"})
    assert f'folder = "{folder}"' in out
    assert 'embedder = "own"' in out
    assert any("enrolled again" in line for line in out)


def test_the_model_id_follows_whatever_its_numbers_depend_on(
    kiosk: Command, own: Path, tmp_path: Path, here: None
) -> None:
    def model_id(number: int, name: str = "own") -> str:
        row = kiosk("models", "install", own, "--folder", tmp_path / f"f{number}", "--name", name, "--json").rows[0]
        assert row["name"] == name
        return str(row["model_id"])

    about = own.with_suffix(".toml")
    first = model_id(1)
    assert model_id(2, "another-name") == first
    about.write_text(ABOUT.replace("ours", "theirs") + MEASURED)
    assert model_id(3) == first
    about.write_text(ABOUT.replace('"rgb"', '"bgr"'))
    swapped = model_id(4)
    about.write_text(ABOUT + "mirrored = false\n")
    assert model_id(5) == first
    about.write_text(ABOUT + "mirrored = true\n")
    mirrored = model_id(6)
    about.write_text(ABOUT)
    own.write_bytes(variant(2))
    assert len({first, swapped, mirrored, model_id(7)}) == 4


def wrong_file(own: Path) -> None:
    own.write_bytes(b"no network at all")


def wrong_about(old: str, new: str) -> Callable[[Path], None]:
    def change(own: Path) -> None:
        own.with_suffix(".toml").write_text((ABOUT + MEASURED).replace(old, new))

    return change


def another_network(**options: Any) -> Callable[[Path], None]:
    def change(own: Path) -> None:
        own.write_bytes(onnx_file.embedder(**options))

    return change


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: own.unlink(), "No such file"),
        (lambda own: (own.unlink(), own.mkdir()), "is no file"),
        (lambda own: own.write_bytes(b""), "is empty"),
        (wrong_file, "no network in ONNX"),
        (lambda own: own.write_bytes(own.read_bytes()[:-100]), "cut off"),
        (lambda own: own.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid"), "git-LFS"),
        (another_network(numbers=64), "(64,)"),
        (another_network(gain=0.0), "takes visitors for one another"),
        (another_network(), "takes visitors for one another"),
        (wrong_about(SCALED, RAW), "are colour, mean and std right?"),
        (another_network(gain=float("nan")), "not finite"),
        (another_network(external="passwd"), "external data"),
        (lambda own: own.with_suffix(".toml").unlink(), "own.toml"),
        (lambda own: own.with_suffix(".toml").write_bytes(b"\xff"), "not valid TOML"),
        (wrong_about("dimension = 128", "dimension = 512"), "templates of 128"),
        (wrong_about("dimension = 128", ""), "dimension"),
        (wrong_about('licence = "ours"', 'licence = "ours"\nlaxness = 1'), "laxness: unknown key"),
        (wrong_about('licence = "ours"', 'licence = "ours"\nmodel_id = "kiosk-mobilefacenet-0"'), "model_id: leave it"),
        (wrong_about('licence = "ours"', f'licence = "ours"\nsha256 = "{"0" * 64}"'), "another one"),
        (wrong_about("dimension = 128", COHORT), "only the program's own networks"),
        (wrong_about('"own"', '"../own"'), "name '../own'"),
        (wrong_about('"own"', '"freefacenet"'), "is taken by"),
        (wrong_about("317.5", "1.0"), "quantizes to nothing"),
        (wrong_about("317.5", "20000.0"), "bytes lose the face"),
        (wrong_about("threshold_fmr = 1e-4", ""), "go together"),
        (wrong_about('"embedder"', '"detector"'), "score_threshold"),
    ],
)
def test_bad_input_changes_nothing(
    kiosk: Command, own: Path, home: Path, here: None, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(own)
    refused(kiosk("models", "install", own), words)
    assert not (home / "models").exists()


def test_a_network_file_that_is_too_large_is_refused(
    kiosk: Command, own: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.vision.model_files.LARGEST", own.stat().st_size - 1)
    refused(kiosk("models", "install", own), "own.onnx", "at most")
    assert not (home / "models").exists()


def test_weights_in_another_file_are_never_read(kiosk: Command, own: Path, here: None, tmp_path: Path) -> None:
    """What is not in the hashed file could be changed behind its hash."""
    weights = np.random.default_rng(1).normal(size=(48, 128)).astype(np.float32)
    (tmp_path / "weights.bin").write_bytes(weights.tobytes())
    own.write_bytes(onnx_file.embedder(external="weights.bin"))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        refused(kiosk("models", "install", own), "external data")
    finally:
        os.chdir(before)


def test_a_name_stands_for_one_network(kiosk: Command, own: Path, home: Path, here: None) -> None:
    assert kiosk("models", "install", own).status == 0
    before = content(home / "models")
    assert kiosk("models", "install", own).status == 0
    assert content(home / "models") == before
    own.write_bytes(variant(2))
    refused(kiosk("models", "install", own), "'own' is taken", "--name")
    assert content(home / "models") == before
    assert kiosk("models", "install", own, "--name", "own-2").status == 0
    names = [e.name for e in Manifest(home / "models").entries]
    assert names == [*(e.name for e in Manifest(default_folder()).entries), "own", "own-2"]


def test_a_threshold_comes_with_its_false_match_rate_and_stays(
    kiosk: Command, own: Path, home: Path, here: None
) -> None:
    def threshold() -> tuple[float | None, float | None]:
        entry = Manifest(home / "models").entry("own", EmbedderEntry)
        return entry.threshold, entry.threshold_fmr

    refused(kiosk("models", "install", own, "--threshold", "0.7"), "go together")
    refused(kiosk("models", "install", own, "--threshold", "1.7", "--fmr", "1e-4"), "threshold")
    assert kiosk("models", "install", own).status == 0
    assert threshold() == (None, None)
    assert not any("LAXER" in line for line in kiosk("models", "install", own, "--threshold", 0.7, "--fmr", 1e-4).out)
    assert threshold() == (0.7, 1e-4)
    assert kiosk("models", "install", own).status == 0
    assert threshold() == (0.7, 1e-4)
    laxer = kiosk("models", "install", own, "--threshold", "0.4", "--fmr", "0.001").out
    assert any("LAXER" in line and "0.4" in line and "0.7" in line for line in laxer)


def checks(doctor: Any) -> list[dict[str, str]]:
    (answer,) = doctor.rows
    found = answer["checks"]
    assert isinstance(found, list)
    return found


def test_without_a_measured_threshold_it_never_stands_at_a_door(
    kiosk: Command, own: Path, home: Path, portraits: dict[str, Path], tmp_path: Path, here: None
) -> None:
    assert kiosk("models", "install", own).status == 0
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{home / "models"}"\nembedder = "own"\n')
    open_gallery(Home(home)).close()
    for command in (("enrol", "--name", "Ada"), ("identify",)):
        refused(kiosk(*command, "--config", config, portraits["ada"]), "own: no threshold has been measured")
    config.write_text(config.read_text() + "[policy]\nthreshold = 0.1\n")
    refused(kiosk("enrol", "--config", config, "--name", "Ada", portraits["ada"]), "no threshold has been measured")
    doctor = kiosk("doctor", "--config", config, "--json")
    assert doctor.status == 1
    (said,) = [
        check["what"] for check in checks(doctor) if check["name"] == "threshold" and check["state"] == "problem"
    ]
    assert "no threshold has been measured" in said


def test_doctor_says_which_of_the_programs_are_newer(kiosk: Command, own: Path, home: Path, here: None) -> None:
    assert kiosk("models", "install", own).status == 0
    config, manifest = home / "kiosk.toml", home / "models" / "manifest.toml"
    config.write_text(f'[models]\nfolder = "{home / "models"}"\n')

    def said() -> list[str]:
        found = checks(kiosk("doctor", "--config", config, "--json"))
        return [check["what"] for check in found if check["name"] == "models" and "move that folder" in check["mend"]]

    assert said() == []
    entry = Manifest(default_folder()).entry("freefacenet", EmbedderEntry)
    installed = manifest.read_text()
    manifest.write_text(installed.replace(entry.model_id, "kiosk-mobilefacenet-0"))
    (message,) = said()
    assert f"keeps kiosk-mobilefacenet-0, the program brings {entry.model_id}" in message
    assert entry.cohort is not None
    manifest.write_text(installed.replace(f"usual = {entry.cohort.usual}", "usual = 0.9"))
    (message,) = said()
    assert f"keeps {entry.model_id}, the program brings other thresholds for it" in message


@pytest.mark.parametrize("moment", ["copying", "trial", "publishing"])
def test_an_interruption_or_a_full_disk_changes_nothing(
    kiosk: Command, own: Path, home: Path, here: None, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    assert kiosk("models", "install", own).status == 0
    before = content(home / "models")
    own.write_bytes(variant(2))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "copying":
            patch.setattr(Path, "write_bytes", full)
        elif moment == "trial":
            patch.setattr(trial, "check_apart", interrupted)
        else:
            patch.setattr(install, "sync", full)
        result = kiosk("models", "install", own, "--name", "own-2")
    if moment == "trial":
        assert result.status == 1
    else:
        refused(result, "No space left on device", "nothing was installed")
    assert content(home / "models") == before
    assert kiosk("models", "install", own, "--name", "own-2").status == 0


def test_what_an_installation_that_was_killed_left_behind_is_cleared(
    kiosk: Command, own: Path, home: Path, here: None
) -> None:
    room = home / "models" / ".install"
    room.mkdir(parents=True)
    (room / "received.onnx").write_bytes(b"half of it")
    (home / "models").chmod(0o755)
    assert kiosk("models", "install", own).status == 0
    assert not room.exists()


def test_a_second_installation_at_the_same_time_is_refused(kiosk: Command, own: Path, home: Path, here: None) -> None:
    folder = home / "models"
    folder.mkdir(parents=True)
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(kiosk("models", "install", own), "another installation")
    finally:
        os.close(file)


def test_an_unsuitable_folder_is_refused(kiosk: Command, own: Path, home: Path, here: None) -> None:
    refused(kiosk("models", "install", own, "--folder", default_folder()), "the program's own folder")
    folder = home / "models"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    refused(kiosk("models", "install", own), "everybody may change")
    folder.chmod(0o755)
    (folder / "manifest.toml").write_text("nonsense")
    refused(kiosk("models", "install", own), "manifest.toml")


def test_a_trial_that_kills_its_process_is_one_line(
    kiosk: Command, own: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    refused(kiosk("models", "install", own), "broke the process that tried it (exit status 1)")
    assert not (home / "models").exists()


def test_a_network_trial_without_end_is_given_up(
    kiosk: Command, own: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    refused(kiosk("models", "install", own), "took more than")
    assert not (home / "models").exists()


@pytest.mark.parametrize("name", [".", "manifest.toml"])
def test_networks_that_everybody_may_change_are_not_run(
    kiosk: Command, own: Path, home: Path, tmp_path: Path, portraits: dict[str, Path], here: None, name: str
) -> None:
    assert kiosk("models", "install", own).status == 0
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{home / "models"}"\n')
    open_gallery(Home(home)).close()
    assert kiosk("identify", "--config", config, portraits["ada"]).status == 0
    path = home / "models" / name
    path.chmod(path.stat().st_mode | 0o002)
    refused(kiosk("identify", "--config", config, portraits["ada"]), "everybody may change", "chmod ")


def test_upstream_lists_address_licence_hash_and_threshold(kiosk: Command) -> None:
    rows = kiosk("models", "upstream", "--json").rows
    assert [r["name"] for r in rows] == [u.name for u in known()]
    lines = "\n".join(kiosk("models", "upstream").out)
    for u in known():
        assert u.address in lines
        assert u.sha256 in lines
        assert u.published in lines
        assert u.address.startswith("https://")


@pytest.mark.shared
@pytest.mark.skipif(not YUNET.is_file(), reason="needs shared/weights: name its folder in KIOSK_SHARED")
def test_a_known_network_needs_no_description(
    kiosk: Command, tmp_path: Path, home: Path, here: None, portraits: dict[str, Path]
) -> None:
    """By its hash, whatever the file is called; and the kiosk finds faces with it."""
    path = tmp_path / "something"
    shutil.copy(YUNET, path)
    path.chmod(0o600)
    assert kiosk("models", "install", path).status == 0
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[models]\nfolder = "{home / "models"}"\ndetector = "yunet"\n')
    assert kiosk("enrol", "--config", config, "--name", "Ada", portraits["ada"]).status == 0
    assert kiosk("identify", "--config", config, "--json", portraits["ada"]).rows[0]["subject"]
