from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.domain.errors import HomeError
from kiosk.storage.home import Home
from tests.storage.conftest import Mount

HOLDER = """
import sys
from pathlib import Path
from kiosk.storage.home import Home
with Home(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_new_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    home.prepare()
    home.prepare()
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match="cannot be used"):
        Home(tmp_path / "file").prepare()
    with pytest.raises(HomeError, match="cannot be used"):
        Home(tmp_path / "file" / "below").prepare()


def test_a_home_in_which_others_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(HomeError, match=r"chmod (700|go-w)"):
        Home(tmp_path).prepare()


def test_a_home_on_a_read_only_file_system_is_refused(small_disk: tuple[Path, Mount]) -> None:
    folder, mount = small_disk
    folder.chmod(0o700)
    mount("-o", "remount,ro")
    with pytest.raises(HomeError, match="cannot be written"):
        Home(folder).prepare()
    with pytest.raises(HomeError):
        Home(folder / "new").prepare()


def test_a_second_kiosk_is_told_who_holds_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeError, match=rf"another kiosk \(pid {holder.pid}\) uses this home"), home.lock():
            pass
        holder.kill()
    # A killed holder leaves its file, not its lock.
    with home.lock():
        assert home.lock_file.read_text() == f"{os.getpid()}\n"
    with home.lock():
        pass


def test_the_lock_does_not_follow_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep me")
    home = Home(tmp_path / "home")
    home.prepare()
    home.lock_file.symlink_to(victim)
    with pytest.raises(HomeError, match="cannot be locked"), home.lock():
        pass
    assert victim.read_text() == "keep me"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving folders away needs root")
def test_root_does_not_work_in_a_home_of_somebody_elses(tmp_path: Path) -> None:
    """The commands make it that somebody first; what they forget is refused."""
    home = Home(tmp_path / "home")
    home.prepare()
    os.chown(home.folder, 12345, 12345)
    with pytest.raises(HomeError, match="as its owner only"), home.lock():
        pass
    assert list(home.folder.iterdir()) == []
