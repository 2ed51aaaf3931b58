"""What root does in somebody else's folder, it does as that somebody. Standard library only: panels use it.

The owner of a folder may at any moment put a link in the place of any name in it. Root that makes, changes or gives
away "a file of the kiosk" by its path does it to whatever the link leads to, /etc/ld.so.preload for one. So root looks
along the path for the first name that is not root's own, and becomes its owner, whose links then lead nowhere that the
owner could not go. A path that is root's own all along is one that nobody else can bend.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.domain.errors import HomeError

MOST_LINKS = 40
"""As many as the kernel follows on one path."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine and the groups that are theirs."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


def owner_of(path: Path) -> Account | None:
    """Who could bend this path: the owner of the first name along it that is neither root's nor of whoever runs this;
    None where nobody else could. What is not there yet is nobody's.

    Raises HomeError for a folder on the way in which others may replace names as they please.
    """
    found = _first_other(path, {0, os.geteuid()})
    return None if found is None else _account(found)


def refuse_root(path: Path) -> None:
    """The second line, for a program that does not act for the owner of what it works in. Raises HomeError where root
    would work in a folder of somebody else's, and make files there that are not theirs."""
    account = owner_of(path) if os.geteuid() == 0 else None
    if account is not None:
        raise HomeError(
            f"{path}: belongs to {account.name}: root works there as its owner only: sudo -u {account.name}"
        )


def become_owner(path: Path) -> None:
    """As root: this process is the path's owner from now on, and root never again. As anybody else, and where the path
    is root's own: nothing. Raises HomeError."""
    account = owner_of(path) if os.geteuid() == 0 else None
    if account is None:
        return
    try:
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise HomeError(f"{path}: root cannot become {account.name}, whose it is: {error.strerror}") from error
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    os.environ.update(HOME=account.home, USER=account.name, LOGNAME=account.name)


@contextmanager
def acting_for(path: Path) -> Iterator[None]:
    """As root: inside, files are opened with the rights of the path's owner. For a command that is root elsewhere, at
    the door's socket say. As anybody else, and where the path is root's own: nothing. Raises HomeError."""
    account = owner_of(path) if os.geteuid() == 0 else None
    if account is None:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups(account.groups)
        os.setegid(account.gid)
        os.seteuid(account.uid)
    except OSError as error:
        raise HomeError(f"{path}: root cannot act for {account.name}, whose it is: {error.strerror}") from error
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _first_other(path: Path, trusted: set[int]) -> os.stat_result | None:
    """The first name along the path that is of none of these users. Their own links are followed: nobody else can bend
    them."""
    ahead = list(reversed(path.absolute().parts[1:]))
    at, links = Path("/"), 0
    while ahead:
        name = ahead.pop()
        if name == "..":
            at = at.parent
            continue
        try:
            found = (at / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if found.st_uid not in trusted:
            return found
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                raise HomeError(f"{path}: its links have no end")
            target = (at / name).readlink()
            at = Path("/") if target.is_absolute() else at
            ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            continue
        at /= name
        if stat.S_ISDIR(found.st_mode) and _open_to_others(found):
            raise HomeError(f"{path}: others may replace what is in {at}: chmod go-w {at}")
    return None


def _open_to_others(folder: os.stat_result) -> bool:
    """Whether somebody besides root, owner and the group of whoever runs this may put other files in the place of those
    that are in a folder."""
    by_group = folder.st_mode & stat.S_IWGRP and folder.st_gid not in {0, os.getegid()}
    return bool(folder.st_mode & stat.S_IWOTH or by_group) and not folder.st_mode & stat.S_ISVTX


def _account(found: os.stat_result) -> Account:
    try:
        user = pwd.getpwuid(found.st_uid)
    except KeyError:
        uid, gid = found.st_uid, found.st_gid
        return Account(uid, gid, (gid,), f"uid {uid}", "/nonexistent")
    groups = tuple(os.getgrouplist(user.pw_name, user.pw_gid))
    return Account(user.pw_uid, user.pw_gid, groups, user.pw_name, user.pw_dir)
