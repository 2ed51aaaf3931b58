"""Numbers on the command line must be finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from kiosk.cli import cli
from kiosk.cli.numbers import Finite


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "infinity", "1e999"])
@pytest.mark.parametrize("kind", [Finite(0), Finite(min=1), Finite(1, 600)])
def test_what_is_no_finite_number_is_refused(kind: Finite, text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_a_finite_number_is_taken() -> None:
    assert [Finite(1, 600).convert(text, None, None) for text in ("1", "2.5", "6e2")] == [1.0, 2.5, 600.0]


def test_a_door_is_not_held_open_without_end(kiosk: Callable[..., Any]) -> None:
    said = kiosk("door", "hold-open", "--seconds", "nan")
    assert said.status == 2
    assert "finite" in said.err[-1]


def commands(command: click.Command, context: click.Context) -> Iterator[click.Command]:
    """All of them, also those that are loaded when they are asked for."""
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, click.Context(found, parent=context, info_name=name))


def test_every_option_with_a_range_takes_finite_numbers_only() -> None:
    kinds = [
        (command.name, parameter.name, parameter.type)
        for command in commands(cli, click.Context(cli))
        for parameter in command.params
        if isinstance(parameter.type, click.FloatRange)
    ]
    assert len(kinds) > 5
    assert [name for *name, kind in kinds if not isinstance(kind, Finite)] == []
