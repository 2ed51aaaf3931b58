"""Users of the configuration, as the kernel knows them."""

from __future__ import annotations

import os
import pwd

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.system.users import numbers_of


def test_users_are_given_by_name_or_number() -> None:
    root = pwd.getpwuid(0).pw_name
    assert numbers_of("door.clients", [root, "4711", str(os.getuid())]) == {0, 4711, os.getuid()}
    assert numbers_of("door.clients", []) == frozenset()


def test_a_name_that_nobody_has_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"door\.clients: there is no user 'nobody-has-this-name'"):
        numbers_of("door.clients", ["root", "nobody-has-this-name"])
