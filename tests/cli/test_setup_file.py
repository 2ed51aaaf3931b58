"""The configuration that `kiosk setup` writes holds what it was given, whatever that is, and is whole or not there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.cli.setup_file import rendered, write
from kiosk.domain.errors import ConfigError

KEYS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
VALUES = st.one_of(TEXT, st.booleans(), st.integers(-(2**53), 2**53), st.floats(0.001, 1e6), st.lists(TEXT, max_size=3))
SECTIONS = st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, min_size=1)), min_size=1)


@given(st.dictionaries(KEYS, SECTIONS))
def test_what_is_written_is_read_again(tables: dict[str, dict[str, object]]) -> None:
    assert tomllib.loads(rendered(tables)) == tables


def test_what_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot stand"):
        rendered({"door": {"name": None}})
    with pytest.raises(ConfigError, match="no section"):
        rendered({"door": 1})


def test_nothing_is_written_that_the_kiosk_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "kiosk.toml"
    with pytest.raises(ConfigError, match="unknown key"):
        write(path, "[door]\nnone = 1\n", force=False)
    assert not path.parent.exists()
    path.parent.mkdir()
    assert write(path, '[door]\nname = "a"\n', force=False)
    assert not write(path, '[door]\nname = "a"\n', force=False)
    assert [file.name for file in path.parent.iterdir()] == ["kiosk.toml"]
    assert path.stat().st_mode & 0o777 == 0o640, "its group reads it, others do not: there may be addresses in it"
