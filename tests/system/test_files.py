"""Locks on files, between processes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.system import files
from kiosk.system.files import is_locked, lock, locked, make_folder, sync

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom kiosk.system.files import locked\nwith locked(Path(sys.argv[1])):\n    "
)


def test_a_lock_keeps_others_out_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "it.lock"
    with locked(path):
        assert is_locked(path)
        with pytest.raises(BlockingIOError), locked(path):
            pass
        file = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            lock(file)
        os.close(file)
    assert not is_locked(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with locked(path):
        assert is_locked(path)


def test_whoever_dies_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "it.lock"
    script = HOLD + "print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_locked(path)
        holder.kill()
        holder.wait()
        assert not is_locked(path)


def test_a_folder_is_locked_as_it_is(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"), locked(tmp_path / "link"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_looking_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        is_locked(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_are_synced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    sync(tmp_path / "file")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_a_new_folder_is_synced_in_its_parent_and_so_are_those_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b", parents=True)
    assert synced == [tmp_path, tmp_path / "a"]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_a_full_card_leaves_the_old_content_whole(tmp_path: Path) -> None:
    """The system writes what fits, and says so by a number: then the rest is tried, and fails."""
    path = tmp_path / "kiosk.toml"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        for write in (files.rewrite, files.replace):
            with pytest.raises(OSError, match="File too large"):
                write(path, b"x" * 6000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kiosk.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_rewritten_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("old")
    os.chown(path, 65534, 65533)
    files.rewrite(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)


def test_a_file_that_is_rewritten_keeps_its_mode_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("old")
    path.chmod(0o640)
    with path.open() as before:
        files.rewrite(path, b"new")
        assert before.read() == "old", "whoever reads it meanwhile reads the old one"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["kiosk.toml"]
