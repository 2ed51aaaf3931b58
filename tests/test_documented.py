"""All commands, settings and events are documented."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from kiosk import plugins
from kiosk.cli import cli
from kiosk.config import Config
from kiosk.domain.door.events import ALARMS, DoorEventKind
from kiosk.domain.notices import KINDS
from kiosk.section import PluginSection

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
OPERATING = (DEPLOY / "operating.md").read_text()
SETTINGS = (DEPLOY / "kiosk.toml").read_text()
GUIDE = "\n".join(page.read_text() for page in [*sorted(DEPLOY.glob("*.md")), DEPLOY / "kiosk.toml"])
GROUPS = ("cameras", "locks", "panels", "notifiers")


def commands(command: click.Command, path: tuple[str, ...] = ("kiosk",)) -> Iterator[str]:
    """Every command that does something: "kiosk door status"."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def told_commands(text: str) -> set[str]:
    """Commands of a table: `kiosk audit show|export [--json]` are two."""
    found: set[str] = set()
    for row in re.findall(r"^\| `(kiosk[^`]*)`", text, re.MULTILINE):
        words = [word for word in row.replace("\\|", "|").split() if re.fullmatch(r"[a-z|-]+", word) and word[0] != "-"]
        found |= {" ".join(each) for each in itertools.product(*(word.split("|") for word in words))}
    return found


def test_every_command_is_in_the_operators_guide_and_no_other() -> None:
    there = set(commands(cli))
    told = told_commands(OPERATING)
    assert there - told == set()
    assert {c for c in told if not c.startswith(("kiosk-door", "kiosk-notify"))} - there == set()


def keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def section(name: str) -> str:
    """What deploy/kiosk.toml says below [name]; the lines that are comments, too."""
    found = re.findall(rf"^#? *\[{name}(?:\.[a-z]+)?\]\n(.*?)(?=^#? *\[|\Z)", SETTINGS, re.DOTALL | re.MULTILINE)
    return "\n".join(found)


@pytest.mark.parametrize("name", sorted(set(Config.model_fields) - {"notifiers"}))
def test_every_setting_is_in_the_configuration_that_is_shipped(name: str) -> None:
    annotation = Config.model_fields[name].annotation
    (model,) = [
        t for t in (annotation, *getattr(annotation, "__args__", ())) if isinstance(t, type) and t is not type(None)
    ]
    assert issubclass(model, BaseModel)
    told = set(re.findall(r"^#? *([a-z_]+) = ", section(name), re.MULTILINE))
    assert keys(model) - told == set()
    if not issubclass(model, PluginSection):
        assert told - keys(model) == set(), "no longer there"


def plugin_options() -> list[tuple[str, str]]:
    return [(group, point.name) for group in GROUPS for point in sorted(entry_points(group=f"kiosk.{group}"))]


@pytest.mark.parametrize(("group", "kind"), plugin_options())
def test_every_key_of_a_plug_in_is_on_a_page(group: str, kind: str) -> None:
    words = set(re.findall(r"[a-z_]+", GUIDE))
    assert keys(plugins.options_of(group, kind)) - words == set()
    assert f'"{kind}"' in GUIDE or f"`{kind}`" in GUIDE


def test_every_event_of_the_door_is_in_the_operators_guide() -> None:
    section = OPERATING.split("### What it tells")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[a-z_]+`[ *,]*)+)\|", section, re.MULTILINE)
    told = {word: marked for row in rows for word, marked in re.findall(r"`([a-z_]+)`( \*)?", row)}
    assert set(told) == {kind.value for kind in DoorEventKind}
    assert {word for word, marked in told.items() if marked} == {kind.value for kind in ALARMS}


def test_every_notice_is_in_the_operators_guide() -> None:
    told = set(re.findall(r"`([a-z_]+)`", OPERATING.split("### What it tells")[1].split("\n## ")[0]))
    assert {kind.split(".")[1] for kind in KINDS} - told == set()
