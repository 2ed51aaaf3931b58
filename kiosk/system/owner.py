"""Lets root work in another user's folder only with that user's rights. Uses only the standard library, because panels
import it.

The owner of a folder can at any time replace any name in it by a link. If root makes, changes or gives away "a file of
the kiosk" by its path, it does so to the target of such a link, for example /etc/ld.so.preload. So root looks along the
path for the first name that does not belong to root, and becomes its owner. The owner's links then reach only what the
owner may access anyway. If the whole path belongs to root, nobody else can redirect it.
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
"""Most links on one path that the kernel follows."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine and the user's groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


def owner_of(path: Path) -> Account | None:
    """The user who could redirect this path: the owner of the first name along it that belongs neither to root nor to
    this process's user. None if there is no such user. Missing names belong to nobody.

    Raises HomeError for a folder on the path in which other users may replace names.
    """
    found = _first_other(path, {0, os.geteuid()})
    return None if found is None else _account(found)


def refuse_root(path: Path) -> None:
    """A second check, for a program that does not act for the folder's owner. Raises HomeError if root would work in
    another user's folder and make files there that belong to root."""
    account = owner_of(path) if os.geteuid() == 0 else None
    if account is not None:
        raise HomeError(
            f"{path}: belongs to {account.name}: root works there as its owner only: sudo -u {account.name}"
        )


def become_owner(path: Path) -> None:
    """If root runs this process, changes it permanently to the path's owner. Does nothing for another user, or if the
    path belongs to root. Raises HomeError."""
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
    """If root runs this process, the block opens files with the rights of the path's owner. For a command that must be
    root elsewhere, for example at the door's socket. Does nothing for another user, or if the path belongs to root.
    Raises HomeError."""
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
    """The first name along the path that belongs to none of these users. Follows links of these users, because nobody
    else can redirect them."""
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
    """Whether users other than root, the owner and this process's group may replace files in the folder."""
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
