"""The command line of the small programs."""

from __future__ import annotations

import pytest

from kiosk.domain.errors import ConfigError
from kiosk.system.command_line import CommandLine


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--conf", "x"], ["--config", "x", "y"]])
def test_a_mistake_is_one_line_that_says_where_help_is(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = CommandLine("kiosk-door", "Owns the lock.")
    line.add_argument("--config", required=True)
    with pytest.raises(ConfigError, match=r"^[^\n]+ \(see kiosk-door --help\)$"):
        line.parse_args(arguments)
    assert capsys.readouterr() == ("", "")
    assert line.parse_args(["--config", "x"]).config == "x"
