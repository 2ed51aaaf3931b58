"""Users of the configuration, as the kernel knows them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.system import users
from kiosk.system.users import caller, numbers_of


def test_users_are_given_by_name_or_number() -> None:
    root = pwd.getpwuid(0).pw_name
    assert numbers_of("door.clients", [root, "4711", str(os.getuid())]) == {0, 4711, os.getuid()}
    assert numbers_of("door.clients", []) == frozenset()


def test_a_name_that_nobody_has_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"door\.clients: there is no user 'nobody-has-this-name'"):
        numbers_of("door.clients", ["root", "nobody-has-this-name"])


@pytest.mark.parametrize(("kept", "uid"), [("0", 0), (str(2**32 - 1), os.getuid()), ("", os.getuid()), ("4711", 4711)])
def test_the_caller_is_who_logged_in_or_who_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, uid: int
) -> None:
    (tmp_path / "loginuid").write_text(kept)
    monkeypatch.setattr(users, "LOGIN", tmp_path / "loginuid")
    assert caller().endswith(f"uid {uid})" if uid != 4711 else "uid 4711")
    monkeypatch.setattr(users, "LOGIN", tmp_path / "none")
    assert caller().endswith(f"uid {os.getuid()})")
