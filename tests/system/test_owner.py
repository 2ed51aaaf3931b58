"""Root in another user's folder: who owns it, and acting as that user, permanently or for a while."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.domain.errors import HomeError
from kiosk.system.owner import acting_for, become_owner, owner_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away and become somebody else")
UID = 12345


@pytest.fixture
def theirs(place: Path) -> Path:
    """A folder of somebody else's."""
    folder = place / "theirs"
    folder.mkdir(0o700)
    os.chown(folder, UID, UID)
    return folder


def test_ones_own_path_is_nobody_elses(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "link").symlink_to("mine")
    for path in (place, place / "mine", place / "link" / ".." / "mine", place / "not" / "there", Path("/")):
        assert owner_of(path) is None


def test_a_folder_in_which_others_may_replace_names_is_refused(place: Path) -> None:
    (place / "open" / "mine").mkdir(parents=True)
    (place / "open").chmod(0o777)
    with pytest.raises(HomeError, match=r"chmod go-w .*/open"):
        owner_of(place / "open" / "mine")
    (place / "open").chmod(0o1777)
    assert owner_of(place / "open" / "mine") is None


def test_an_endless_chain_of_links_is_refused(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    with pytest.raises(HomeError, match="no end"):
        owner_of(place / "a" / "x")


@needs_root
def test_owner_of_is_the_user_who_could_redirect_the_path(place: Path, theirs: Path) -> None:
    (theirs / "in").mkdir()
    (theirs / "out").symlink_to("/etc")
    (place / "link").symlink_to(theirs / "in")
    relative = place / "relative"
    relative.symlink_to("theirs/not-there")
    (place / "by-group").mkdir()
    (place / "by-group").chmod(0o775)
    for path in (theirs, theirs / "in" / "x", theirs / "out" / "x", place / "link", relative, theirs / ".." / "theirs"):
        found = owner_of(path)
        assert found is not None
        assert (found.uid, found.gid, found.groups) == (UID, UID, (UID,))
    assert owner_of(theirs / "..") is not None, "whoever owns the folder chooses what .. is the parent of"
    os.chown(place / "by-group", 0, UID)
    with pytest.raises(HomeError, match="by-group"):
        owner_of(place / "by-group")


@needs_root
def test_a_user_of_this_machine_with_their_groups(place: Path, theirs: Path) -> None:
    os.chown(theirs, 1, 1)  # daemon, on every Linux
    found = owner_of(theirs)
    assert found is not None
    assert (found.uid, found.name) == (1, "daemon")
    assert found.gid in found.groups


@needs_root
def test_acting_for_ends_with_the_rights_of_root(theirs: Path, place: Path) -> None:
    groups = os.getgroups()
    secret = place / "secret"
    secret.touch(0o600)
    (theirs / "link").symlink_to(secret)
    with acting_for(theirs):
        (theirs / "file").touch()
        with pytest.raises(PermissionError):
            (theirs / "link").write_text("x")
        assert os.getuid() == 0
    assert (theirs / "file").stat().st_uid == UID
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    with pytest.raises(ZeroDivisionError), acting_for(theirs):
        _ = 1 / 0
    assert os.geteuid() == 0
    with acting_for(place):
        assert os.geteuid() == 0


@needs_root
def test_becoming_somebody_is_for_good(theirs: Path) -> None:
    line = f"""
import os, pathlib
from kiosk.system.owner import become_owner
os.environ["XDG_CACHE_HOME"] = "/home/admin/.cache"
become_owner(pathlib.Path({str(theirs)!r}))
assert os.getresuid() == os.getresgid() == ({UID},) * 3 and os.getgroups() == [{UID}], os.getgroups()
assert os.environ["HOME"] == "/nonexistent" and "XDG_CACHE_HOME" not in os.environ
for back in (os.setuid, os.seteuid, os.setgid):
    try:
        back(0)
    except PermissionError:
        continue
    raise AssertionError(back)
pathlib.Path({str(theirs)!r}, "mine").touch()
"""
    subprocess.run([sys.executable, "-c", line], check=True)
    assert (theirs / "mine").stat().st_uid == UID


def test_for_ones_own_folder_nothing_changes(place: Path) -> None:
    before = os.getresuid()
    become_owner(place)
    with acting_for(place):
        assert os.getresuid() == before
    assert os.getresuid() == before
