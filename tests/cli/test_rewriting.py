"""Single values of the configuration file: all else in it stays, and what is not understood is not touched."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import config
from kiosk.cli.rewriting import change, changed, toml
from kiosk.domain.errors import ConfigError

SHIPPED = (Path(__file__).parents[2] / "deploy" / "kiosk.toml").read_text()


def test_a_comment_at_its_default_is_taken_into_use_where_it_stands() -> None:
    text = changed(SHIPPED, "policy", "fpir", 1e-4)
    before, after = SHIPPED.splitlines(), text.splitlines()
    apart = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert apart == [("#fpir = 0.001", "fpir = 0.0001")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[policy]\nfpir = 0.001  # why\n", "[policy]\nfpir = 0.0001  # why\n"),
        ("[policy] # it\n[entry]\nfpir = 3\n", "[policy] # it\nfpir = 0.0001\n[entry]\nfpir = 3\n"),
        ("[door]\nname = 'a'\n", "[door]\nname = 'a'\n\n[policy]\nfpir = 0.0001\n"),
        ("", "\n[policy]\nfpir = 0.0001\n"),
    ],
)
def test_only_the_value_changes(before: str, after: str) -> None:
    assert changed(before, "policy", "fpir", 1e-4) == after


def test_the_file_keeps_its_mode_and_is_a_good_configuration(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(SHIPPED)
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    assert change(link, [("policy", "fpir", 1e-4), ("screen", "languages", ["de", "en"])]) == path
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    read = config.read(path)
    assert (read.policy.fpir, read.screen.languages) == (1e-4, ("de", "en"))


@pytest.mark.parametrize(
    "text",
    [
        "policy.fpir = 0.001\n",
        "policy = { fpir = 0.001 }\n",
        '[policy]\n"fpir" = 0.001\n',
        "[screen]\nprivacy = '''\n[policy]\nfpir = 1\n'''\n[policy]\n",
    ],
)
def test_what_is_written_in_another_way_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="by hand"):
        change(path, [("policy", "fpir", 1e-4)])
    assert path.read_text() == text


def test_what_would_be_no_good_configuration_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[policy]\n")
    with pytest.raises(ConfigError, match="number, qr or card_reader"):
        change(path, [("entry", "verification", "always")])
    assert path.read_text() == "[policy]\n"


def test_without_a_configuration_there_is_nothing_to_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none" / "kiosk.toml")
    with pytest.raises(ConfigError, match="no configuration to change"):
        change(None, [("policy", "fpir", 1e-4)])


@given(st.one_of(st.booleans(), st.floats(0.001, 9e9), st.lists(st.sampled_from(["en", "de", "ar"]))))
def test_each_value_is_read_back(value: bool | float | list[str]) -> None:
    assert tomllib.loads(f"a = {toml(value)}") == {"a": value}
