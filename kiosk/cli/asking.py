"""Asks whoever gave a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

import click

from kiosk.domain.errors import KioskError
from kiosk.domain.plain_text import escaped


def confirm(question: str) -> None:
    """Asks a question. Raises click.Abort unless the answer is yes, KioskError if standard input is closed."""
    if sys.stdin is None:
        raise KioskError("standard input is closed, so nobody can be asked: answer with --yes")
    click.confirm(escaped(question, encoding_of(sys.stdout)), abort=True)


def ask(question: str) -> str:
    """Asks for a line of standard input. The question goes to standard error, because a program may read standard
    output. Raises click.Abort at the end of the input, KioskError if standard input is closed."""
    if sys.stdin is None:
        raise KioskError("standard input is closed, so nobody can be asked")
    text = escaped(question, encoding_of(sys.stderr))
    answer: str = click.prompt(text, default="", show_default=False, prompt_suffix=": ", err=True)
    return answer


def ask_or(question: str, default: str) -> str:
    """Asks for a line; an empty one is the default. Raises click.Abort at the end of the input."""
    text = escaped(question, encoding_of(sys.stderr))
    answer: str = click.prompt(text, default=default, show_default=bool(default), err=True)
    return answer.strip()


def ask_yes(question: str, default: bool) -> bool:
    """Asks for yes or no; an empty line is the default. Raises click.Abort at the end of the input."""
    return click.confirm(escaped(question, encoding_of(sys.stderr)) + "?", default=default, err=True)


def ask_one_of(question: str, options: Sequence[str]) -> str:
    """Asks for one of the options; an empty line is the first. Raises click.Abort at the end of the input."""
    text = escaped(question, encoding_of(sys.stderr))
    chosen: str = click.prompt(text, type=click.Choice(options), default=options[0], err=True)
    return chosen


def ask_secretly(question: str, again: bool = False) -> str:
    """Asks for a line that is not shown; `again`: twice, until both are alike. Without a terminal it is the next line
    of standard input. Raises click.Abort when the person gives up, KioskError where nobody can be asked."""
    if sys.stdin is None:
        raise KioskError("standard input is closed, so nobody can be asked")
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise KioskError(f"{question}: nobody can be asked here: give it as the first line of standard input")
        return line.rstrip("\n")
    text = escaped(question, encoding_of(sys.stderr))
    answer: str = click.prompt(text, hide_input=True, confirmation_prompt=again, prompt_suffix=": ", err=True)
    return answer


class Terminal:
    """Asks whoever gave the command for a passphrase (storage.passphrase.Asker)."""

    def __init__(self, beside: bool = False) -> None:
        """`beside`: whether a kiosk runs, which lends its key to nobody."""
        self._beside = beside

    def ask(self) -> str:
        """The passphrase of the key."""
        why = "This command opens the gallery itself, and the running kiosk lends its key to nobody. "
        return ask_secretly((why if self._beside else "") + "Passphrase of the gallery's key")

    def choose(self) -> str:
        """A new one."""
        return ask_secretly("New passphrase for the gallery's key", again=True)


def encoding_of(stream: TextIO | None) -> str:
    """The encoding of a stream, for escaping what it cannot hold."""
    return getattr(stream, "encoding", None) or "ascii"
