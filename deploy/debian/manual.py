"""Man pages and shell completion, from what the commands say of themselves: nothing is written twice."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from kiosk.cli import cli
from kiosk.door import daemon as door
from kiosk.notify import daemon as notify

COMPLETE = "_KIOSK_COMPLETE"
PLACES = {
    "bash-completion/completions/kiosk": BashComplete,
    "zsh/vendor-completions/_kiosk": ZshComplete,
    "fish/vendor_completions.d/kiosk.fish": FishComplete,
}
"""Under /usr/share."""
DAEMONS = {"kiosk-door": (door, "owns the lock of a kiosk's door"), "kiosk-notify": (notify, "tells others of a door")}


def completions() -> dict[str, str]:
    """Path under /usr/share, and the script that click has for that shell."""
    return {place: shell(cli, {}, "kiosk", COMPLETE).source().lstrip() for place, shell in PLACES.items()}


def pages(version: str, date: str, configuration: str) -> dict[str, str]:
    """Name of each page ("kiosk-run.1") and its text in man's language. `date`: YYYY-MM-DD."""
    foot = f'"{date}" "face-kiosk {version}"'
    found = {f"{name.replace(' ', '-')}.1": _page(name, command, foot) for name, command in _commands("kiosk", cli)}
    for name, (program, what) in DAEMONS.items():
        text = (program.__doc__ or "").strip()
        options = ".TP\n\\fB\\-\\-config\\fR \\fIFILE\\fR\nThe configuration, kiosk.toml(5).\n"
        body = f".SH NAME\n{_plain(name)} \\- {what}\n.SH SYNOPSIS\n.B {_plain(name)}\n[\\-\\-config \\fIFILE\\fR]\n"
        body += f".SH DESCRIPTION\n{_prose(text)}\n.SH OPTIONS\n{options}.SH SEE ALSO\nkiosk(1), kiosk.toml(5)\n"
        found[f"{name}.8"] = f".TH {name.upper()} 8 {foot}\n{body}"
    body = ".SH NAME\nkiosk.toml \\- the configuration of kiosk and kiosk\\-door\n.SH DESCRIPTION\n"
    body += f"/etc/kiosk/kiosk.toml, with each setting and its default:\n.PP\n.nf\n{_verbatim(configuration)}\n.fi\n"
    found["kiosk.toml.5"] = f".TH KIOSK.TOML 5 {foot}\n{body}.SH SEE ALSO\nkiosk(1), kiosk\\-door(8)\n"
    return found


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            below = command.get_command(context, part)
            if below is not None and not below.hidden:
                yield from _commands(f"{name} {part}", below)


def _page(name: str, command: click.Command, foot: str) -> str:
    context = click.Context(command, info_name=name)
    dashed = name.replace(" ", "-")
    first = _plain(" ".join(command.get_short_help_str(200).split()).rstrip("."))
    text = f".TH {dashed.upper()} 1 {foot}\n.SH NAME\n{_plain(dashed)} \\- {first or 'a command'}\n"
    usage = _plain(" ".join(command.collect_usage_pieces(context)))
    text += f".SH SYNOPSIS\n.B {_plain(name)}\n{usage}\n.SH DESCRIPTION\n{_prose(command.help or first)}\n"
    records = [r for p in command.get_params(context) if (r := p.get_help_record(context)) is not None]
    if records:
        text += ".SH OPTIONS\n" + "".join(f".TP\n\\fB{_plain(how)}\\fR\n{_prose(what)}\n" for how, what in records)
    if isinstance(command, click.Group):
        below = [f"{dashed}-{part}" for part in command.list_commands(context)]
        text += ".SH COMMANDS\n" + ",\n".join(f"{_plain(part)}(1)" for part in below) + "\n"
    return f"{text}.SH SEE ALSO\nkiosk(1), kiosk.toml(5)\n"


def _prose(text: str) -> str:
    """Paragraphs; "\\b" of click keeps a paragraph's lines."""
    shown = []
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(text).strip()):
        if paragraph.startswith("\b"):
            shown.append(f".nf\n{_verbatim(paragraph[1:].strip(chr(10)))}\n.fi")
        else:
            shown.append(_plain(" ".join(paragraph.split())))
    return "\n.PP\n".join(shown)


def _verbatim(text: str) -> str:
    return "\n".join(_plain(line) for line in text.splitlines())


def _plain(text: str) -> str:
    """What man would take for its own signs is hidden from it."""
    hidden = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{hidden}" if hidden.startswith((".", "'")) else hidden
