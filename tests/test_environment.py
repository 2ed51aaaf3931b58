"""Any bytes as a configuration file: one line says what is wrong, and nothing hangs or fills the memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import config
from kiosk.domain.errors import ConfigError
from kiosk.environment import LARGEST, file_text
from kiosk.locks import secure_line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbf[door]\n", "byte order mark"),
        ('[door]\nname = "Tür"\n'.encode("latin-1"), "line 2 is not UTF-8"),
        ("[door]\n".encode("utf-16"), "line 1 is not UTF-8"),
        (b"#" * (LARGEST + 1), "too large"),
        (b"a = " + b"[" * 4000, "nested too deep"),
        (b"a = [\n" + b"[\n" * 50_000, "nested too deep"),
        (b"a = " + b"{a=" * 1300, "nested too deep"),
        (b"a" + b".a" * 10_000 + b" = 1\n", "longer than 4096"),
        (b"a" + b".a" * 2000 + b" = 1\n", "unknown key"),
        (b"[lock]\na" + b".a" * 2000 + b' = 1\nkind = "simulated"\n', ""),
        (b"[door]\nrelease_seconds = 1" + b"0" * 4050, "release_seconds"),
        (b"[door]\nrelease_seconds = nan\n", "release_seconds"),
        (b"[door]\nname = 'a\x00b'\n", "not valid TOML"),
        (b'[kiosk]\nhome = "/a\\u0000b"', r"kiosk\.home: has a NUL"),
        (b'[models]\npad = ["pad-2.7", "a\\u0000b"]', r"models\.pad: has a NUL"),
        (b'[notifiers.a.b]\nkind = "x\\u0000"', r"notifiers\.a\.b\.kind: has a NUL"),
        (b'[door]\n"a\\u0000b" = 1', "has a NUL"),
        (b"[models]\nthreads = 99999999999999999999\n", "threads"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_a_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_bytes(content)
    if said:
        with pytest.raises(ConfigError, match=said) as error:
            config.read(path)
        assert "\n" not in str(error.value)
    secure_line.hold(path)  # what kiosk-door reads first: it never raises


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(ConfigError, match=r"no file|directory"):
            file_text(path)


def test_names_that_are_too_long_are_said_in_a_line(tmp_path: Path) -> None:
    for named in (tmp_path / ("x" * 300), Path("\udcff\udcfe")):
        with pytest.raises(ConfigError):
            config.find(named)


@pytest.mark.parametrize("value", ["\udcff", "a\x1b[2J", "[" * 4000, "1" + "0" * 4200, "{a=" * 1300])
def test_values_of_the_environment_are_refused_or_plain_text(value: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse("", "the defaults", {"KIOSK_DOOR__NAME": value})
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("name", ["KIOSK__FOO", "KIOSK___FOO", "KIOSK__", "KIOSK_DOOR__"])
def test_a_variable_without_a_section_and_a_key_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: no section and key"):
        config.parse("", "the defaults", {name: "1"})


def test_a_nul_comes_by_the_environment_neither() -> None:
    with pytest.raises(ConfigError, match=r"kiosk\.home: has a NUL"):
        config.parse("", "the defaults", {"KIOSK_KIOSK__HOME": r'"/a\u0000b"'})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with suppress(ConfigError):
        config.read(path)
